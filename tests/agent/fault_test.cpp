// The power may go at any instant: for every fault point, an agent is killed there in the middle of a first release, an
// update and a rollback, started again, and must come to the same end with nothing left behind.
#include "base/fault.h"
#include "tests/agent/agent_fixture.h"

namespace kedge::test {
namespace {

std::string compose(const std::string& image, bool with_extra) {
    return "name: demo\n"
           "services:\n"
           "  web:\n"
           "    image: " +
           image +
           "\n"
           "    ports: [\"18080:8080\"]\n"
           "    volumes: [\"./note.txt:/note:ro\"]\n"
           "    depends_on: [store]\n"
           "    healthcheck: {interval: 100ms, retries: 2}\n"
           "    deploy: {update_config: {order: start-first}}\n"
           "  store:\n"
           "    image: app:1\n"
           "    healthcheck: {interval: 100ms, retries: 2}\n"  // the image's default would be half a minute a release
           "    volumes: [\"data:/data\"]\n" +
           (with_extra ? "    networks: [default, extra]\n" : "") + "volumes: {data: {}}\n" +
           (with_extra ? "networks: {extra: {}}\n" : "");
}

const std::vector<std::string> kApp = {
    "CMD [\"sh\", \"-c\", \"trap exit TERM; sleep 100000 & wait\"]",
    "STOPSIGNAL SIGTERM",
};

struct Fault : AgentFixture, testing::WithParamInterface<std::string_view> {
    bool fired = false;

    /// Takes the step until it holds; an agent that was killed meanwhile is started again, once, without the fault.
    void step(const std::string& what, const std::function<void()>& act, const std::function<bool()>& holds) {
        act();
        bool reached = until([&] {
            if (!running()) {
                auto status = agent ? agent->wait(std::chrono::milliseconds(0)) : std::optional<int>(0);
                EXPECT_FALSE(fired) << "killed twice, at " << what;
                EXPECT_TRUE(status && WIFSIGNALED(*status) && WTERMSIG(*status) == SIGKILL)
                    << "ended by itself at " << what;
                fired = true;
                if (!start()) return false;
                act();
            }
            return holds();
        });
        ASSERT_TRUE(reached) << what << " is not reached: " << project().dump(1);
    }
    /// The kill may come after a state could be read already: the agent is started again here too.
    void settle(const std::string& what, const std::function<bool()>& holds) {
        step(
            what, [] {}, holds);
    }
    std::string store_id() {
        std::map<std::string, std::string> running;
        settle("the store", [&] { return (running = services()).contains("store"); });
        return running["store"];
    }
    void push(const std::string& image, bool extra, const std::string& state) {
        std::string commit =
            repository->push({{"compose.yaml", {compose(image, extra)}}, {"note.txt", {"for " + image}}});
        step(
            "release of " + image, [&] { wake(); }, [&] { return state_of(commit) == state; });
    }
    /// The host's ports that lead to the running web container.
    std::set<int> published() const {
        std::set<int> ports;
        for (const json& c : containers()) {
            if (c["Labels"].value("com.docker.compose.service", "") != "web" || c.value("State", "") != "running")
                continue;
            for (const json& port : c.at("Ports")) ports.insert(port.value("PublicPort", 0));
        }
        return ports;
    }
    /// The store's container joins a network that somebody made, and leaves it again: at each end there are as many
    /// links in it as the agent knows of.
    void connect_by_hand() {
        const std::string store = store_id();
        auto is_on = [&](const std::string& network, bool wanted) {
            const json container = get("/containers/" + store + "/json");
            if (!container.is_object() || !container.contains("State")) return false;
            const json& networks = container.at("NetworkSettings").at("Networks");
            const std::string pid = std::to_string(container.at("State").value("Pid", 0));
            const std::string links = read_file_at(AT_FDCWD, "/proc/" + pid + "/net/dev");
            return networks.contains(network) == wanted && (links.find("eth1:") != std::string::npos) == wanted;
        };
        auto is_there = [&](bool wanted) {
            const json network = get("/networks/side");
            return network.is_object() && network.contains("Id") == wanted;
        };
        step(
            "network by hand",
            [&] {
                (void)post("/networks/create", {{"Name", "side"}});
            },
            [&] { return is_there(true); });
        step(
            "connect",
            [&] {
                (void)post("/networks/side/connect", {{"Container", store}});
            },
            [&] { return is_on("side", true); });
        step(
            "disconnect",
            [&] {
                (void)post("/networks/side/disconnect", {{"Container", store}});
            },
            [&] { return is_on("side", false); });
        step(
            "removal by hand", [&] { (void)call("DELETE", "/networks/side"); }, [&] { return is_there(false); });
    }
    /// A container that somebody makes an image of goes on afterwards.
    void commit_by_hand() {
        const std::string store = store_id();
        auto is_there = [&](bool wanted) {
            const json container = get("/containers/" + store + "/json");
            return has_image("side:1") == wanted && container.is_object() && container.contains("State") &&
                   container.at("State").value("Status", "") == "running";
        };
        step(
            "commit", [&] { (void)post("/commit?repo=side&tag=1&container=" + store); },
            [&] { return is_there(true); });
        step(
            "removal of the image", [&] { (void)call("DELETE", "/images/side:1"); }, [&] { return is_there(false); });
    }
    bool has_image(const std::string& name) {
        json image = get("/images/" + name + "/json");
        return image.is_object() && image.contains("Id");
    }
};

std::string test_name(const testing::TestParamInfo<std::string_view>& info) {
    std::string name(info.param);
    std::replace(name.begin(), name.end(), '.', '_');
    return name;
}

}  // namespace

TEST_P(Fault, AfterAKillThereTheAgentComesToTheSameEnd) {
    // What an agent makes at its first start is made before: the kill is to come in what is done later.
    ASSERT_TRUE(start());
    stop();
    // The last pass of a container's start in a rollback is as likely as the first: the first is taken here.
    step(
        "start", [&] { (void)(running() || start(std::string(GetParam()))); }, [&] { return running(); });
    struct Image {
        std::string name, health;
    };
    for (const Image& image : {Image{"app:1", "true"}, Image{"app:2", "true"}, Image{"bad:1", "false"}}) {
        std::vector<std::string> changes = kApp;
        changes.push_back("HEALTHCHECK CMD [\"" + image.health + "\"]");
        step(
            "import of " + image.name,
            [&] {
                if (!has_image(image.name)) (void)import(image.name, changes);
            },
            [&] { return has_image(image.name); });
    }
    push("app:1", false, "good");
    push("app:2", true, "good");
    std::map<std::string, std::string> images_before;
    settle("what runs", [&] { return (images_before = images()).size() == 2; });
    const std::string store_before = store_id();
    push("bad:1", true, "rolled_back");
    settle("what ran before", [&] { return images() == images_before; });
    EXPECT_EQ(images_before.at("web"), "app:2");
    EXPECT_EQ(store_id(), store_before) << "the rollback touched what had not changed";
    std::string seed = folder + "/root/volumes/demo_data/_data/seed";
    EXPECT_EQ(read_file_at(AT_FDCWD, seed), "from the image\n");
    settle("the port of what ran before", [&] { return published() == std::set<int>{18080}; });
    // Only what the project has runs: its two services, and no third container of a release that is over.
    settle("two containers", [&] { return containers().size() == 2; });
    // And it goes on from there.
    push("app:1", true, "good");
    settle("the new image", [&] { return images()["web"] == "app:1"; });
    push("app:1", false, "good");
    connect_by_hand();
    commit_by_hand();
    auto one_network = [&] {
        json networks = get("/networks?filters=%7B%22type%22%3A%5B%22custom%22%5D%7D");
        return networks.is_array() && networks.size() == 1;
    };
    settle("removal of the network that nothing needs", one_network);
    EXPECT_TRUE(fired) << "the fault point is never passed";
}

INSTANTIATE_TEST_SUITE_P(EveryPoint, Fault, testing::ValuesIn(fault_points().begin(), fault_points().end()), test_name);

/// Of no project: nobody else would let it go.
struct CommitFault : AgentFixture {};

TEST_F(CommitFault, AContainerThatACommitHasPausedGoesOnWithTheNextAgent) {
    ASSERT_TRUE(start("container.commit.paused"));
    (void)import("plain:1", kApp);
    (void)post("/containers/create?name=plain", {{"Image", "plain:1"}, {"HostConfig", {{"NetworkMode", "none"}}}});
    (void)post("/containers/plain/start");
    auto status = [&] { return get("/containers/plain/json").at("State").at("Status").get<std::string>(); };
    ASSERT_EQ(status(), "running");
    try {
        (void)post("/commit?container=plain&repo=side");
    } catch (const std::exception&) {
        // Its connection ends with it.
    }
    ASSERT_TRUE(until([&] { return !running(); })) << "the fault point is never passed";
    ASSERT_TRUE(start());
    EXPECT_EQ(status(), "running");
    (void)post("/containers/plain/pause");
    kill_agent();
    ASSERT_TRUE(start());
    EXPECT_EQ(status(), "paused") << "by hand it stays";
    (void)call("DELETE", "/containers/plain?force=1");
}

}  // namespace kedge::test

// The agent as a whole, seen from outside.
#include "base/database.h"
#include "tests/agent/agent_fixture.h"
#include "tests/support/git_http_server.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace kedge::test {
namespace {

struct Agent : AgentFixture {
    void SetUp() override {
        AgentFixture::SetUp();
        ASSERT_TRUE(start());
        for (const char* name : {"app:1", "app:2"})
            (void)import(name, {"CMD [\"sh\", \"-c\", \"trap exit TERM; sleep 100000 & wait\"]"});
        (void)import("crash:1", {"CMD [\"sh\", \"-c\", \"echo the disk is on fire; exit 3\"]"});
    }
    std::string push(const std::string& services, const std::string& more = {}) {
        return repository->push({{"compose.yaml", {"name: demo\nservices:\n" + services + more}}});
    }
    static std::string service(const std::string& name, const std::string& image, const std::string& more = {}) {
        return "  " + name + ":\n    image: " + image + "\n" + (more.empty() ? "" : "    " + more + "\n");
    }
    std::string error_of(const std::string& commit) {
        for (const json& release : get("/kedge/v1/projects/demo/releases")) {
            if (release.value("commit", "") == commit) return release.value("error", "");
        }
        return {};
    }
    std::string source_error() {
        json sources = get("/kedge/v1/sources");
        return sources.empty() ? "" : sources[0].value("error", "");
    }
};

}  // namespace

TEST_F(Agent, ACrashingReleaseIsRolledBackAndItsCommitIsNotTriedAgain) {
    std::string good = push(service("a", "app:1") + service("b", "app:1"));
    ASSERT_TRUE(reaches(good, "good")) << project().dump(1);
    auto before = services();
    std::string bad = push(service("a", "app:2") + service("b", "crash:1"));
    ASSERT_TRUE(reaches(bad, "rolled_back")) << project().dump(1);
    EXPECT_EQ(services(), before) << "both services are the very containers of before";
    EXPECT_NE(error_of(bad).find("exited with code 3"), std::string::npos) << error_of(bad);
    json releases = get("/kedge/v1/projects/demo/releases");
    wake();
    kill_agent();
    ASSERT_TRUE(start());
    EXPECT_EQ(get("/kedge/v1/projects/demo/releases"), releases) << "the quarantined commit was tried again";
    EXPECT_EQ(services(), before);
}

TEST_F(Agent, ABrokenPipeDoesNotEndIt) {
    agent->signal(SIGPIPE);
    EXPECT_EQ(call("GET", "/_ping").status, 200);
    EXPECT_TRUE(running());
}

TEST_F(Agent, AContainerOutlivesTheAgentWithItsExitCodeAndLog) {
    std::string body =
        R"({"Image": "app:1", "Cmd": ["sh", "-c", "echo one; while ! test -f /tmp/go; do sleep 0.05; done; echo two; exit 7"], "HostConfig": {"NetworkMode": "none"}})";
    std::string id = json::parse(call("POST", "/containers/create?name=lonely", body).body).at("Id");
    EXPECT_EQ(post("/containers/" + id + "/start").status, 204);
    json info = get("/containers/lonely/json");
    int pid = info["State"]["Pid"];
    kill_agent();
    std::ofstream("/proc/" + std::to_string(pid) + "/root/tmp/go") << "go";
    EXPECT_TRUE(until([&] { return ::kill(pid, 0) != 0; }));
    ASSERT_TRUE(start());
    info = get("/containers/lonely/json");
    EXPECT_EQ(info["State"]["Status"], "exited");
    EXPECT_EQ(info["State"]["ExitCode"], 7);
    std::string log = call("GET", "/containers/lonely/logs?stdout=1").body;
    EXPECT_NE(log.find("one\n"), std::string::npos);
    EXPECT_NE(log.find("two\n"), std::string::npos);
}

TEST_F(Agent, MalformedProjectsAreRefusedByNameAndWhatRanGoesOn) {
    std::string good = push(service("a", "app:1"));
    ASSERT_TRUE(reaches(good, "good"));
    auto before = services();
    std::string bomb =
        "x-a: &a [x,x,x,x,x,x,x,x,x,x]\nx-b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nx-c: &c "
        "[*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
        "x-d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\nx-e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nx-f: "
        "[*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n";
    struct Case {
        std::string text, says;
    };
    const Case cases[] = {
        {"name: demo\nservices:\n  a: [", "compose.yaml"},
        {"name: demo\nservices:\n  a:\n    imge: app:1\n", "compose.yaml:4"},
        {"name: demo\nservices:\n  a:\n    build: .\n", "not supported yet"},
        {"name: demo\nservices:\n  a:\n    image: app:1\n    ports: [\"80:x\"]\n", "80:x"},
        {"name: demo\nservices:\n  a:\n    image: app:1\n    env_file: ../../etc/passwd\n", "etc/passwd"},
        {"name: demo\nservices: &s\n  a: *s\n", "compose.yaml"},
        {bomb + "name: demo\nservices:\n  a:\n    image: app:1\n", "aliases expand"},
        {"name: demo\nservices:\n  a:\n    image: app:1\n    depends_on: [b]\n  b:\n    image: app:1\n    depends_on: "
         "[a]\n",
         "cycle"},
    };
    for (const Case& c : cases) {
        std::string commit = repository->push({{"compose.yaml", {c.text}}});
        wake();
        auto told = [&] {
            return (project().dump() + get("/kedge/v1/sources").dump()).find(c.says) != std::string::npos;
        };
        EXPECT_TRUE(until(told, std::chrono::seconds(10))) << c.text << "\n"
                                                           << project().dump(1) << get("/kedge/v1/sources").dump(1);
        EXPECT_EQ(services(), before);
    }
    std::string next = push(service("a", "app:2"));
    EXPECT_TRUE(reaches(next, "good")) << project().dump(1);
}

TEST_F(Agent, AnImageThatIsNowhereBlocksOrEndsTheReleaseAndNothingIsTouched) {
    std::string good = push(service("a", "app:1"));
    ASSERT_TRUE(reaches(good, "good"));
    auto before = services();
    std::string unreachable = push(service("a", "127.0.0.1:" + std::to_string(free_port()) + "/app:9"));
    ASSERT_TRUE(reaches(unreachable, "blocked")) << project().dump(1);
    EXPECT_EQ(services(), before);
    EXPECT_FALSE(error_of(unreachable).empty());
    std::string next = push(service("a", "app:2"));
    EXPECT_TRUE(reaches(next, "good")) << "a newer commit is not held up by a blocked one: " << project().dump(1);
}

TEST_F(Agent, APortInUseIsNamedAndTheReleaseGoesBack) {
    std::string good = push(service("a", "app:1"));
    ASSERT_TRUE(reaches(good, "good"));
    auto before = services();
    Fd holder(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(18099);
    ASSERT_EQ(::bind(holder.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(holder.get(), 1), 0);
    std::string taken = push(service("a", "app:1", "ports: [\"18099:80\"]"));
    ASSERT_TRUE(reaches(taken, "rolled_back")) << project().dump(1);
    EXPECT_NE(error_of(taken).find("18099"), std::string::npos) << error_of(taken);
    EXPECT_EQ(services(), before);
}

TEST_F(Agent, PortsThatComeAndGoAreNoObstacleToASuccessorNorToTheWayBack) {
    std::string first = "deploy: {update_config: {order: start-first}}\n    ports: ";
    auto ports = [&] {
        std::set<int> found;
        for (const json& c : containers()) {
            if (c.value("State", "") != "running") continue;
            for (const json& port : c.at("Ports")) found.insert(port.value("PublicPort", 0));
        }
        return found;
    };
    std::string one = push(service("a", "app:1", first + "[\"18101:80\"]"));
    ASSERT_TRUE(reaches(one, "good")) << project().dump(1);
    std::string two = push(service("a", "app:2", first + "[\"18101:80\", \"18102:81\"]"));
    ASSERT_TRUE(reaches(two, "good")) << project().dump(1);
    EXPECT_EQ(ports(), (std::set<int>{18101, 18102}));
    auto before = services();
    std::string bad = push(service(
        "a", "app:1",
        first + "[\"18101:80\", \"18103:81\"]\n    healthcheck: {test: \"false\", interval: 100ms, retries: 1}"));
    ASSERT_TRUE(reaches(bad, "rolled_back")) << project().dump(1);
    EXPECT_EQ(services(), before);
    EXPECT_EQ(ports(), (std::set<int>{18101, 18102}));
    std::string fewer = push(service("a", "app:1", first + "[\"18102:81\"]"));
    ASSERT_TRUE(reaches(fewer, "good")) << project().dump(1);
    EXPECT_EQ(ports(), (std::set<int>{18102}));
}

TEST_F(Agent, APruneSparesWhatARolloutMayGoBackTo) {
    std::string one = push(service("a", "app:1"));
    ASSERT_TRUE(reaches(one, "good")) << project().dump(1);
    auto before = services();
    std::string two = push(service("a", "app:2", "healthcheck: {test: \"true\", interval: 1h}"));
    ASSERT_TRUE(reaches(two, "soaking")) << project().dump(1);
    json made = json::parse(call("POST", "/containers/create?name=mine", R"({"Image": "app:1"})").body);
    EXPECT_EQ(json::parse(call("POST", "/containers/prune").body).at("ContainersDeleted"),
              json::array({made.at("Id")}));
    std::string back = push(service("a", "app:1"));
    ASSERT_TRUE(reaches(back, "good")) << project().dump(1);
    EXPECT_EQ(services(), before) << "the very container of before";
}

TEST_F(Agent, AMissingBranchAndAVanishedRepositoryAreToldAndWhatRanGoesOn) {
    std::string good = push(service("a", "app:1"));
    ASSERT_TRUE(reaches(good, "good"));
    auto before = services();
    std::filesystem::rename(folder + "/fleet.git", folder + "/away.git");
    wake();
    EXPECT_TRUE(until([&] { return source_error().find("fleet.git") != std::string::npos; }))
        << get("/kedge/v1/sources").dump(1);
    EXPECT_EQ(services(), before);
    std::filesystem::rename(folder + "/away.git", folder + "/fleet.git");
    stop();
    source += "\n    branch: missing";
    ASSERT_TRUE(start());
    EXPECT_TRUE(until([&] { return source_error().find("no branch missing") != std::string::npos; }))
        << get("/kedge/v1/sources").dump(1);
    EXPECT_EQ(services(), before);
}

TEST_F(Agent, AUrlWithAPasswordIsRefusedWithoutShowingIt) {
    for (const char* url : {"https://device:hunter2@git.example.org/x.git", "https://hunter2@git.example.org/x.git",
                            "ssh://git:hunter2@git.example.org/x.git"}) {
        std::string config = folder + "/refused.yaml";
        write_file_durably(AT_FDCWD, config,
                           "root: " + folder + "/other\nrun: " + folder +
                               "/other-run\nsources: [{name: fleet, url: \"" + url + "\"}]\n");
        Finished refused = run({KEDGE_BUILD "/bin/kedged", "--config", config});
        EXPECT_NE(refused.code, 0) << url;
        EXPECT_NE(refused.out.find("url"), std::string::npos) << refused.out;
        EXPECT_EQ(refused.out.find("hunter2"), std::string::npos) << refused.out;
    }
}

TEST_F(Agent, TheIpv6OfTheNetworkBridgeIsConfigured) {
    auto check = [&](const std::string& networks) {
        const std::string config = folder + "/checked.yaml";
        write_file_durably(AT_FDCWD, config, "networks: {" + networks + "}\n");
        return run({KEDGE_BUILD "/bin/kedged", "--config", config, "--check-config"});
    };
    EXPECT_EQ(check("ipv6: true").code, 0);
    EXPECT_EQ(check("ipv6: true, fixed_cidr_v6: 'fd00:1::/64'").code, 0);
    EXPECT_EQ(check("ipv6: false").code, 0);
    for (const char* bad : {"10.0.0.0/24", "fd00:1::", "fd00:1::/129", "fd00:1::/x", "fd00:1::/-1", "fd00:g::/64"}) {
        Finished refused = check("ipv6: true, fixed_cidr_v6: '" + std::string(bad) + "'");
        EXPECT_NE(refused.code, 0) << bad;
        EXPECT_NE(refused.out.find("fixed_cidr_v6: \"" + std::string(bad) + "\" is not an IPv6 subnet"),
                  std::string::npos)
            << refused.out;
    }
    Finished alone = check("fixed_cidr_v6: 'fd00:1::/64'");
    EXPECT_NE(alone.out.find("needs ipv6: true"), std::string::npos) << alone.out;

    more_config = "networks: {ipv6: true, fixed_cidr_v6: 'fd00:1::/64'}\n";
    stop();
    ASSERT_TRUE(start());
    const json bridge = json::parse(call("GET", "/networks/bridge").body);
    EXPECT_EQ(bridge["EnableIPv6"], true);
    EXPECT_EQ(bridge["IPAM"]["Config"][1]["Subnet"], "fd00:1::/64");
}

TEST_F(Agent, ASecondAgentOnTheSameRootIsRefused) {
    Finished second = run({KEDGE_BUILD "/bin/kedged", "--config", folder + "/agent.yaml"});
    EXPECT_NE(second.code, 0);
    EXPECT_NE(second.out.find(folder + "/root"), std::string::npos) << second.out;
    EXPECT_EQ(call("GET", "/_ping").status, 200);
}

TEST_F(Agent, AProjectOfTheSameConfigurationIsAdoptedAfterTheReleasesWereLost) {
    std::string good = push(service("a", "app:1"));
    ASSERT_TRUE(reaches(good, "good"));
    auto before = services();
    stop();
    {
        Database database(folder + "/root/kedge.db");
        database.transaction(Database::Durability::power, [](SQLite::Database& db) {
            for (const char* table : {"project", "release", "quarantine", "retired", "stopped"})
                db.exec(std::string("DELETE FROM reconciler_") + table);
        });
    }
    ASSERT_TRUE(start());
    ASSERT_TRUE(reaches(good, "good")) << project().dump(1);
    EXPECT_EQ(services(), before);
}

TEST_F(Agent, DriftIsRevertedAndAHeldProjectIsLeftAlone) {
    std::string good = push(service("a", "app:1"));
    ASSERT_TRUE(reaches(good, "good"));
    auto before = services();
    EXPECT_EQ(post("/containers/" + before.at("a") + "/stop?t=1").status, 204);
    EXPECT_TRUE(until([&] { return services() == before; })) << "the stopped container is started again";
    EXPECT_EQ(post("/kedge/v1/projects/demo/hold", {{"reason", "test"}}).status / 100, 2);
    EXPECT_EQ(post("/containers/" + before.at("a") + "/stop?t=1").status, 204);
    std::string next = push(service("a", "app:2"));
    wake();
    EXPECT_TRUE(until([&] { return project().value("commit", "") == next; })) << project().dump(1);
    EXPECT_TRUE(services().empty());
    EXPECT_EQ(post("/kedge/v1/projects/demo/resume").status / 100, 2);
    EXPECT_TRUE(reaches(next, "good")) << project().dump(1);
    EXPECT_EQ(images().at("a"), "app:2");
}

TEST_F(Agent, AWebhookWakesThePollAndAForgedOneDoesNot) {
    stop();
    write_file_durably(AT_FDCWD, folder + "/secret", "correct horse", 0600);
    uint16_t port = free_port();
    more_config = "webhook: {listen: \"127.0.0.1:" + std::to_string(port) + "\", secret_file: " + folder + "/secret}\n";
    std::string first = push(service("a", "app:1"));
    ASSERT_TRUE(start());
    ASSERT_TRUE(reaches(first, "good"));
    std::string next = push(service("a", "app:2"));
    std::string body =
        json{{"ref", "refs/heads/main"}, {"repository", {{"clone_url", "file://" + folder + "/fleet.git"}}}}.dump();
    unsigned char mac[32];
    unsigned size = 0;
    ::HMAC(EVP_sha256(), "correct horse", 13, reinterpret_cast<const unsigned char*>(body.data()), body.size(), mac,
           &size);
    std::string hex;
    for (unsigned char byte : mac) hex += fmt::format("{:02x}", byte);
    auto deliver = [&](const std::string& signature) {
        httplib::Client client("127.0.0.1", port);
        auto result =
            client.Post("/webhook", {{"X-GitHub-Event", "push"}, {"X-Hub-Signature-256", "sha256=" + signature}}, body,
                        "application/json");
        return result ? result->status : 0;
    };
    std::string forged = hex;
    forged[0] = forged[0] == '0' ? '1' : '0';
    EXPECT_EQ(deliver(forged), 401);
    EXPECT_EQ(state_of(next), "");
    EXPECT_EQ(deliver(hex), 202);
    EXPECT_TRUE(until([&] { return state_of(next) == "good"; })) << project().dump(1);
}

TEST_F(Agent, ARepositoryOverHttpIsFollowed) {
    stop();
    GitHttpServer server(folder);
    source = "url: http://127.0.0.1:" + std::to_string(server.port()) + "/fleet.git";
    std::string commit = push(service("a", "app:1"));
    ASSERT_TRUE(start());
    EXPECT_TRUE(reaches(commit, "good")) << project().dump(1);
}

}  // namespace kedge::test

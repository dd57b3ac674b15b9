#include "tests/runtime/engine_fixture.h"

#include <nftables/libnftables.h>

#include <set>

using namespace kedge;
using namespace kedge::runtime;

namespace {

struct Many : test::EngineFixture {
    /// All that nftables knows in this network namespace.
    static std::string rules() {
        std::unique_ptr<nft_ctx, void (*)(nft_ctx*)> context(::nft_ctx_new(NFT_CTX_DEFAULT), ::nft_ctx_free);
        (void)::nft_ctx_buffer_output(context.get());
        if (::nft_run_cmd_from_buffer(context.get(), "list ruleset") != 0) return "nft failed";
        return ::nft_ctx_get_output_buffer(context.get());
    }
    static size_t open_files() { return entries("/proc/self/fd").size(); }
    /// What follows a removal on other threads is over once each of them has had a turn: a further container's life.
    void wait_until_quiet() { containers().remove(run(shell("sleep 1000")), {.force = true}); }
    std::vector<std::string> temporary() const {
        std::vector<std::string> found;
        for (const std::string& name : entries(options.root)) {
            if (name.find("tmp") != std::string::npos || name.find(".new") != std::string::npos) found.push_back(name);
        }
        return found;
    }
    ContainerSpec busy(int i) {
        ContainerSpec spec = shell("echo ready > /data/file; trap 'exit 0' TERM; while :; do sleep 0.05; done",
                                   "many" + std::to_string(i));
        spec.networks = {on("front", {"service"})};
        PortBinding port;
        port.container_port = 80;
        spec.ports = {port};
        spec.mounts = {volume("", "/data"), volume("shared", "/shared")};
        spec.resources.memory = 64 << 20;
        return spec;
    }
    void from_four_threads(int count, const std::function<void(int)>& step) {
        std::atomic<int> next{0};
        std::vector<std::jthread> workers;
        for (int t = 0; t < 4; ++t) {
            workers.emplace_back([&] {
                for (int i = next++; i < count; i = next++) {
                    try {
                        step(i);
                    } catch (const Error& e) {
                        ADD_FAILURE() << i << ": " << e.what();
                    }
                }
            });
        }
    }
};

}  // namespace

TEST_F(Many, ThirtyContainersAtOnceAllRunAndLeaveNothing) {
    make_network("front");
    containers().remove(run(busy(1000)), {.force = true, .volumes = true});  // what is made once and kept is there
    wait_until_quiet();
    std::string rules_before = rules();
    std::string mounts_before = read_file_at(AT_FDCWD, "/proc/self/mountinfo");
    size_t files_before = open_files();
    from_four_threads(30, [&](int i) { (void)run(busy(i)); });
    std::set<std::string> addresses;
    std::set<uint16_t> ports;
    for (const auto& info : containers().list()) {
        EXPECT_EQ(info.status, Status::running) << info.name;
        addresses.insert(info.endpoints.at(0).ip);
        ports.insert(info.ports.at(0).host_port);
    }
    EXPECT_EQ(addresses.size(), 30u);
    EXPECT_EQ(ports.size(), 30u);
    EXPECT_EQ(children().size(), 30u) << "one shim each";
    EXPECT_EQ(read_file_at(AT_FDCWD, "/proc/self/mountinfo"), mounts_before) << "a container's mounts are its own";
    from_four_threads(30, [&](int i) {
        std::string name = "many" + std::to_string(i);
        if (i % 3 == 0) containers().stop(name);
        containers().remove(name, {.force = true, .volumes = true});
    });
    EXPECT_TRUE(containers().list().empty());
    EXPECT_EQ(engine->volumes().list().size(), 1u) << "the named one";
    EXPECT_EQ(rules(), rules_before);
    EXPECT_TRUE(temporary().empty());
    wait_until_quiet();
    EXPECT_EQ(open_files(), files_before);
    EXPECT_TRUE(children().empty());
}

TEST_F(Many, FailedStartsTellTheirCauseAndLeaveNothingEither) {
    make_network("front");
    containers().remove(run(busy(1000)), {.force = true, .volumes = true});
    wait_until_quiet();
    std::string rules_before = rules();
    size_t files_before = open_files();
    from_four_threads(24, [&](int i) {
        ContainerSpec spec = busy(i);
        if (i % 3 == 0) spec.command = std::vector<std::string>{"nosuch"};
        if (i % 3 == 1) spec.user = "nosuch";
        if (i % 3 == 2) spec.working_dir = "/etc/passwd";
        std::string id = containers().create(spec);
        const char* causes[] = {"executable file not found in $PATH", "unable to find user", "chdir to cwd"};
        std::string what = refusal([&] { containers().start(id); });
        EXPECT_NE(what.find(causes[i % 3]), std::string::npos) << what;
        containers().remove(id, {.volumes = true});
    });
    EXPECT_EQ(rules(), rules_before);
    wait_until_quiet();
    EXPECT_EQ(open_files(), files_before);
    EXPECT_TRUE(entries(options.run + "/containers").empty());
    EXPECT_TRUE(engine->networks().inspect("front").containers.empty());
}

TEST_F(Many, StartsStopsAndRemovalsOfTheSameContainersFromAllSidesEndWell) {
    for (int round = 0; round < 5; ++round) {
        std::string id = containers().create(shell("trap 'exit 0' TERM; while :; do sleep 0.02; done"));
        from_four_threads(12, [&](int i) {
            try {
                if (i == 11)
                    containers().remove(id, {.force = true});
                else if (i % 3 == 0)
                    containers().start(id);
                else if (i % 3 == 1)
                    containers().stop(id, 0);
                else
                    (void)containers().exec(id, command({"true"}), std::chrono::seconds(10), 100);
            } catch (const Error& e) {
                bool fine = e.code() == Code::not_modified || e.code() == Code::conflict || e.code() == Code::not_found;
                EXPECT_TRUE(fine) << e.what();
            }
        });
        EXPECT_EQ(code_of([&] { containers().inspect(id); }), Code::not_found);
    }
}

#include "controller_fixture.h"

#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <csignal>

using namespace kedge;
using namespace kedge::reconciler;
using kedge::test::ControllerFixture;

namespace {

constexpr const char* kFolder = "KEDGE_TEST_FOLDER";
constexpr const char* kInstance = "KEDGE_TEST_INSTANCE";

std::string two_services(const std::string& web_script, const std::string& more) {
    return "name: shop\nservices:\n"
           "  db: {image: busybox, command: [sleep, \"1000\"], stop_grace_period: 0s, restart: always}\n"
           "  web:\n    image: busybox\n    stop_grace_period: 0s\n    depends_on: [db]\n    command: [\"sh\", \"-c\", "
           "\"" +
           web_script + "\"]\n    deploy: {update_config: {order: start-first}}\n    ports: [\"8080:80\"]\n" + more;
}

}  // namespace

/// Runs as a process of its own, which a fault point ends.
TEST(CrashChild, DISABLED_SyncsUntilItDies) {
    runtime::EngineOptions options;
    std::string folder = std::getenv(kFolder);
    options.root = folder + "/root";
    options.run = folder + "/run";
    options.instance = std::getenv(kInstance);
    options.shim = KEDGE_BUILD "/bin/kedge-shim";
    options.address_pools = {"172.28.0.0/16"};
    Database database(options.root + "/kedge.db");
    runtime::Engine engine(options, database);
    ControllerOptions controller_options;
    controller_options.root = options.root;
    SourceConfig source;
    source.git.name = "fleet";
    source.git.url = "file://" + folder + "/repository.git";
    source.poll = std::chrono::hours(1);
    source.policy.monitor = std::chrono::milliseconds(300);
    controller_options.sources = {source};
    Controller controller(controller_options, engine, database);
    (void)controller.sync("shop", {}, {});
}

class CrashTest : public ControllerFixture {
public:
    /// True if the child was killed by the fault point.
    bool die_at(const std::string& point) {
        controller.reset();
        close_engine();
        std::vector<std::string> environment = {"KEDGE_FAULT=" + point, std::string(kFolder) + "=" + folder,
                                                std::string(kInstance) + "=" + instance, "PATH=/usr/bin:/bin"};
        std::vector<std::string> arguments = {"test_reconciler", "--gtest_filter=CrashChild.*",
                                              "--gtest_also_run_disabled_tests"};
        std::vector<char*> envp, argv;
        for (auto& text : environment) envp.push_back(text.data());
        for (auto& text : arguments) argv.push_back(text.data());
        envp.push_back(nullptr);
        argv.push_back(nullptr);
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
        ::posix_spawn_file_actions_addopen(&actions, 2, (folder + "/child.log").c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                           0600);
        pid_t child = 0;
        int error = ::posix_spawn(&child, "/proc/self/exe", &actions, nullptr, argv.data(), envp.data());
        ::posix_spawn_file_actions_destroy(&actions);
        if (error != 0) throw errno_error("spawn", error);
        int status = 0;
        (void)::waitpid(child, &status, 0);
        open_engine();
        return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    }

    /// Kills a container's first process and its shim, which finds no time to write anything down.
    static void end_with_its_shim(int pid) {
        std::string status = read_file_at(AT_FDCWD, "/proc/" + std::to_string(pid) + "/status");
        int shim = std::stoi(status.substr(status.find("PPid:") + 5));
        Fd ended(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
        ASSERT_EQ(::kill(shim, SIGKILL), 0);
        (void)::kill(pid, SIGKILL);  // it may have died with its shim
        pollfd poll{ended.get(), POLLIN, 0};
        ASSERT_EQ(::poll(&poll, 1, 10000), 1);
    }

    std::map<std::string, std::string> running() {
        std::map<std::string, std::string> result;
        for (const auto& info : containers().list())
            result[info.name] = info.id.substr(0, 12) + " " + std::string(to_string(info.status));
        return result;
    }
    /// Over both families.
    bool is_published(const std::string& name) { return containers().inspect(name).ports.size() == 2; }
    std::string child_log() { return read_file_at(AT_FDCWD, folder + "/child.log"); }
};

TEST_F(CrashTest, AReleaseThatIsCutOffAnywhereIsFinished) {
    settings.policy.monitor = std::chrono::milliseconds(300);
    int version = 1;
    ASSERT_EQ(push(two_services("sleep 1001", "")).state, ReleaseState::good) << told();
    std::string db = id_of("shop-db-1");
    for (const std::string point : {"release.before_record",
                                    "release.after_record",
                                    "release.fetched.before_commit",
                                    "release.fetched.after_commit",
                                    "apply.step.before:1",
                                    "apply.step.after:1",
                                    "apply.step.after:2",
                                    "apply.step.after:3",
                                    "apply.step.after:4",
                                    "apply.step.after:5",
                                    "apply.step.after:6",
                                    "release.soaking.after_commit",
                                    "release.good.before_commit",
                                    "release.good.after_commit",
                                    "container.create.before_record",
                                    "container.create.after_record",
                                    "container.start.after_spawn",
                                    "container.start.after_record",
                                    "ports.move.before",
                                    "ports.move.after"}) {
        SCOPED_TRACE(point);
        std::string script = "sleep " + std::to_string(1001 + ++version);
        repository->commit({{"compose.yaml", two_services(script, "")}});
        EXPECT_TRUE(die_at(point)) << child_log();
        Release release = sync();
        EXPECT_EQ(release.state, ReleaseState::good) << release.error << "\n" << told();
        ASSERT_TRUE(wait_for([&] { return running().size() == 2; })) << testing::PrintToString(running());
        EXPECT_EQ(containers().inspect("shop-web-1").spec.command->back(), script);
        EXPECT_EQ(containers().inspect("shop-web-1").status, runtime::Status::running);
        EXPECT_TRUE(is_published("shop-web-1"));
        EXPECT_EQ(id_of("shop-db-1"), db);
        ASSERT_TRUE(wait_for([&] { return controller->diff("shop", false).plan.empty(); }));
        if (HasFailure()) break;
    }
}

TEST_F(CrashTest, AFailingReleaseThatIsCutOffAnywhereEndsWithTheSameContainersRunning) {
    settings.policy.monitor = std::chrono::milliseconds(300);
    int version = 1;
    ASSERT_EQ(push(two_services("sleep 1001", "")).state, ReleaseState::good) << told();
    auto before = running();
    for (const std::string point :
         {"apply.step.after:1", "apply.step.after:3", "apply.step.after:5", "release.soaking.after_commit",
          "rollback.before_record", "rollback.after_record", "rollback.step.before:1", "rollback.step.after:1",
          "rollback.step.after:2", "rollback.step.after:3", "rollback.step.after:4", "rollback.done.before_commit",
          "rollback.done.after_commit", "container.remove.before_record", "container.remove.after_record"}) {
        SCOPED_TRACE(point);
        // It runs well for a moment, so that it takes over before it fails.
        std::string bad = two_services("sleep 0.15; exit " + std::to_string(++version),
                                       "  new: {image: busybox, command: [sleep, \"5\"], stop_grace_period: 0s}\n");
        commit = repository->commit({{"compose.yaml", bad}});
        EXPECT_TRUE(die_at(point)) << child_log();
        Release release = sync();
        EXPECT_EQ(release.state, ReleaseState::rolled_back) << release.error << "\n" << told();
        ASSERT_TRUE(wait_for([&] { return running() == before; }))
            << testing::PrintToString(before) << testing::PrintToString(running()) << told();
        EXPECT_TRUE(is_published("shop-web-1"));
        ProjectStatus status = controller->status("shop");
        EXPECT_NE(std::find(status.quarantined.begin(), status.quarantined.end(), commit), status.quarantined.end());
        if (HasFailure()) break;
    }
}

TEST_F(CrashTest, APowerCutWhileAReleaseSoaksIsNotItsFault) {
    settings.policy.monitor = std::chrono::hours(1);
    commit = repository->commit(
        {{"compose.yaml", two_services("sleep 1001", "")}});  // one restarts by its policy, one does not
    open_controller();
    ASSERT_TRUE(wait_for_project("shop"));
    ASSERT_TRUE(wait_for([&] {
        auto history = controller->history("shop");
        return !history.empty() && history.front().state == ReleaseState::soaking;
    }));
    std::vector<int> pids;
    for (const auto& info : containers().list()) pids.push_back(info.pid);
    ASSERT_EQ(pids.size(), 2u);
    controller.reset();
    close_engine();
    for (int pid : pids) end_with_its_shim(pid);

    settings.policy.monitor = std::chrono::milliseconds(300);
    open_engine();
    Release release = sync();
    EXPECT_EQ(release.state, ReleaseState::good) << release.error << "\n" << told();
    EXPECT_EQ(release.number, 1);
    EXPECT_EQ(containers().inspect("shop-web-1").status, runtime::Status::running);
    EXPECT_EQ(containers().inspect("shop-db-1").status, runtime::Status::running);
}

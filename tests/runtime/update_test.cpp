#include "tests/runtime/engine_fixture.h"

using namespace kedge;
using namespace kedge::runtime;

namespace {

struct Update : test::EngineFixture {
    std::string sleeping(const std::string& name, Resources resources = {}) {
        ContainerSpec spec = shell("trap 'exit 0' TERM; while :; do sleep 0.02; done", name);
        spec.resources = resources;
        return run(spec);
    }
    /// A file of the container's groups, by its name on cgroup v1 or v2.
    std::string limit(const std::string& id, const std::string& v1, const std::string& v2) {
        for (const std::string& root : group_roots(instance)) {
            for (const std::string& file : {v1, v2}) {
                std::string path = root + "/" + id + "/" + file;
                if (::access(path.c_str(), F_OK) != 0) continue;
                std::string text = read_file_at(AT_FDCWD, path);
                return text.substr(0, text.find('\n'));
            }
        }
        return "no file";
    }
    static ContainerUpdate memory(int64_t mebibytes, int64_t swap = 0) {
        ContainerUpdate update;
        update.resources.memory = mebibytes << 20;
        update.resources.memory_swap = swap << 20;
        return update;
    }
    std::vector<std::string> update(const std::string& id, const std::function<void(ContainerUpdate&)>& edit) {
        ContainerUpdate wish;
        edit(wish);
        return containers().update(id, wish);
    }
    std::string wrong(const std::string& id, const std::function<void(ContainerUpdate&)>& edit, Code expected) {
        Code code = Code::internal;
        std::string text = refusal([&] { (void)update(id, edit); }, &code);
        EXPECT_EQ(to_string(code), to_string(expected)) << text;
        return text;
    }
};

}  // namespace

TEST_F(Update, ChangesTheLimitsOfARunningContainerAndWhatIsWrittenDown) {
    std::string id = sleeping("web");
    uint64_t from = engine->events().next();
    auto warnings = update(id, [](ContainerUpdate& u) {
        u.resources.memory = 64 << 20;
        u.resources.nano_cpus = 500'000'000;
        u.resources.cpuset_cpus = "0";
        u.pids_limit = 33;
    });
    EXPECT_EQ(warnings, std::vector<std::string>());
    EXPECT_EQ(limit(id, "memory.limit_in_bytes", "memory.max"), std::to_string(64 << 20));
    EXPECT_EQ(limit(id, "cpuset.cpus", "cpuset.cpus"), "0");
    EXPECT_EQ(limit(id, "pids.max", "pids.max"), "33");
    std::string quota = limit(id, "cpu.cfs_quota_us", "cpu.max");
    EXPECT_TRUE(quota == "50000" || quota == "50000 100000") << quota;
    std::vector<std::string> actions;
    (void)engine->events().read(
        from, [&](const Event& event) { actions.push_back(event.action); }, {}, std::chrono::steady_clock::now());
    EXPECT_EQ(actions, std::vector<std::string>{"update"});
    close_engine();
    open_engine();
    const Resources kept = containers().inspect(id).spec.resources;
    EXPECT_EQ(kept.memory, 64 << 20);
    EXPECT_EQ(kept.nano_cpus, 500'000'000);
    EXPECT_EQ(kept.cpuset_cpus, "0");
    EXPECT_EQ(kept.pids_limit, 33);
    containers().restart(id, 1);
    EXPECT_EQ(limit(id, "pids.max", "pids.max"), "33") << "also of the next run";
    (void)update(id, [](ContainerUpdate& u) { u.pids_limit = -1; });
    EXPECT_EQ(limit(id, "pids.max", "pids.max"), "max");
    EXPECT_EQ(limit(id, "memory.limit_in_bytes", "memory.max"), std::to_string(64 << 20)) << "what isn't named stays";
}

TEST_F(Update, OfWhatDoesNotRunIsForItsNextRun) {
    std::string id = containers().create(shell("sleep 1000", "later"));
    (void)update(id, [](ContainerUpdate& u) { u.pids_limit = 44; });
    containers().start(id);
    EXPECT_EQ(limit(id, "pids.max", "pids.max"), "44");
}

TEST_F(Update, OfAPausedContainerIsInForceAtOnce) {
    std::string id = sleeping("web");
    containers().pause(id);
    (void)update(id, [](ContainerUpdate& u) { u.pids_limit = 44; });
    EXPECT_EQ(limit(id, "pids.max", "pids.max"), "44");
    EXPECT_EQ(containers().inspect(id).status, Status::paused);
}

TEST_F(Update, OfMemoryKeepsTheLimitOfBothAsDockerDoes) {
    std::string id = sleeping("web");
    (void)containers().update(id, memory(64));
    EXPECT_EQ(containers().inspect(id).spec.resources.memory_swap, 0) << "twice the memory";
    (void)containers().update(id, memory(100));
    EXPECT_EQ(containers().inspect(id).spec.resources.memory_swap, 128 << 20) << "stays";
    Code code = Code::internal;
    EXPECT_EQ(refusal([&] { (void)containers().update(id, memory(256)); }, &code),
              "Cannot update container " + id +
                  ": Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the "
                  "same time");
    EXPECT_EQ(code, Code::conflict);
    (void)containers().update(id, memory(256, 256));
    EXPECT_EQ(limit(id, "memory.limit_in_bytes", "memory.max"), std::to_string(256 << 20));
    (void)update(id, [](ContainerUpdate& u) { u.resources.memory_swap = -1; });
    (void)containers().update(id, memory(512));
    EXPECT_EQ(containers().inspect(id).spec.resources.memory_swap, -1);
}

TEST_F(Update, IsRefusedInDockersWordsAndChangesNothing) {
    Resources first;
    first.memory = 64 << 20;
    first.nano_cpus = 500'000'000;
    std::string id = sleeping("web", first);
    const ContainerSpec before = containers().inspect(id).spec;
    const std::string context = "Cannot update container " + id + ": ";
    EXPECT_EQ(wrong(
                  id, [](auto& u) { u.resources.memory = 1 << 20; }, Code::invalid_argument),
              "Minimum memory limit allowed is 6MB");
    EXPECT_EQ(wrong(
                  id, [](auto& u) { u.resources.memory_swap = 32 << 20; }, Code::invalid_argument),
              context + "Minimum memoryswap limit should be larger than memory limit, see usage");
    EXPECT_EQ(wrong(
                  id, [](auto& u) { u.resources.memory_reservation = 1 << 20; }, Code::invalid_argument),
              "Minimum memory reservation allowed is 6MB");
    EXPECT_EQ(wrong(
                  id, [](auto& u) { u.resources.memory_reservation = 128 << 20; }, Code::invalid_argument),
              context + "Minimum memory limit can not be less than memory reservation limit, see usage");
    EXPECT_EQ(wrong(
                  id, [](auto& u) { u.resources.cpu_quota = 5000; }, Code::conflict),
              context + "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set");
    EXPECT_EQ(wrong(
                  id, [](auto& u) { u.resources.cpu_period = 5000; }, Code::conflict),
              context + "Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set");
    EXPECT_EQ(wrong(
                  id, [](auto& u) { u.resources.cpu_period = 5; }, Code::invalid_argument),
              "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
    EXPECT_EQ(wrong(
                  id, [](auto& u) { u.resources.cpu_quota = 5; }, Code::invalid_argument),
              "CPU cfs quota can not be less than 1ms (i.e. 1000)");
    EXPECT_NE(wrong(
                  id, [](auto& u) { u.resources.nano_cpus = 9'000'000'000'000; }, Code::invalid_argument)
                  .find("range of CPUs is from 0.01 to "),
              std::string::npos);
    EXPECT_NE(wrong(
                  id, [](auto& u) { u.resources.cpuset_cpus = "4000"; }, Code::invalid_argument)
                  .find("Requested CPUs are not available - requested 4000, available: "),
              std::string::npos);
    for (const char* bad : {"x", "1-", "-1", "2-1", "0,,1", "99999999999", "0-8000,x"}) {
        EXPECT_EQ(wrong(
                      id, [&](auto& u) { u.resources.cpuset_cpus = bad; }, Code::invalid_argument),
                  std::string("Invalid value ") + bad + " for cpuset cpus: invalid format: " + bad);
    }
    EXPECT_NE(wrong(
                  id, [](auto& u) { u.resources.cpuset_mems = "4000"; }, Code::invalid_argument)
                  .find("Requested memory nodes are not available"),
              std::string::npos);
    for (int64_t weight : {5, 1001, -1}) {
        EXPECT_EQ(wrong(
                      id, [&](auto& u) { u.resources.blkio_weight = weight; }, Code::invalid_argument),
                  "Range of blkio weight is from 10 to 1000");
    }
    EXPECT_EQ(wrong(
                  id,
                  [](auto& u) {
                      u.restart = RestartPolicy{RestartPolicy::Name::always, 3};
                  },
                  Code::invalid_argument),
              "invalid restart policy: maximum retry count can only be used with 'on-failure'");
    EXPECT_EQ(wrong(
                  "nosuch", [](auto& u) { u.pids_limit = 3; }, Code::not_found),
              "No such container: nosuch");
    EXPECT_EQ(containers().inspect(id).spec, before);
    EXPECT_EQ(limit(id, "memory.limit_in_bytes", "memory.max"), std::to_string(64 << 20));
}

TEST_F(Update, OfTheRestartPolicyDecidesAtTheNextEnd) {
    std::string id = run(shell("while [ ! -e /go ]; do sleep 0.02; done; exit 3", "job"));
    (void)update(id, [](ContainerUpdate& u) { u.restart = RestartPolicy{RestartPolicy::Name::on_failure, 2}; });
    EXPECT_EQ(containers().inspect(id).spec.restart, (RestartPolicy{RestartPolicy::Name::on_failure, 2}));
    EXPECT_EQ(exec(id, "touch /go").exit_code, 0);
    EXPECT_EQ(containers().wait(id), 3);
    EXPECT_EQ(containers().inspect(id).restart_count, 2);
    ContainerSpec spec = shell("trap 'exit 0' TERM; while :; do sleep 0.02; done", "once");
    spec.auto_remove = true;
    std::string once = run(spec);
    EXPECT_EQ(wrong(
                  once,
                  [](auto& u) {
                      u.restart = RestartPolicy{RestartPolicy::Name::always, 0};
                  },
                  Code::conflict),
              "Cannot update container " + once +
                  ": Restart policy cannot be updated because AutoRemove is enabled for the container");
    (void)update(once, [](ContainerUpdate& u) { u.restart = RestartPolicy{}; });
}

TEST_F(Update, ThatIsExactTakesLimitsAway) {
    Resources first;
    first.memory = 64 << 20;
    first.pids_limit = 20;
    std::string id = sleeping("web", first);
    ContainerUpdate wish;
    wish.exact = true;
    wish.resources.pids_limit = 30;
    (void)containers().update(id, wish);
    EXPECT_EQ(limit(id, "pids.max", "pids.max"), "30");
    std::string memory = limit(id, "memory.limit_in_bytes", "memory.max");
    EXPECT_TRUE(memory == "max" || memory == "9223372036854771712") << memory;
    EXPECT_EQ(containers().inspect(id).spec.resources, wish.resources);
}

TEST_F(Update, LimitsOfACreatedContainerAreInForce) {
    Resources all;
    all.cpu_period = 20000;
    all.cpu_quota = 5000;
    all.cpuset_mems = "0";
    all.blkio_weight = 300;
    std::string id = sleeping("web", all);
    std::string quota = limit(id, "cpu.cfs_quota_us", "cpu.max");
    EXPECT_TRUE(quota == "5000" || quota == "5000 20000") << quota;
    EXPECT_EQ(limit(id, "cpuset.mems", "cpuset.mems"), "0");
    std::string weight = limit(id, "blkio.bfq.weight", "io.bfq.weight");
    if (weight == "no file") weight = limit(id, "blkio.weight", "io.weight");
    const auto warnings = containers().inspect(id).warnings;
    EXPECT_TRUE(weight == "300" || weight == "default 300" || weight == "default 2930" || weight == "no file")
        << weight;
    EXPECT_EQ(weight == "no file", !warnings.empty()) << "what can't be in force is said";
}

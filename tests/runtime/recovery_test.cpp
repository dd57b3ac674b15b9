#include "tests/runtime/engine_fixture.h"

#include <poll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

using namespace kedge;
using namespace kedge::runtime;

namespace {

constexpr const char* kTicking = "trap 'exit 7' TERM; i=0; while :; do echo $i; i=$((i+1)); sleep 0.02; done";

struct Recovery : test::EngineFixture {
    /// An agent in a process of its own, on this test's root, does `work` and is killed where it stands.
    void killed_agent(const std::function<void()>& work) {
        close_engine();  // no thread of it is left: a fork is safe
        int ends[2];
        ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
        Fd done(ends[0]), tell(ends[1]);
        pid_t agent = ::fork();
        if (agent == 0) {
            char word = 'y';
            try {
                open_engine();
                work();
            } catch (const Error& e) {
                std::fprintf(stderr, "agent: %s\n", e.what());
                word = 'n';
            }
            (void)!::write(tell.get(), &word, 1);
            while (true) ::pause();
        }
        tell.reset();
        char word = 0;
        EXPECT_EQ(::read(done.get(), &word, 1), 1);
        EXPECT_EQ(word, 'y');
        EXPECT_EQ(::kill(agent, SIGKILL), 0);
        EXPECT_EQ(::waitpid(agent, nullptr, 0), agent);
    }

    /// Pid of the container's shim, as it wrote it down.
    int shim_of(const std::string& id) const {
        std::istringstream text(read_file_at(AT_FDCWD, options.run + "/containers/" + id + "/pid"));
        std::string word;
        int pid = 0;
        text >> word >> pid;
        return word == "shim" ? pid : 0;
    }

    /// Kills a process and waits until it is gone.
    static void end(int pid) {
        Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
        ASSERT_TRUE(pidfd);
        ASSERT_EQ(::kill(pid, SIGKILL), 0);
        pollfd poll{pidfd.get(), POLLIN, 0};
        ASSERT_EQ(::poll(&poll, 1, 10000), 1);
    }

    /// What is left of everything when the machine has lost its power: the disk.
    void reboot() {
        std::vector<std::pair<std::string, int>> pids;
        for (const auto& info : containers().list()) {
            if (info.pid > 0) pids.emplace_back(info.id, info.pid);
        }
        close_engine();
        for (const auto& [id, pid] : pids) {
            end(shim_of(id));
            end(pid);
        }
        remove_tree(AT_FDCWD, options.run);
        open_engine();
    }

    /// Whether it runs no more; nobody may have reaped it yet.
    static bool ended(int pid) {
        try {
            std::string stat = read_file_at(AT_FDCWD, "/proc/" + std::to_string(pid) + "/stat");
            return stat[stat.rfind(')') + 2] == 'Z';
        } catch (const Error&) {
            return true;
        }
    }

    Status status(const std::string& name) { return containers().inspect(name).status; }
};

}  // namespace

TEST_F(Recovery, ASecondEngineOnTheSameRootIsRefused) {
    Database other(folder + "/other.db");
    Code code = Code::internal;
    std::string what = refusal([&] { Engine second(options, other); }, &code);
    EXPECT_EQ(code, Code::conflict);
    EXPECT_EQ(what, options.root + " is in use by another agent (pid " + std::to_string(::getpid()) + ")");
}

TEST_F(Recovery, TheLockOfAnAgentThatWasKilledIsWaitedForUntilItsLastChildLetsGo) {
    close_engine();
    pid_t dead = ::fork();
    if (dead == 0) ::_exit(0);
    ASSERT_EQ(::waitpid(dead, nullptr, 0), dead);
    std::string path = options.root + "/lock";
    std::ofstream(path) << dead << "\n";
    Fd held = open_at(AT_FDCWD, path, O_RDONLY);
    ASSERT_EQ(::flock(held.get(), LOCK_EX), 0);
    // It reads whose lock it is when it could not get it.
    Fd watch(::inotify_init1(IN_CLOEXEC));
    ASSERT_GE(::inotify_add_watch(watch.get(), path.c_str(), IN_ACCESS), 0);
    std::thread child([&] {
        pollfd poll{watch.get(), POLLIN, 0};
        (void)::poll(&poll, 1, 20000);
        held.reset();
    });
    EXPECT_NO_THROW(open_engine());
    child.join();
}

TEST_F(Recovery, ContainersGoOnWhileNoAgentRunsAndTheNextOneHasThem) {
    make_network("front");
    ContainerSpec spec = shell(kTicking, "ticker");
    spec.networks = {on("front")};
    PortBinding port;
    port.container_port = 80;
    port.host_port = 18081;
    spec.ports = {port};
    std::string id = run(spec);
    ASSERT_TRUE(wait_for_log(id, "1\n"));
    ContainerInfo before = containers().inspect(id);
    close_engine();
    open_engine();
    ContainerInfo after = containers().inspect("ticker");
    EXPECT_EQ(after.status, Status::running);
    EXPECT_EQ(after.pid, before.pid);
    EXPECT_EQ(after.started, before.started);
    EXPECT_EQ(after.endpoints.at(0).ip, before.endpoints.at(0).ip);
    EXPECT_EQ(after.ports, before.ports);
    EXPECT_EQ(exec(id, "exit 9").exit_code, 9);
    std::string text = log_of(id);
    std::string more = "\n" + std::to_string(std::count(text.begin(), text.end(), '\n') + 2) + "\n";
    EXPECT_TRUE(wait_for_log(id, more)) << "its log goes on";
    EXPECT_TRUE(log_of(id).starts_with("0\n1\n2\n")) << "and nothing of it is lost";
    containers().stop(id);
    EXPECT_EQ(containers().inspect(id).exit_code, 7);
}

TEST_F(Recovery, TheAddressOfWhatGoesOnIsNotGivenToAnother) {
    make_network("front");
    ContainerSpec spec = shell("sleep 1000");
    spec.networks = {on("front")};
    std::string first = run(spec);
    close_engine();
    open_engine();
    std::string second = run(spec);
    EXPECT_NE(containers().inspect(first).endpoints.at(0).ip, containers().inspect(second).endpoints.at(0).ip);
}

TEST_F(Recovery, WhatEndedWhileNoAgentRanIsKnown) {
    make_folders(AT_FDCWD, folder + "/go");
    ContainerSpec spec = shell("while ! test -e /go/now; do sleep 0.02; done; echo last words; exit 42", "quick");
    spec.mounts = {bind(folder + "/go", "/go")};
    std::string quick = run(spec);
    spec.name = "gone";
    spec.auto_remove = true;
    std::string gone = run(spec);
    std::vector<int> shims = {shim_of(quick), shim_of(gone)};
    close_engine();
    write_file_durably(AT_FDCWD, folder + "/go/now", "");
    for (int pid : shims) {
        Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
        pollfd poll{pidfd.get(), POLLIN, 0};
        ASSERT_EQ(::poll(&poll, 1, 10000), 1);
    }
    auto now = wall_now();
    open_engine();
    ContainerInfo info = containers().inspect("quick");
    EXPECT_EQ(info.status, Status::exited);
    EXPECT_EQ(info.exit_code, 42);
    EXPECT_LE(info.finished, now) << "when it ended, not when that was found out";
    EXPECT_EQ(log_of("quick"), "last words\n");
    EXPECT_TRUE(wait_until_gone(gone));
}

TEST_F(Recovery, AKilledAgentLosesNothing) {
    killed_agent([&] {
        (void)run(shell(kTicking, "goes-on"));
        (void)run_to_end(shell("echo done; exit 5", "done"));
        (void)containers().create(shell("exit 6", "never-ran"));
        ContainerSpec spec = shell("echo again; exit 1", "restarts");
        spec.restart.name = RestartPolicy::Name::always;
        (void)run(spec);
        spec.name = "stopped";
        (void)run(spec);
        containers().stop("stopped", 0);
        make_network("kept");
        VolumeSpec volume;
        volume.name = "kept";
        (void)engine->volumes().create(volume);
        if (!wait_for_log("goes-on", "3\n")) throw Error(Code::internal, "it does not tick");
    });
    open_engine();
    EXPECT_EQ(status("goes-on"), Status::running);
    EXPECT_TRUE(log_of("goes-on").starts_with("0\n1\n2\n3\n"));
    EXPECT_EQ(exec("goes-on", "exit 3").exit_code, 3);
    ContainerInfo done = containers().inspect("done");
    EXPECT_EQ(done.status, Status::exited);
    EXPECT_EQ(done.exit_code, 5);
    EXPECT_EQ(log_of("done"), "done\n");
    EXPECT_EQ(status("never-ran"), Status::created);
    EXPECT_EQ(status("stopped"), Status::exited);
    int count = containers().inspect("restarts").restart_count;
    EXPECT_TRUE(wait_until("restarts", [&](auto& i) { return i.restart_count > count; })) << "its policy is kept up";
    EXPECT_EQ(engine->networks().inspect("kept").spec.name, "kept");
    EXPECT_EQ(engine->volumes().inspect("kept").spec.name, "kept");
    containers().stop("goes-on");
    EXPECT_EQ(containers().inspect("goes-on").exit_code, 7);
}

TEST_F(Recovery, AnAgentThatIsKilledOverAndOverKeepsOneContainer) {
    std::string id;
    killed_agent([&] {
        make_network("front");
        ContainerSpec spec = shell(kTicking, "steady");
        spec.networks = {on("front")};
        (void)run(spec);
    });
    open_engine();
    ContainerInfo first = containers().inspect("steady");
    for (int i = 0; i < 3; ++i) killed_agent([&] { (void)containers().inspect("steady"); });
    open_engine();
    ContainerInfo last = containers().inspect("steady");
    EXPECT_EQ(last.pid, first.pid);
    EXPECT_EQ(last.restart_count, 0);
    EXPECT_EQ(last.endpoints.at(0).ip, first.endpoints.at(0).ip);
    EXPECT_EQ(entries(options.run + "/containers").size(), 1u);
}

TEST_F(Recovery, AShimThatDiesAloneTakesItsContainerAlong) {
    std::string id = run(shell("sleep 1000", "orphan"));
    ContainerInfo before = containers().inspect(id);
    end(shim_of(id));
    EXPECT_EQ(containers().wait(id), 137);
    EXPECT_EQ(containers().inspect(id).status, Status::exited);
    EXPECT_TRUE(ended(before.pid)) << "its process is left without anybody who knows of it";
    containers().start(id);
    EXPECT_EQ(status("orphan"), Status::running);
}

TEST_F(Recovery, AShimThatDiesAloneIsASubjectOfTheRestartPolicy) {
    ContainerSpec spec = shell("sleep 1000");
    spec.restart = {RestartPolicy::Name::on_failure, 3};
    std::string id = run(spec);
    end(shim_of(id));
    EXPECT_TRUE(wait_until(id, [](auto& i) { return i.restart_count == 1 && i.status == Status::running; }));
}

TEST_F(Recovery, AShimThatDiesWhileNoAgentRunsIsFoundToo) {
    std::string id = run(shell("sleep 1000"));
    int shim = shim_of(id), init = containers().inspect(id).pid;
    close_engine();
    end(shim);
    open_engine();
    ContainerInfo info = containers().inspect(id);
    EXPECT_EQ(info.status, Status::exited);
    EXPECT_NE(info.exit_code, 0);
    EXPECT_TRUE(ended(init));
    EXPECT_TRUE(entries(options.run + "/containers").empty());
}

TEST_F(Recovery, AfterARebootPoliciesDecideWhatRuns) {
    make_network("front");
    auto add = [&](const std::string& name, RestartPolicy::Name policy) {
        ContainerSpec spec = shell("sleep 1000", name);
        spec.restart.name = policy;
        spec.networks = {on("front")};
        (void)run(spec);
    };
    add("plain", RestartPolicy::Name::no);
    add("always", RestartPolicy::Name::always);
    add("unless", RestartPolicy::Name::unless_stopped);
    add("failing", RestartPolicy::Name::on_failure);
    add("stopped", RestartPolicy::Name::always);
    containers().stop("stopped", 0);
    ContainerSpec spec = shell("sleep 1000", "temporary");
    spec.auto_remove = true;
    (void)run(spec);
    reboot();
    for (const char* name : {"always", "unless", "failing"}) {
        EXPECT_TRUE(wait_until(name, [](auto& i) { return i.status == Status::running; })) << name;
        EXPECT_NE(containers().inspect(name).endpoints.at(0).ip, "") << name;
    }
    EXPECT_EQ(status("plain"), Status::exited);
    EXPECT_EQ(containers().inspect("plain").exit_code, 255);
    EXPECT_EQ(status("stopped"), Status::exited);
    EXPECT_TRUE(wait_until_gone("temporary"));
}

TEST_F(Recovery, OneThatRemovesItselfAndNeverRanGoesWithItsAgent) {
    ContainerSpec spec = shell("true", "brief");
    const std::string kept = containers().create(spec);
    spec.name = "gone";
    spec.auto_remove = true;
    (void)containers().create(spec);
    close_engine();
    open_engine();
    EXPECT_TRUE(wait_until_gone("gone"));
    EXPECT_EQ(containers().inspect(kept).status, Status::created);
}

TEST_F(Recovery, AContainerThatIsOnNoRecordIsEndedAndItsFoldersGo) {
    std::string id = run(shell("sleep 1000"));
    int pid = containers().inspect(id).pid;
    close_engine();
    remove_tree(AT_FDCWD, options.root + "/kedge.db");
    for (const char* more : {"-wal", "-shm"}) remove_tree(AT_FDCWD, options.root + "/kedge.db" + more);
    open_engine();
    EXPECT_TRUE(containers().list().empty());
    EXPECT_TRUE(ended(pid));
    EXPECT_TRUE(entries(options.root + "/containers").empty());
}

TEST_F(Recovery, AContainerWhoseFolderWasDamagedIsStillThereAndRemovable) {
    std::string id = containers().create(shell("true", "hurt"));
    close_engine();
    remove_tree(AT_FDCWD, options.root + "/containers/" + id);
    write_file_durably(AT_FDCWD, options.root + "/containers/" + id, "no folder");
    open_engine();
    EXPECT_EQ(status("hurt"), Status::created);
    EXPECT_THROW(containers().start(id), Error);
    EXPECT_NO_THROW(containers().remove("hurt"));
}

TEST_F(Recovery, AnEndThatCantBeWrittenDownIsKnownAllTheSame) {
    std::string id = run(shell("trap 'exit 7' TERM; echo ready; while :; do sleep 0.02; done"));
    ASSERT_TRUE(wait_for_log(id, "ready"));
    // The database can't grow any more, as on a full disk.
    rlimit before{}, tight{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    auto ignored = ::signal(SIGXFSZ, SIG_IGN);
    tight = before;
    tight.rlim_cur = 1;
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
    int pid = containers().inspect(id).pid;
    EXPECT_EQ(::kill(pid, SIGTERM), 0);
    std::stop_source source;
    std::jthread deadline = stop_after(source, std::chrono::seconds(10));
    int code = -1;
    try {
        code = containers().wait(id, source.get_token());
    } catch (const Error&) {
        // it did not end
    }
    Status seen = status(id);
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)::signal(SIGXFSZ, ignored);
    EXPECT_EQ(code, 7);
    EXPECT_EQ(seen, Status::exited);
    EXPECT_NO_THROW(containers().start(id)) << "there is room again";
}

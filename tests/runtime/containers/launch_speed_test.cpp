#include "tests/runtime/containers/launch_fixture.h"

#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include <cstdio>

namespace kedge::runtime {

namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point begin) { return std::chrono::duration<double, std::milli>(Clock::now() - begin).count(); }

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

/// The least that the kernel takes for the same: namespaces, an overlay, /proc, /dev, /sys, a new root, execve.
double floor_once(const std::string& root, const std::string& layer, uint64_t flags) {
    std::string options = "lowerdir=" + layer + ",upperdir=" + root + "/floor/upper,workdir=" + root + "/floor/work";
    std::string merged = root + "/floor/merged";
    int end[2];
    EXPECT_EQ(::pipe2(end, O_CLOEXEC), 0);
    Clock::time_point begin = Clock::now();
    clone_args args{};
    args.flags = flags;
    args.exit_signal = SIGCHLD;
    long pid = ::syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0) {
        (void)::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
        bool ok = ::mount("overlay", merged.c_str(), "overlay", 0, options.c_str()) == 0 && ::chdir(merged.c_str()) == 0;
        for (const char* folder : {"proc", "dev", "sys"}) (void)::mkdir(folder, 0755);
        ok = ok && ::mount("proc", "proc", "proc", 0, nullptr) == 0 && ::mount("tmpfs", "dev", "tmpfs", 0, nullptr) == 0 &&
             ::mount("sysfs", "sys", "sysfs", MS_RDONLY, nullptr) == 0;
        ok = ok && ::syscall(SYS_pivot_root, ".", ".") == 0 && ::umount2(".", MNT_DETACH) == 0 && ::chdir("/") == 0;
        if (ok) ::execl("/bin/true", "true", nullptr);
        ::_exit(99);
    }
    ::close(end[1]);
    char byte;
    (void)!::read(end[0], &byte, 1);  // the other end closes when it executes
    double time = milliseconds_since(begin);
    ::close(end[0]);
    int status = 0;
    ::waitpid(static_cast<pid_t>(pid), &status, 0);
    EXPECT_EQ(status, 0);
    return time;
}

}  // namespace

TEST_F(LaunchTest, StartingAContainerCostsAtMostThreeTimesTheKernelsFloor) {
    for (const char* folder : {"/floor/upper", "/floor/work", "/floor/merged"}) make_folders(AT_FDCWD, root_ + folder);
    for (bool network : {true, false}) {
        uint64_t flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP | (network ? CLONE_NEWNET : 0);
        std::vector<double> floor, ours;
        for (int i = 0; i < 21; i++) {
            floor.push_back(floor_once(root_, layer_, flags));
            LaunchRequest r = request("s" + std::to_string(network) + std::to_string(i), {"/bin/true"});
            r.new_network_namespace = network;
            Clock::time_point begin = Clock::now();
            Launched launched = launcher_->launch(r, [](int) {}, nullptr);
            ours.push_back(milliseconds_since(begin));
            (void)wait_readable(launched.shim_pidfd.get());
            launcher_->clean_up(r.id, r.run_folder);
        }
        std::printf("%s network namespace: floor %.2f ms, launch %.2f ms\n", network ? "with" : "without", median(floor), median(ours));
        // Sanitizers and unoptimised code make the agent's part slower; three times the floor is for release builds.
#if defined(NDEBUG)
        EXPECT_LT(median(ours), 3 * median(floor) + 1);
#else
        EXPECT_LT(median(ours), 10 * median(floor) + 20);
#endif
    }
}

}  // namespace kedge::runtime

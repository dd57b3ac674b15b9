#include "runtime/containers/cgroups.h"
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

/// What the kernel is asked for when a container starts, by raw system calls with nothing checked.
[[noreturn]] void floor_child(const std::string& merged, const std::string& options, const std::vector<std::string>& groups) {
    for (const std::string& group : groups) {
        int fd = ::open((group + "/tasks").c_str(), O_WRONLY | O_CLOEXEC);
        (void)!::write(fd, "0", 1);
        ::close(fd);
    }
    (void)::unshare(CLONE_NEWCGROUP);
    (void)::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    bool ok = ::mount("overlay", merged.c_str(), "overlay", 0, options.c_str()) == 0 && ::chdir(merged.c_str()) == 0;
    for (const char* folder : {"proc", "dev", "sys"}) (void)::mkdir(folder, 0755);
    ok = ok && ::mount("proc", "proc", "proc", 0, nullptr) == 0 && ::mount("tmpfs", "dev", "tmpfs", 0, nullptr) == 0 &&
         ::mount("sysfs", "sys", "sysfs", MS_RDONLY, nullptr) == 0;
    for (const char* folder : {"dev/pts", "dev/mqueue", "dev/shm"}) (void)::mkdir(folder, 0755);
    (void)::mount("devpts", "dev/pts", "devpts", 0, "newinstance");
    (void)::mount("mqueue", "dev/mqueue", "mqueue", 0, nullptr);
    (void)::mount("shm", "dev/shm", "tmpfs", 0, nullptr);
    (void)::mount("tmpfs", "sys/fs/cgroup", "tmpfs", 0, nullptr);
    for (const std::string& group : groups) {
        std::string target = "sys/fs/cgroup/" + std::filesystem::path(group).parent_path().filename().string();
        (void)::mkdir(target.c_str(), 0755);
        (void)::mount(group.c_str(), target.c_str(), nullptr, MS_BIND, nullptr);
    }
    for (int i = 0; i < 6; i++) (void)::mknod(("dev/node" + std::to_string(i)).c_str(), S_IFCHR | 0666, 0x103);
    for (const char* name : {"proc/bus", "proc/fs", "proc/irq", "proc/sys"}) {
        (void)::mount(name, name, nullptr, MS_BIND | MS_REC, nullptr);
        (void)::mount(nullptr, name, nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr);
    }
    for (const char* name : {"proc/keys", "proc/timer_list"}) (void)::mount("dev/node0", name, nullptr, MS_BIND, nullptr);
    ok = ok && ::syscall(SYS_pivot_root, ".", ".") == 0 && ::umount2(".", MNT_DETACH) == 0 && ::chdir("/") == 0;
    if (ok) ::execl("/bin/true", "true", nullptr);
    ::_exit(99);
}

double floor_once(const std::string& root, const std::string& layer, uint64_t flags) {
    static const Cgroups cgroups;
    std::string options = "lowerdir=" + layer + ",upperdir=" + root + "/floor/upper,workdir=" + root + "/floor/work";
    int end[2];
    EXPECT_EQ(::pipe2(end, O_CLOEXEC), 0);
    Clock::time_point begin = Clock::now();
    std::vector<std::string> groups;
    for (const CgroupHierarchy& hierarchy : cgroups.hierarchies()) {
        if (hierarchy.v2 || hierarchy.has("cpuset")) continue;
        groups.push_back(fmt::format("{}/kt{}-floor", hierarchy.mount_point, ::getpid()));
        (void)::mkdir(groups.back().c_str(), 0755);
    }
    clone_args args{};
    args.flags = flags;
    args.exit_signal = SIGCHLD;
    long pid = ::syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0) floor_child(root + "/floor/merged", options, groups);
    ::close(end[1]);
    char byte;
    (void)!::read(end[0], &byte, 1);  // the other end closes when it executes
    double time = milliseconds_since(begin);
    ::close(end[0]);
    int status = 0;
    ::waitpid(static_cast<pid_t>(pid), &status, 0);
    EXPECT_EQ(status, 0);
    for (const std::string& group : groups) EXPECT_EQ(::rmdir(group.c_str()), 0);
    return time;
}

}  // namespace

TEST_F(LaunchTest, StartingAContainerCostsAtMostThreeTimesTheKernelsFloor) {
    for (const char* folder : {"/floor/upper", "/floor/work", "/floor/merged"}) make_folders(AT_FDCWD, root_ + folder);
    for (bool network : {true, false}) {
        uint64_t flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | (network ? CLONE_NEWNET : 0);
        std::vector<double> floor, ours;
        for (int i = 0; i < 21; i++) {
            floor.push_back(floor_once(root_, layer_, flags));
            LaunchRequest r = request(fmt::format("s{}{}", int{network}, i), {"/bin/true"});
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
        EXPECT_LT(median(ours), 3 * median(floor));
#else
        EXPECT_LT(median(ours), 10 * median(floor) + 20);
#endif
    }
}

}  // namespace kedge::runtime

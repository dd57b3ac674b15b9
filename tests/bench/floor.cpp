// The floor: the time that the kernel itself takes for what starting one container means, with raw system calls,
// nothing checked, nothing remembered and nothing logged. Everything that an engine adds comes on top of it.
//   kedge-floor <rounds> <layer folder> <work folder> [network]
// prints the milliseconds of each round, from the first call until the container's program has ended. `-` for the
// rounds makes one for each line of standard input.
#include "tests/bench/netlink.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

[[noreturn]] void fail(const char* what) {
    std::perror(what);
    std::_Exit(1);
}

void write_text(const std::string& path, const std::string& text) {
    int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, text.data(), text.size()) < 0) fail(path.c_str());
    close(fd);
}

/// The controllers whose groups an engine makes, as this machine has them.
std::vector<std::string> cgroup_folders(const std::string& name) {
    std::vector<std::string> folders;
    for (const char* controller : {"cpu", "cpuset", "memory", "devices", "freezer", "pids", "blkio"}) {
        std::string root = std::string("/sys/fs/cgroup/") + controller;
        if (access((root + "/cgroup.procs").c_str(), W_OK) == 0) folders.push_back(root + "/" + name);
    }
    if (folders.empty()) folders.push_back("/sys/fs/cgroup/" + name);
    return folders;
}

/// A thread joins with far less waiting than a process: that would take a lock over all processes, and wait for a grace
/// period. On v2 there are no such threads; the child moves itself.
void join(const std::vector<std::string>& groups) {
    for (const std::string& group : groups) {
        int fd = open((group + "/tasks").c_str(), O_WRONLY | O_CLOEXEC);
        if (fd < 0) fd = open((group + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, "0", 1) != 1) fail(group.c_str());
        close(fd);
    }
    if (unshare(CLONE_NEWCGROUP) != 0) fail("unshare");
}

/// Inside the new namespaces: the root file system as engines lay it out, then the program.
[[noreturn]] void become_container(const std::vector<std::string>& groups, const std::string& layer,
                                   const std::string& folder, int ready) {
    join(groups);
    mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    std::string root = folder + "/merged";
    std::string options = "lowerdir=" + layer + ",upperdir=" + folder + "/upper,workdir=" + folder + "/work";
    if (mount("overlay", root.c_str(), "overlay", 0, options.c_str()) != 0) fail("overlay");
    if (chdir(root.c_str()) != 0) fail("chdir");
    for (const char* name : {"proc", "dev", "sys"}) mkdir(name, 0755);
    mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr);
    mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k");
    for (const char* name : {"dev/pts", "dev/shm", "dev/mqueue"}) mkdir(name, 0755);
    mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620");
    mount("shm", "dev/shm", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=1777,size=65536k");
    mount("mqueue", "dev/mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr);
    mount("sysfs", "sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, nullptr);
    for (const char* name : {"null", "zero", "full", "random", "urandom", "tty"}) {
        std::string target = std::string("dev/") + name;
        close(open(target.c_str(), O_CREAT | O_WRONLY, 0666));
        mount(("/" + target).c_str(), target.c_str(), nullptr, MS_BIND, nullptr);
    }
    for (const char* name : {"proc/kcore", "proc/keys", "proc/timer_list"}) {
        mount("/dev/null", name, nullptr, MS_BIND, nullptr);
    }
    for (const char* name : {"proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger"}) {
        mount(name, name, nullptr, MS_BIND | MS_REC, nullptr);
        mount(nullptr, name, nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr);
    }
    if (syscall(SYS_pivot_root, ".", ".") != 0) fail("pivot_root");
    umount2(".", MNT_DETACH);
    if (chdir("/") != 0) fail("chdir /");
    sethostname("floor", 5);
    char byte;
    if (read(ready, &byte, 1) != 1) fail("network");
    char* argv[] = {const_cast<char*>("true"), nullptr};
    char* environment[] = {nullptr};
    execve("/bin/true", argv, environment);
    fail("exec");
}

double round_once(int number, const std::string& layer, const std::string& work, bool network) {
    std::string name = "kedge-floor-" + std::to_string(getpid()) + "-" + std::to_string(number);
    auto begin = std::chrono::steady_clock::now();
    std::string folder = work + "/" + name;
    for (const char* part : {"", "/upper", "/work", "/merged"}) {
        if (mkdir((folder + part).c_str(), 0700) != 0) fail("mkdir");
    }
    auto groups = cgroup_folders(name);
    for (const std::string& group : groups) {
        if (mkdir(group.c_str(), 0755) != 0) fail(group.c_str());
        if (group.find("/cpuset/") != std::string::npos) {
            for (const char* file : {"cpuset.cpus", "cpuset.mems"}) {
                char value[256] = {};
                int fd = open((std::string("/sys/fs/cgroup/cpuset/") + file).c_str(), O_RDONLY | O_CLOEXEC);
                ssize_t n = read(fd, value, sizeof value - 1);
                close(fd);
                write_text(group + "/" + file, std::string(value, n > 0 ? static_cast<size_t>(n) : 0));
            }
        }
    }
    int ready[2];
    if (pipe2(ready, O_CLOEXEC) != 0) fail("pipe");
    clone_args arguments{};
    arguments.flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET;
    arguments.exit_signal = SIGCHLD;
    long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid < 0) fail("clone3");
    if (pid == 0) become_container(groups, layer, folder, ready[0]);
    if (network) connect_namespace(static_cast<int>(pid), number);
    if (write(ready[1], "x", 1) != 1) fail("write");
    int status = 0;
    waitpid(static_cast<pid_t>(pid), &status, 0);
    auto end = std::chrono::steady_clock::now();
    close(ready[0]);
    close(ready[1]);
    for (const std::string& group : groups) rmdir(group.c_str());
    if (status != 0) fail("the container's program");
    return std::chrono::duration<double, std::milli>(end - begin).count();
}

bool next_line() {
    char byte;
    do {
        if (read(STDIN_FILENO, &byte, 1) != 1) return false;
    } while (byte != '\n');
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) {
        std::fprintf(stderr, "usage: kedge-floor ROUNDS LAYER WORK [network]\n");
        return 2;
    }
    bool network = argc > 4 && std::strcmp(argv[4], "network") == 0;
    if (network) prepare_bridge();
    bool on_demand = std::strcmp(argv[1], "-") == 0;
    for (int i = 0; on_demand ? next_line() : i < std::atoi(argv[1]); ++i) {
        std::printf("%.3f\n", round_once(i, argv[2], argv[3], network));
        std::fflush(stdout);
    }
    return 0;
}

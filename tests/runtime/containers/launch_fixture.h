#pragma once

#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "runtime/containers/launcher.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace kedge::runtime {

inline std::string slurp(const std::string& path) {
    std::ifstream in(path);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
}

inline bool wait_readable(int fd, int milliseconds = 20000) {
    pollfd watched{fd, POLLIN, 0};
    return ::poll(&watched, 1, milliseconds) == 1;
}

/// Containers of busybox in a folder of their own, with an instance name of their own. Checks in the end that nothing
/// is left.
class LaunchTest : public ::testing::Test {
protected:
    void SetUp() override {
        char name[] = "/tmp/kedge-launch-XXXXXX";
        ASSERT_NE(::mkdtemp(name), nullptr);
        root_ = name;
        instance_ = fmt::format("kt{}-{}", ::getpid(), counter_++);
        mounts_before_ = slurp("/proc/self/mountinfo");
        layer_ = make_layer("base");
        launcher_ = std::make_unique<Launcher>(shim_path(), instance_);
    }

    void TearDown() override {
        for (const std::string& id : started_) {
            Launched found = launcher_->find(run_folder(id));
            if (found.init_pidfd) launcher_->kill_all(id);
            if (found.shim_pidfd) {
                EXPECT_TRUE(wait_readable(found.shim_pidfd.get())) << "the shim of " << id << " does not end";
            }
            launcher_->clean_up(id, run_folder(id));
        }
        launcher_.reset();
        EXPECT_EQ(slurp("/proc/self/mountinfo"), mounts_before_);
        for (const auto& entry : std::filesystem::directory_iterator("/sys/fs/cgroup"))
            EXPECT_FALSE(std::filesystem::exists(entry.path() / instance_)) << "cgroup left in " << entry.path();
        EXPECT_FALSE(std::filesystem::exists("/sys/fs/cgroup/" + instance_));
        remove_tree(AT_FDCWD, root_);
        EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
    }

    static std::string shim_path() { return KEDGE_BUILD "/bin/kedge-shim"; }
    std::string run_folder(const std::string& id) const { return root_ + "/run/" + id; }
    std::string container_folder(const std::string& id) const { return root_ + "/containers/" + id; }

    /// A layer with busybox, a user database and folders to mount on.
    std::string make_layer(const std::string& name) {
        std::string fs = root_ + "/layers/" + name + "/fs";
        for (const char* folder : {"/bin", "/etc", "/tmp", "/home"}) make_folders(AT_FDCWD, fs + folder);
        std::filesystem::copy_file("/bin/busybox", fs + "/bin/busybox");
        for (const char* tool :
             {"sh",   "cat",   "id",     "ls",      "env",   "hostname", "mount",  "sleep",    "true",  "false", "pwd",
              "echo", "touch", "mknod",  "unshare", "kill",  "ps",       "stat",   "readlink", "mkdir", "head",  "dd",
              "tr",   "grep",  "ulimit", "printf",  "chmod", "tty",      "umount", "rm",       "seq"})
            std::filesystem::create_symlink("busybox", fs + "/bin/" + tool);
        std::ofstream(fs + "/etc/passwd") << "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n";
        std::ofstream(fs + "/etc/group") << "root:x:0:\napp:x:1000:\naudio:x:29:app\nextra:x:77:\n";
        return fs;
    }

    LaunchRequest request(const std::string& id, std::vector<std::string> arguments) {
        LaunchRequest r;
        r.id = id;
        r.arguments = std::move(arguments);
        r.environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME=" + id};
        r.hostname = id;
        r.layers = {layer_};
        r.container_folder = container_folder(id);
        r.run_folder = run_folder(id);
        r.cgroup_parent = instance_;
        make_folders(AT_FDCWD, r.container_folder + "/upper");
        make_folders(AT_FDCWD, r.container_folder + "/work");
        return r;
    }

    LaunchRequest shell(const std::string& id, const std::string& script) {
        return request(id, {"/bin/sh", "-c", script});
    }

    Launched start(const LaunchRequest& r) {
        started_.push_back(r.id);
        return launcher_->launch(r, {}, {}, nullptr);
    }

    /// Starts it and waits for its end.
    ExitRecord run(const LaunchRequest& r) {
        Launched launched = start(r);
        return await_exit(r.id, launched);
    }

    ExitRecord await_exit(const std::string& id, const Launched& launched) {
        EXPECT_TRUE(wait_readable(launched.shim_pidfd.get())) << "the shim does not end";
        ExitRecord record;
        EXPECT_TRUE(Launcher::read_exit(run_folder(id), &record)) << "no exit record";
        return record;
    }

    /// The text that the container wrote, from its log: "log" of every line, unescaped as far as these tests need it.
    std::string output(const std::string& id, const std::string& stream = {}) const {
        std::istringstream lines(log(id));
        std::string out;
        for (std::string line; std::getline(lines, line);) {
            if (!stream.empty() && line.find("\"stream\":\"" + stream + "\"") == std::string::npos) continue;
            size_t begin = line.find("{\"log\":\"") + 8, end = line.rfind("\",\"stream\"");
            for (size_t i = begin; i < end; i++) {
                if (line[i] != '\\')
                    out += line[i];
                else if (char c = line[++i]; c == 'n')
                    out += '\n';
                else if (c == 't')
                    out += '\t';
                else if (c == 'r')
                    out += '\r';
                else if (c == 'u') {
                    out += static_cast<char>(std::stoi(line.substr(i + 1, 4), nullptr, 16));
                    i += 4;
                } else
                    out += c;
            }
        }
        return out;
    }

    std::string log(const std::string& id) const { return slurp(container_folder(id) + "/" + id + "-json.log"); }

    /// What the script prints.
    std::string print(const std::string& id, const std::string& script) {
        run(shell(id, script));
        return output(id);
    }

    /// The message of the Error that starting it ends with; fails if it starts.
    std::string refusal(const LaunchRequest& r, int* code = nullptr) {
        try {
            Launched launched = launcher_->launch(r, {}, {}, code);
            started_.push_back(r.id);
            ADD_FAILURE() << "started";
        } catch (const Error& e) {
            EXPECT_FALSE(std::filesystem::exists(r.run_folder)) << "run folder left";
            return e.what();
        }
        return {};
    }

    static Mount bind(const std::string& source, const std::string& target, bool read_only = false) {
        Mount mount;
        mount.type = Mount::Type::bind;
        mount.source = source;
        mount.target = target;
        mount.read_only = read_only;
        return mount;
    }

    std::string root_, instance_, layer_, mounts_before_;
    std::unique_ptr<Launcher> launcher_;
    std::vector<std::string> started_;

private:
    static inline std::atomic<int> counter_{0};
};

}  // namespace kedge::runtime

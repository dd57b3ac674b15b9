#pragma once

#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "tests/support/process.h"

#include <nlohmann/json.hpp>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace kedge::oci {

using Json = nlohmann::json;

inline std::string slurp(const std::string& path) {
    std::ifstream in(path);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
}

/// Bundles of busybox that kedge-oci runs, with a root and control groups of their own. Checks in the end that nothing
/// is left.
class OciTest : public ::testing::Test {
protected:
    void SetUp() override {
        char name[] = "/tmp/kedge-oci-XXXXXX";
        ASSERT_NE(::mkdtemp(name), nullptr);
        folder_ = name;
        ::chmod(name, 0755);  // the root of a user namespace has to get through
        group_ = fmt::format("koci{}-{}", ::getpid(), counter_++);
        ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // as conmon and containerd's shim do
        make_root();
        config_ = standard_config();
    }

    void TearDown() override {
        for (const std::string& id : ids()) (void)oci({"delete", "--force", id});
        EXPECT_EQ(ids(), std::vector<std::string>()) << "states are left";
        reap();
        EXPECT_EQ(slurp("/proc/self/mountinfo").find(folder_), std::string::npos) << "a mount is left";
        for (const std::string& folder : groups()) ADD_FAILURE() << "cgroup left: " << folder;
        remove_tree(AT_FDCWD, folder_);
    }

    std::string bundle() const { return folder_ + "/bundle"; }
    std::string root_folder() const { return bundle() + "/rootfs"; }
    std::string states() const { return folder_ + "/states"; }

    void make_root() {
        for (const char* name : {"/bin", "/etc", "/proc", "/sys", "/dev", "/tmp", "/data"})
            make_folders(AT_FDCWD, root_folder() + name);
        std::filesystem::copy_file("/bin/busybox", root_folder() + "/bin/busybox");
        for (const char* tool :
             {"sh",     "cat",   "id",    "ls",      "env",   "hostname", "mount", "sleep", "true",  "false",
              "echo",   "touch", "mknod", "unshare", "kill",  "ps",       "stat",  "grep",  "mkdir", "dd",
              "umount", "rm",    "tty",   "test",    "chmod", "ln",       "nice",  "sort",  "uname", "pwd",
              "seq",    "head",  "tr",    "wc",      "cut",   "readlink", "awk",   "find",  "stty",  "uniq"})
            std::filesystem::create_symlink("busybox", root_folder() + "/bin/" + tool);
        std::ofstream(root_folder() + "/etc/passwd")
            << "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n";
        std::ofstream(root_folder() + "/etc/group") << "root:x:0:\napp:x:1000:\n";
    }

    Json standard_config() const {
        test::Finished made = test::run({program(), "spec", "--bundle", bundle()});
        EXPECT_EQ(made.code, 0) << made.out;
        Json config = Json::parse(slurp(bundle() + "/config.json"));
        config["process"]["terminal"] = false;
        config["process"]["args"] = {"sleep", "1000"};
        config["root"]["readonly"] = false;
        config["linux"]["cgroupsPath"] = "/" + group_ + "/c";
        return config;
    }

    void script(const std::string& text) { config_["process"]["args"] = {"/bin/sh", "-c", text}; }
    void write_config() const { write_text(config_.dump()); }
    void write_text(const std::string& text) const { std::ofstream(bundle() + "/config.json") << text; }

    static std::string program() { return KEDGE_BUILD "/bin/kedge-oci"; }

    /// What it says, and its exit code. With `files` for output where the container keeps the streams.
    test::Finished oci(std::vector<std::string> words) const {
        std::vector<std::string> all = {program(), "--root", states()};
        all.insert(all.end(), words.begin(), words.end());
        const std::string out = folder_ + "/said-" + std::to_string(said_++);
        Fd file = open_at(AT_FDCWD, out, O_RDWR | O_CREAT | O_TRUNC, 0600);
        test::Process process(all, {{}, -1, file.get(), file.get()});
        test::Finished finished;
        const int status = process.wait(std::chrono::minutes(2)).value();
        finished.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        finished.out = slurp(out);
        return finished;
    }

    /// The container's output, of one that runs to its end.
    test::Finished run() const {
        write_config();
        return oci({"run", "--bundle", bundle(), "c"});
    }
    std::string print(const std::string& text) {
        script(text);
        test::Finished finished = run();
        EXPECT_EQ(finished.code, 0) << finished.out;
        return finished.out;
    }
    /// What is said of a bundle that can't be made, of which nothing may be left.
    std::string refusal() const {
        write_config();
        return refusal_of_file();
    }
    std::string refusal_of_file() const {
        test::Finished finished = oci({"create", "--bundle", bundle(), "c"});
        EXPECT_NE(finished.code, 0) << finished.out;
        EXPECT_EQ(ids(), std::vector<std::string>());
        reap();
        for (const std::string& left : groups()) ADD_FAILURE() << "cgroup left: " << left;
        return finished.out;
    }

    void create() {
        write_config();
        test::Finished finished = oci({"create", "--bundle", bundle(), "c"});
        ASSERT_EQ(finished.code, 0) << finished.out;
        pid_ = state().value("pid", 0);
    }
    void start() const {
        test::Finished finished = oci({"start", "c"});
        ASSERT_EQ(finished.code, 0) << finished.out;
    }
    Json state() const {
        test::Finished finished = oci({"state", "c"});
        EXPECT_EQ(finished.code, 0) << finished.out;
        return Json::parse(finished.out, nullptr, false);
    }
    std::string status() const { return state().value("status", ""); }

    /// Until the first process has ended; its exit code.
    int await_exit() const {
        int code = 0;
        EXPECT_EQ(::waitpid(pid_, &code, 0), pid_) << "it was not handed over to this process";
        return WIFEXITED(code) ? WEXITSTATUS(code) : 128 + WTERMSIG(code);
    }

    static void reap() {
        while (::waitpid(-1, nullptr, WNOHANG) > 0) {
        }
    }

    std::vector<std::string> ids() const {
        std::vector<std::string> all;
        if (!std::filesystem::exists(states())) return all;
        for (const auto& entry : std::filesystem::directory_iterator(states())) all.push_back(entry.path().filename());
        return all;
    }

    std::vector<std::string> groups() const {
        std::vector<std::string> found;
        auto look = [&](const std::string& folder) {
            if (std::filesystem::exists(folder + "/" + group_)) found.push_back(folder + "/" + group_);
        };
        look("/sys/fs/cgroup");
        for (const auto& entry : std::filesystem::directory_iterator("/sys/fs/cgroup"))
            if (entry.is_directory() && !entry.is_symlink()) look(entry.path());
        return found;
    }

    /// The text of a file of the container's control group, of whichever version has it.
    std::string group_file(const std::string& controller, const std::string& v1, const std::string& v2) const {
        const std::string rest = "/" + group_ + "/c/";
        std::string text = slurp("/sys/fs/cgroup/" + controller + rest + v1);
        if (text.empty()) text = slurp("/sys/fs/cgroup" + rest + v2);
        return text;
    }

    std::string folder_, group_;
    Json config_;
    int pid_ = 0;  ///< of the first process of what was created last

private:
    static inline std::atomic<int> counter_{0};
    mutable int said_ = 0;
};

}  // namespace kedge::oci

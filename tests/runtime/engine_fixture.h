#pragma once

#include "base/database.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "runtime/engine.h"
#include "tests/runtime/tar_writer.h"
#include "tests/support/leftovers.h"
#include "tests/support/network_namespace.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace kedge::test {

/// The bytes in a memory file, at its start.
inline Fd memory_file(std::string_view data) {
    Fd fd(::memfd_create("test", MFD_CLOEXEC));
    write_all(fd.get(), data);
    (void)::lseek(fd.get(), 0, SEEK_SET);
    return fd;
}

/// A root file system of busybox alone (Debian's busybox-static) with its usual names in /bin. `more` adds to it.
inline std::string busybox_tar(const std::function<void(TarWriter&)>& more = {}) {
    static const std::string busybox = [] {
        for (const char* path : {"/bin/busybox", "/usr/bin/busybox"}) {
            if (::access(path, X_OK) == 0) return read_file_at(AT_FDCWD, path);
        }
        throw Error(Code::not_found, "these tests need busybox-static");
    }();
    TarWriter tar;
    for (const char* folder : {"bin", "etc", "root", "var", "usr", "data"}) tar.folder(folder);
    tar.folder("tmp", 01777);
    tar.file("bin/busybox", busybox, 0755);
    for (const char* name :
         {"sh",      "cat",  "echo",  "sleep", "true",   "false",  "ls",       "id",   "ip",    "kill",
          "touch",   "stat", "nc",    "env",   "printf", "trap",   "hostname", "wget", "httpd", "nslookup",
          "test",    "head", "ps",    "yes",   "chown",  "chmod",  "mkdir",    "dd",   "seq",   "pwd",
          "rm",      "ping", "mount", "grep",  "date",   "tr",     "readlink", "stty", "tty",   "mknod",
          "unshare", "wc",   "cut",   "sort",  "ln",     "mkfifo", "umount"}) {
        tar.link(std::string("bin/") + name, "busybox");
    }
    tar.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n");
    tar.file("etc/group", "root:x:0:\nuser:x:1000:\nextra:x:2000:user\n");
    if (more) more(tar);
    return tar.finish();
}

/// An engine with a root, a run folder, an instance name, addresses and (for the whole process) a network namespace of
/// its own. It has the image `busybox` with the command `sh`. At the end everything is removed, and what is left behind
/// (mounts, cgroups, run folders, links) fails the test.
class EngineFixture : public testing::Test, public Leftovers {
public:
    static void SetUpTestSuite() { enter_network_namespace(); }

    void SetUp() override {
        static std::atomic<int> count;
        instance = "kt" + std::to_string(::getpid()) + "x" + std::to_string(count++);
        folder = "/tmp/" + instance;
        make_folders(AT_FDCWD, folder + "/root", 0711);
        make_folders(AT_FDCWD, folder + "/run", 0711);
        options.root = folder + "/root";
        options.run = folder + "/run";
        options.instance = instance;
        options.shim = KEDGE_BUILD "/bin/kedge-shim";
        options.address_pools = {"172.28.0.0/16"};
        open_engine();
        import("busybox", busybox_tar(), {"CMD [\"sh\"]"});
    }

    void TearDown() override {
        if (!engine) open_engine();
        for (const auto& info : engine->containers().list()) {
            EXPECT_NO_THROW(engine->containers().remove(info.id, {.force = true, .volumes = true}));
        }
        for (const auto& network : engine->networks().list()) EXPECT_NO_THROW(engine->networks().remove(network.id));
        for (const auto& left : engine->volumes().list()) EXPECT_NO_THROW(engine->volumes().remove(left.spec.name));
        close_engine();
        check_nothing_is_left();
        remove_tree(AT_FDCWD, folder);
    }

    /// Makes the engine (again, on the same root).
    void open_engine() {
        if (!database) database = std::make_unique<Database>(options.root + "/kedge.db");
        engine = std::make_unique<runtime::Engine>(options, *database);
    }
    void close_engine() {
        engine.reset();
        database.reset();
    }

    runtime::ImageInfo import(const std::string& reference, const std::string& tar,
                              std::vector<std::string> changes = {}) {
        Fd file = memory_file(tar);
        return engine->images().import(
            file.get(), {.reference = reference, .changes = std::move(changes), .message = {}, .platform = {}});
    }

    runtime::Containers& containers() { return engine->containers(); }

    /// A spec of busybox that runs this in `sh -c`.
    static runtime::ContainerSpec shell(const std::string& script, const std::string& name = {}) {
        runtime::ContainerSpec spec;
        spec.name = name;
        spec.image = "busybox";
        spec.command = std::vector<std::string>{"sh", "-c", script};
        return spec;
    }

    static runtime::ExecSpec command(std::vector<std::string> arguments) {
        runtime::ExecSpec spec;
        spec.arguments = std::move(arguments);
        return spec;
    }

    /// Runs this in `sh -c` inside a running container, for at most ten seconds.
    runtime::ExecResult exec(const std::string& id, const std::string& script) {
        return containers().exec(id, command({"sh", "-c", script}), std::chrono::seconds(10), 1 << 20);
    }

    /// Creates and starts; the id.
    std::string run(const runtime::ContainerSpec& spec) {
        std::string id = containers().create(spec);
        containers().start(id);
        return id;
    }

    /// Runs it to its end; its exit code. The log is in `output`.
    int run_to_end(const runtime::ContainerSpec& spec, std::string* output = nullptr) {
        std::string id = run(spec);
        int code = containers().wait(id);
        if (output) *output = log_of(id);
        return code;
    }

    /// What the Error that `step` ends with says; fails the test if there is none.
    static std::string refusal(const std::function<void()>& step, Code* code = nullptr) {
        try {
            step();
        } catch (const Error& e) {
            if (code) *code = e.code();
            return e.what();
        }
        ADD_FAILURE() << "it was not refused";
        return {};
    }

    static Code code_of(const std::function<void()>& step) {
        Code code = Code::internal;
        (void)refusal(step, &code);
        return code;
    }

    static runtime::Mount bind(const std::string& source, const std::string& target, bool read_only = false) {
        runtime::Mount mount;
        mount.type = runtime::Mount::Type::bind;
        mount.source = source;
        mount.target = target;
        mount.read_only = read_only;
        return mount;
    }

    static runtime::Mount volume(const std::string& name, const std::string& target) {
        runtime::Mount mount;
        mount.source = name;
        mount.target = target;
        return mount;
    }

    static runtime::NetworkAttachment on(const std::string& network, std::vector<std::string> aliases = {}) {
        runtime::NetworkAttachment attachment;
        attachment.network = network;
        attachment.aliases = std::move(aliases);
        return attachment;
    }

    /// A network of this name; its id.
    std::string make_network(const std::string& name) {
        runtime::NetworkSpec spec;
        spec.name = name;
        return engine->networks().create(spec);
    }

    /// Everything it wrote so far.
    std::string log_of(const std::string& id, runtime::LogOptions log_options = {}) {
        std::string text;
        containers().logs(id, log_options, [&](const runtime::LogLine& line) {
            text += line.text;
            return true;
        });
        return text;
    }

    /// Follows the log until it has this; false if it ended before, or after ten seconds.
    bool wait_for_log(const std::string& id, const std::string& part) {
        std::string text;
        bool found = false;
        std::stop_source stop;
        std::jthread deadline = stop_after(stop, std::chrono::seconds(10));
        try {
            containers().logs(
                id, {.follow = true},
                [&](const runtime::LogLine& line) {
                    text += line.text;
                    found = text.find(part) != std::string::npos;
                    return !found;
                },
                stop.get_token());
        } catch (const Error& e) {
            if (e.code() != Code::cancelled) throw;
        }
        return found;
    }

    /// Blocks until the container's state is so, woken by the engine's events; false after the deadline. Not every
    /// change has an event (a restart that fails has none), so it also looks by itself now and then.
    bool wait_until(const std::string& id, const std::function<bool(const runtime::ContainerInfo&)>& ready,
                    std::chrono::milliseconds patience = std::chrono::seconds(15)) {
        auto deadline = std::chrono::steady_clock::now() + patience;
        uint64_t from = engine->events().next();
        while (!ready(containers().inspect(id))) {
            if (std::chrono::steady_clock::now() >= deadline) return false;
            auto soon = std::min(deadline, std::chrono::steady_clock::now() + std::chrono::milliseconds(20));
            from = engine->events().read(
                from, [](const runtime::Event&) {}, {}, soon);
        }
        return true;
    }

    /// Blocks until the container is gone; false after ten seconds.
    bool wait_until_gone(const std::string& id) {
        auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        for (uint64_t from = 0; std::chrono::steady_clock::now() < deadline;) {
            auto all = containers().list();
            if (std::none_of(all.begin(), all.end(), [&](auto& i) { return i.id == id || i.name == id; })) return true;
            from = engine->events().read(
                from, [](const runtime::Event&) {}, {}, deadline);
        }
        return false;
    }

    /// Requests a stop after this time unless the returned thread ends before.
    static std::jthread stop_after(std::stop_source& source, std::chrono::milliseconds time) {
        return std::jthread([source, time](std::stop_token ended) mutable {
            std::mutex mutex;
            std::condition_variable_any never;
            std::unique_lock lock(mutex);
            (void)never.wait_for(lock, ended, time, [] { return false; });
            if (!ended.stop_requested()) source.request_stop();
        });
    }

    void check_nothing_is_left() const {
        EXPECT_EQ(read_file_at(AT_FDCWD, "/proc/self/mountinfo").find(instance), std::string::npos)
            << "mounts are left";
        EXPECT_EQ(entries(options.run + "/containers"), std::vector<std::string>{}) << "run folders are left";
        EXPECT_EQ(entries(options.root + "/containers"), std::vector<std::string>{}) << "container folders are left";
        EXPECT_EQ(wait_for_no_links(), std::vector<std::string>{}) << "links are left";
        EXPECT_EQ(children(), std::vector<std::string>{}) << "processes are left";
        EXPECT_EQ(entries(options.root + "/volumes"), std::vector<std::string>{}) << "volumes are left";
        EXPECT_EQ(remove_groups(instance), std::vector<std::string>{}) << "cgroups are left";
    }

    std::string instance, folder;
    runtime::EngineOptions options;
    std::unique_ptr<Database> database;
    std::unique_ptr<runtime::Engine> engine;
};

}  // namespace kedge::test

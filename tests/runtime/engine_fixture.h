#pragma once

#include "base/database.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "runtime/engine.h"
#include "tests/runtime/specs.h"
#include "tests/runtime/test_image.h"
#include "tests/support/leftovers.h"
#include "tests/support/network_namespace.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace kedge::test {

/// An engine with a root, a run folder, an instance name, addresses and (for the whole process) a network namespace of
/// its own. It has the image `busybox` with the command `sh`. At the end everything is removed, and what is left behind
/// (mounts, cgroups, run folders, links) fails the test.
class EngineFixture : public testing::Test, public Leftovers, public Specs {
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

#pragma once

#include "health/health.h"
#include "tests/runtime/engine_fixture.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace kedge::test {

/// An engine whose containers a monitor watches.
class MonitorFixture : public EngineFixture {
public:
    using Status = runtime::Health::Status;

    void SetUp() override {
        EngineFixture::SetUp();
        open_monitor();
    }
    void TearDown() override {
        monitor.reset();
        EngineFixture::TearDown();
    }
    void open_monitor(int threads = 2) { monitor = std::make_unique<health::Monitor>(*engine, threads); }

    /// A container that runs on and is probed so, every 20 ms.
    static runtime::ContainerSpec probed(std::vector<std::string> test) {
        runtime::ContainerSpec spec = shell("trap exit TERM; sleep 100000 & wait");
        runtime::Healthcheck check;
        check.test = std::move(test);
        check.interval = std::chrono::milliseconds(20);
        check.timeout = std::chrono::seconds(20);
        spec.healthcheck = check;
        return spec;
    }
    /// One without any command but an HTTP server for /www on port 8080, which is probed from outside.
    runtime::ContainerSpec server(const health::NetworkProbe& probe) {
        if (engine->images().list().size() < 2) {
            TarWriter tar;
            tar.file("httpd", read_file_at(AT_FDCWD, busybox()), 0755);
            tar.folder("www");
            tar.file("www/health", "well\n");
            import("server", tar.finish());
        }
        runtime::ContainerSpec spec;
        spec.image = "server";
        spec.command = std::vector<std::string>{"/httpd", "-f", "-p", "8080", "-h", "/www"};
        spec.labels[health::kProbeLabel] = probe.to_label();
        runtime::Healthcheck figures;
        figures.interval = std::chrono::milliseconds(20);
        figures.retries = 2;
        spec.healthcheck = figures;
        return spec;
    }
    static health::NetworkProbe http(const std::string& path, uint16_t port = 8080) {
        health::NetworkProbe probe;
        probe.kind = health::NetworkProbe::Kind::http;
        probe.port = port;
        probe.path = path;
        return probe;
    }
    static health::NetworkProbe tcp(uint16_t port) {
        health::NetworkProbe probe;
        probe.port = port;
        return probe;
    }

    runtime::Health health_of(const std::string& id) { return containers().inspect(id).health; }
    bool becomes(const std::string& id, Status status) {
        return wait_until(id, [=](const auto& info) { return info.health.status == status; });
    }
    /// `output` of the newest result, once there is one.
    std::string last_output(const std::string& id) {
        if (!wait_until(id, [](const auto& info) { return !info.health.log.empty(); })) return "no result";
        return health_of(id).log.back().output;
    }
    /// What is no event has to be looked for now and then.
    bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds patience = std::chrono::seconds(15)) {
        auto deadline = std::chrono::steady_clock::now() + patience;
        while (!holds()) {
            if (std::chrono::steady_clock::now() >= deadline) return false;
            auto soon = std::chrono::steady_clock::now() + std::chrono::milliseconds(10);
            (void)engine->events().read(
                engine->events().next(), [](const runtime::Event&) {}, {}, soon);
        }
        return true;
    }
    /// Whether a probe of it comes to this.
    bool says(const std::string& id, const std::function<bool(const runtime::ProbeResult&)>& wanted) {
        return eventually([&] {
            auto log = health_of(id).log;
            return std::any_of(log.begin(), log.end(), wanted);
        });
    }
    bool says(const std::string& id, const std::string& output) {
        return says(id, [&](const runtime::ProbeResult& result) { return result.output == output; });
    }
    std::string in(const std::string& id, const std::string& command) {
        runtime::ExecSpec spec;
        spec.arguments = {"sh", "-c", command};
        return containers().exec(id, spec, std::chrono::seconds(10), 10000).output;
    }

    /// The container's events that begin with this, in order.
    std::vector<std::string> told(const std::string& id, const std::string& prefix) {
        std::vector<std::string> actions;
        auto see = [&](const runtime::Event& event) {
            if (event.id == id && event.action.starts_with(prefix)) actions.push_back(event.action);
        };
        (void)engine->events().read(0, see, {}, std::chrono::steady_clock::now());
        return actions;
    }
    /// Until that many of these events are there; false after ten seconds.
    bool wait_for_event(const std::string& id, const std::string& prefix, size_t count = 1) {
        auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        uint64_t from = 0;
        size_t seen = 0;
        while (seen < count && std::chrono::steady_clock::now() < deadline) {
            auto see = [&](const runtime::Event& event) { seen += event.id == id && event.action.starts_with(prefix); };
            from = engine->events().read(from, see, {}, deadline);
        }
        return seen >= count;
    }

    /// How many sockets this process has.
    static size_t sockets() {
        size_t count = 0;
        for (const std::string& name : entries("/proc/self/fd")) {
            char target[64] = {};
            ssize_t size = ::readlink(("/proc/self/fd/" + name).c_str(), target, sizeof target - 1);
            count += size > 0 && std::string_view(target).starts_with("socket:");
        }
        return count;
    }

    static std::string busybox() { return ::access("/bin/busybox", X_OK) == 0 ? "/bin/busybox" : "/usr/bin/busybox"; }

    std::unique_ptr<health::Monitor> monitor;
};

}  // namespace kedge::test

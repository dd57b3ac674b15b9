#include "health/probe_run.h"

#include "base/error.h"
#include "health/connection.h"
#include "health/health.h"
#include "health/http_answer.h"
#include "health/text.h"

#include <fmt/format.h>
#include <strings.h>

#include <array>

namespace kedge::health {

namespace {

constexpr int kFailed = 1, kNoResult = -1;

/// What a probe came to.
struct Outcome {
    int exit_code = 0;
    std::string output;
};

Outcome too_slow(Nanoseconds timeout, const std::string& output) {
    std::string text = fmt::format("Health check exceeded timeout ({})", format_duration(timeout));
    return {kNoResult, output.empty() ? text : text + ": " + output};
}

Outcome run_command(runtime::Containers& containers, const runtime::ContainerInfo& info, Nanoseconds timeout,
                    std::stop_token stop) {
    const std::vector<std::string>& test = info.healthcheck->test;
    runtime::ExecSpec spec;
    if (test.front() == "CMD-SHELL")
        spec.arguments = {"/bin/sh", "-c", test.back()};
    else
        spec.arguments.assign(test.begin() + 1, test.end());
    // One byte more than is kept, so that it shows when something was cut off.
    runtime::ExecResult result = containers.exec(info.id, spec, timeout, kProbeOutput + 1, stop);
    if (!result.error.empty()) return {kNoResult, result.error};
    if (result.timed_out) return too_slow(timeout, result.output);
    return {result.exit_code, result.output};
}

std::string request_of(const NetworkProbe& probe) {
    std::string host = probe.port == 80 ? "localhost" : "localhost:" + std::to_string(probe.port);
    const std::array<std::pair<std::string, std::string>, 3> defaults = {
        {{"Host", host}, {"User-Agent", "kedge"}, {"Accept", "*/*"}}};
    auto given = [&](const std::string& name) {
        for (const auto& [own, value] : probe.headers) {
            if (::strcasecmp(own.c_str(), name.c_str()) == 0) return true;
        }
        return false;
    };
    std::string request = "GET " + probe.path + " HTTP/1.1\r\n";
    for (const auto& [name, value] : defaults) {
        if (!given(name)) request += name + ": " + value + "\r\n";
    }
    for (const auto& [name, value] : probe.headers) request += name + ": " + value + "\r\n";
    if (!given("Connection")) request += "Connection: close\r\n";
    return request + "\r\n";
}

Outcome ask(Connection& connection, const NetworkProbe& probe, Nanoseconds timeout) {
    HttpAnswer answer;
    auto expected = [&] {
        return answer.status() && *answer.status() >= probe.expected_status_from &&
               *answer.status() <= probe.expected_status_to;
    };
    try {
        connection.send(request_of(probe));
        std::array<char, 4096> buffer;
        while (!answer.is_complete() && !expected()) {
            size_t size = connection.receive(buffer.data(), buffer.size());
            if (size == 0) break;
            answer.take({buffer.data(), size});
        }
    } catch (const TimedOut&) {
        if (!answer.status()) return too_slow(timeout, {});
    } catch (const Error& e) {
        if (e.code() == Code::cancelled || !answer.status()) throw;
    }
    if (!answer.status()) return {kFailed, "the connection was closed without an answer"};
    if (expected()) return {0, answer.status_text()};
    // What the server says with it is most often why.
    std::string body = one_line(answer.body(), kProbeOutput);
    return {kFailed, body.empty() ? answer.status_text() : answer.status_text() + ": " + body};
}

Outcome run_network_probe(runtime::Containers& containers, const runtime::ContainerInfo& info, Nanoseconds timeout,
                          std::stop_token stop) {
    NetworkProbe probe = NetworkProbe::from_label(info.spec.labels.at(kProbeLabel));
    auto deadline = std::chrono::steady_clock::now() + timeout;
    // Its first process' namespace, whichever that is: its own, the host's, or another container's.
    Fd netns = containers.network_namespace(info.id);
    try {
        Connection connection(netns.get(), probe.port, deadline, stop);
        if (probe.kind == NetworkProbe::Kind::tcp) return {0, "connected"};
        return ask(connection, probe, timeout);
    } catch (const TimedOut&) {
        return too_slow(timeout, {});
    } catch (const Error& e) {
        if (e.code() == Code::cancelled || e.code() == Code::resource_exhausted) throw;
        return {kFailed, e.what()};
    }
}

}  // namespace

runtime::ProbeResult run_probe(runtime::Containers& containers, const runtime::ContainerInfo& info, Nanoseconds timeout,
                               std::stop_token stop) {
    runtime::ProbeResult result;
    result.start = wall_now();
    Outcome outcome;
    try {
        bool from_network = info.spec.labels.contains(kProbeLabel);
        outcome = (from_network ? run_network_probe : run_command)(containers, info, timeout, stop);
    } catch (const Error& e) {
        if (e.code() == Code::cancelled) throw;
        outcome = {kNoResult, e.what()};
    }
    result.end = wall_now();
    result.exit_code = outcome.exit_code;
    result.output = bounded_text(outcome.output, kProbeOutput);
    return result;
}

}  // namespace kedge::health

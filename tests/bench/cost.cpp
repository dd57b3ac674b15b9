// What the agent and its containers cost the machine: processor time of a sync, memory, wake-ups.
#include "base/fd.h"
#include "tests/bench/figures.h"
#include "tests/bench/http_client.h"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <numeric>
#include <sstream>

namespace kedge::bench {

namespace {

using nlohmann::json;

std::string proc(int pid, const std::string& file) {
    return read_file_at(AT_FDCWD, fmt::format("/proc/{}/{}", pid, file));
}

/// A process' user and system time with that of its children that it has waited for, in milliseconds. The kernel counts
/// in ticks.
double cpu_milliseconds(int pid) {
    std::string text = proc(pid, "stat");
    std::istringstream words(text.substr(text.rfind(')') + 2));  // see proc_pid_stat(5); the name may hold anything
    std::string word;
    for (int field = 3; field < 14; ++field) words >> word;
    double ticks = 0;
    for (int field = 14; field <= 17; ++field) {
        double value = 0;
        words >> value;
        ticks += value;
    }
    return ticks * 1000 / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

/// Until the agent has done nothing for a while.
double quiet_cpu(int pid) {
    double last = cpu_milliseconds(pid);
    for (int same = 0; same < 5;) {
        (void)::poll(nullptr, 0, 60);
        double now = cpu_milliseconds(pid);
        same = now == last ? same + 1 : 0;
        last = now;
    }
    return last;
}

/// `key:  value kB` in MB.
double megabytes(const std::string& text, const std::string& key) {
    size_t at = text.find("\n" + key + ":");
    if (at == std::string::npos) fail(key + " is not told by this kernel");
    return std::strtod(text.c_str() + at + key.size() + 2, nullptr) / 1024;
}

double pss(int pid) {
    return megabytes(proc(pid, "smaps_rollup"), "Pss");
}

/// Voluntary and involuntary context switches of all its threads, by thread.
std::map<std::string, double> switches(int pid) {
    std::map<std::string, double> counts;
    for (const auto& thread : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid))) {
        std::istringstream lines(read_file_at(AT_FDCWD, thread.path().string() + "/status"));
        double& sum = counts[thread.path().filename()];
        for (std::string line; std::getline(lines, line);) {
            if (line.find("voluntary_ctxt_switches:") != std::string::npos)
                sum += std::strtod(line.c_str() + line.find(':') + 1, nullptr);
        }
    }
    return counts;
}

/// Threads that ended meanwhile took their counts with them.
double added(const std::map<std::string, double>& before, const std::map<std::string, double>& after) {
    double sum = 0;
    for (const auto& [thread, count] : after) {
        auto old = before.find(thread);
        sum += old == before.end() ? count : count - old->second;
    }
    return sum;
}

std::vector<int> shims_of(int agent) {
    std::vector<int> shims;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        int pid = std::atoi(entry.path().filename().c_str());
        if (pid <= 0) continue;
        try {
            std::string stat = proc(pid, "stat");
            size_t end = stat.rfind(')');
            if (stat.find("(kedge-shim)") != std::string::npos && std::atoi(stat.c_str() + end + 4) == agent)
                shims.push_back(pid);
        } catch (const std::exception&) {
            // it has ended meanwhile
        }
    }
    return shims;
}

}  // namespace

void await_projects(const std::string& socket, size_t projects) {
    HttpClient client(socket);
    wait_for("all projects are good", std::chrono::minutes(20), [&] {
        json list = client.get("/kedge/v1/projects");
        size_t good = 0;
        for (const json& project : list)
            good += project.contains("good") && project["current"].value("state", "") == "good";
        (void)::poll(nullptr, 0, 500);
        return good >= projects;
    });
}

Figure sync_figure(const std::string& socket, int agent, const std::string& what, int rounds) {
    Figure figure{.name = "sync", .what = "processor time of a sync without changes, " + what, .unit = "ms"};
    HttpClient client(socket);
    auto last_success = [&] { return client.get("/kedge/v1/sources")[0].value("last_success", ""); };
    figure.sides.push_back({"kedge", [&] {
                                std::string before = last_success();
                                double begin = quiet_cpu(agent);
                                (void)client.post("/kedge/v1/wake");
                                double end = quiet_cpu(agent);
                                if (last_success() == before) fail("the sync has not ended, or failed");
                                return end - begin;
                            }});
    interleave(figure.sides, rounds);
    const std::vector<double>& values = figure.sides[0].values;
    double mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
    figure.goals.push_back({"mean at most 50 ms", mean, 50});
    return figure;
}

std::vector<Figure> idle_figures(int agent, const std::string& what, int seconds, double limit) {
    (void)quiet_cpu(agent);
    std::vector<int> shims = shims_of(agent);
    if (shims.empty()) fail("no container runs");
    Figure memory{.name = "memory", .what = "memory of the agent, " + what, .unit = "MB"};
    double rss = megabytes(proc(agent, "status"), "VmRSS");
    memory.sides = {{"resident", {}, {rss}}, {"proportional", {}, {pss(agent)}}};
    memory.goals.push_back({fmt::format("agent resident at most {} MB", limit), rss, limit});

    Figure own{
        .name = "memory", .what = fmt::format("proportional memory of each of {} shims", shims.size()), .unit = "MB"};
    own.sides.push_back({"shim", {}, {}});
    for (int shim : shims) own.sides[0].values.push_back(pss(shim));
    own.goals.push_back({"shim at most 0.3 MB", quantile(own.sides[0].values, 1), 0.3});

    std::vector<std::map<std::string, double>> before;
    auto agent_before = switches(agent);
    for (int shim : shims) before.push_back(switches(shim));
    (void)::poll(nullptr, 0, seconds * 1000);
    Figure wakes{
        .name = "memory", .what = fmt::format("context switches in {} s of idleness, {}", seconds, what), .unit = ""};
    wakes.sides = {{"agent", {}, {added(agent_before, switches(agent))}}, {"each shim", {}, {}}};
    for (size_t i = 0; i < shims.size(); ++i) wakes.sides[1].values.push_back(added(before[i], switches(shims[i])));
    wakes.goals.push_back({"shims are never woken", quantile(wakes.sides[1].values, 1), 0});
    return {memory, own, wakes};
}

void clear(const std::string& socket) {
    HttpClient client(socket);
    for (const json& project : client.get("/kedge/v1/projects")) {
        (void)client.post("/kedge/v1/projects/" + project.at("project").get<std::string>() + "/hold",
                          {{"reason", "the measuring ends"}});
    }
    for (const json& container : client.get("/containers/json?all=1")) {
        (void)client.try_remove("/containers/" + container.at("Id").get<std::string>() + "?force=1&v=1");
    }
    for (const json& network : client.get("/networks"))
        (void)client.try_remove("/networks/" + network.at("Id").get<std::string>());
}

}  // namespace kedge::bench

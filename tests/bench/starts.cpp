#include "base/fd.h"
#include "tests/bench/figures.h"
#include "tests/bench/http_client.h"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <sstream>

namespace kedge::bench {

namespace {

using nlohmann::json;

constexpr int kSettleMilliseconds = 100;  // what a side does after its answer is not to fall into the next side's round

json container_spec(const std::string& image, bool network) {
    json host{{"NetworkMode", network ? "kedge-bench" : "none"}};
    json spec{{"Image", image}, {"Cmd", {"true"}}};
    if (network) {
        host["PortBindings"]["80/tcp"] = {{{"HostIp", ""}, {"HostPort", "18080"}}};
        spec["ExposedPorts"]["80/tcp"] = json::object();
    }
    spec["HostConfig"] = host;
    return spec;
}

double start_once(HttpClient& client, const json& spec) {
    std::string container =
        "/v1.40/containers/" + client.post("/v1.40/containers/create", spec).at("Id").get<std::string>();
    json ended;
    double time = timed([&] {
        (void)client.post(container + "/start");
        // Podman looks at the container in intervals; the others tell at once and don't know the word.
        ended = client.post(container + "/wait?interval=1ms");
    });
    if (ended.at("StatusCode") != 0) fail("the container's program failed: " + ended.dump());
    client.remove(container + "?v=1");
    (void)::poll(nullptr, 0, kSettleMilliseconds);
    return time;
}

/// Milliseconds that all processors were busy since the machine started, in ticks of the kernel. See proc_stat(5).
double machine_cpu() {
    std::istringstream words(read_file_at(AT_FDCWD, "/proc/stat", 4096));
    std::string cpu;
    double user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, softirq = 0;
    words >> cpu >> user >> nice >> system >> idle >> wait >> irq >> softirq;
    return (user + nice + system + irq + softirq) * 1000 / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace

Figure start_figure(const std::vector<NamedSocket>& engines, const Command& floor, const std::string& image,
                    bool network, int rounds) {
    Figure figure{.name = "start",
                  .what = std::string("start of a container until its program has ended, ") +
                          (network ? "user-defined bridge network and one published port" : "no network"),
                  .unit = "ms"};
    std::vector<std::shared_ptr<HttpClient>> clients;
    json spec = container_spec(image, network);
    for (const NamedSocket& engine : engines) {
        auto client = clients.emplace_back(std::make_shared<HttpClient>(engine.socket));
        if (network) (void)client->post("/v1.40/networks/create", {{"Name", "kedge-bench"}, {"CheckDuplicate", true}});
        figure.sides.push_back({engine.name, [client, &spec] { return start_once(*client, spec); }});
    }
    Floor kernel(floor);
    figure.sides.push_back({"floor", [&] {
                                double time = kernel.once();
                                (void)::poll(nullptr, 0, kSettleMilliseconds);
                                return time;
                            }});
    interleave(figure.sides, rounds);
    if (network) {
        for (auto& client : clients) client->remove("/v1.40/networks/kedge-bench");
    }
    for (Side& side : figure.sides) side.once = nullptr;
    figure.kedge_within(3, "floor");
    return figure;
}

Figure command_figure(const CommandSetting& setting, int rounds) {
    Figure figure{.name = setting.name, .what = setting.what, .unit = "ms"};
    auto run_those = [](const std::vector<NamedCommand>& commands, const std::string& side) {
        for (const NamedCommand& one : commands) {
            if (one.name == side) one.command.run();
        }
    };
    for (const NamedCommand& one : setting.commands) {
        figure.sides.push_back({one.name, [&setting, &run_those, &one] {
                                    run_those(setting.before, one.name);
                                    (void)::poll(nullptr, 0, kSettleMilliseconds);
                                    double busy = machine_cpu();
                                    double time = timed([&] { one.command.run(); });
                                    if (setting.cpu) time = machine_cpu() - busy;
                                    run_those(setting.after, one.name);
                                    (void)::poll(nullptr, 0, kSettleMilliseconds);
                                    return time;
                                }});
    }
    interleave(figure.sides, rounds);
    for (Side& side : figure.sides) side.once = nullptr;
    for (const std::string& limit : setting.limits) {
        size_t equals = limit.find('=');
        figure.kedge_within(std::strtod(limit.c_str() + equals + 1, nullptr), limit.substr(0, equals));
    }
    return figure;
}

}  // namespace kedge::bench

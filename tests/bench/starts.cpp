#include "tests/bench/figures.h"
#include "tests/bench/http_client.h"

#include <nlohmann/json.hpp>

#include <poll.h>

#include <memory>

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

Figure command_figure(const std::string& name, const std::string& what, const std::vector<NamedCommand>& commands,
                      int rounds) {
    Figure figure{.name = name, .what = what, .unit = "ms"};
    for (const NamedCommand& one : commands) {
        figure.sides.push_back({one.name, [command = one.command] {
                                    double time = timed([&] { command.run(); });
                                    (void)::poll(nullptr, 0, kSettleMilliseconds);
                                    return time;
                                }});
    }
    interleave(figure.sides, rounds);
    return figure;
}

}  // namespace kedge::bench

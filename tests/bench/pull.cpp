#include "tests/bench/figures.h"
#include "tests/bench/http_client.h"

#include <unistd.h>

#include <memory>

namespace kedge::bench {

namespace {

/// What the rounds before wrote is not to be waited for in this one.
double pulled(bool durable, const std::function<void()>& pull) {
    ::sync();
    return timed([&] {
        pull();
        if (durable) ::sync();
    });
}

}  // namespace

Figure pull_figure(const std::vector<NamedSocket>& engines, const std::vector<NamedCommand>& commands,
                   const std::string& image, bool durable, int rounds) {
    Figure figure{.name = "pull",
                  .what = std::string("pull and unpack, ") +
                          (durable ? "until all of it is on the disk" : "until the engine says that it is done"),
                  .unit = "ms"};
    size_t colon = image.rfind(':');
    std::string path = "/v1.40/images/create?fromImage=" + image.substr(0, colon) + "&tag=" + image.substr(colon + 1);
    for (const NamedSocket& engine : engines) {
        auto client = std::make_shared<HttpClient>(engine.socket);
        figure.sides.push_back({engine.name, [client, path, image, durable] {
                                    (void)client->try_remove("/v1.40/images/" + image + "?force=1");
                                    return pulled(durable, [&] { (void)client->post_stream(path); });
                                }});
    }
    for (const NamedCommand& one : commands) {
        figure.sides.push_back(
            {one.name, [command = one.command, durable] { return pulled(durable, [&] { command.run(); }); }});
    }
    interleave(figure.sides, rounds);
    figure.kedge_within(1, "podman");
    return figure;
}

}  // namespace kedge::bench

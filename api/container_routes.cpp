#include "api/container_wait.h"
#include "api/disk_usage.h"
#include "api/docker_json.h"
#include "api/filters.h"
#include "api/image_platform.h"
#include "api/json_body.h"
#include "api/older_versions.h"
#include "api/prune_event.h"
#include "api/reply.h"
#include "api/routes.h"
#include "base/error.h"
#include "reconciler/controller.h"
#include "runtime/engine.h"

#include <charconv>
#include <optional>

namespace kedge::api {

using nlohmann::json;

namespace {

std::optional<int> grace_time(const Request& request) {
    std::string text = request.parameter("t");
    if (text.empty()) return std::nullopt;
    int seconds = 0;
    auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (failure != std::errc() || end != text.data() + text.size())
        throw Error(Code::invalid_argument, "t: \"" + text + "\" is not a number of seconds");
    return seconds;
}

std::string signal_of(const Request& request) {
    return request.api < 42 ? std::string() : request.parameter("signal");
}

Response create(const Request& request, const Services& services) {
    json body = json_body(request);
    json warnings = read_older_create(body, request.api);
    runtime::ContainerSpec spec = container_spec(Fields(body, ""));
    spec.name = request.parameter("name");
    if (spec.name.starts_with("/")) spec.name.erase(0, 1);
    const runtime::ImageInfo image = services.engine.images().get(spec.image);
    if (std::string platform = request.parameter("platform"); !platform.empty())
        expect_platform(image, spec.image, runtime::Platform::parse(platform));
    std::string id;
    try {
        id = services.engine.containers().create(spec);
    } catch (const Error& error) {
        // The image is there: what else is missing must not be 404, which makes Docker's clients pull the image and try
        // again.
        if (error.code() == Code::not_found) throw Error(Code::invalid_argument, error.what(), error.hint());
        throw;
    }
    try {
        for (const std::string& warning : services.engine.containers().inspect(id).warnings)
            warnings.push_back(warning);
    } catch (const Error& e) {
        if (e.code() != Code::not_found) throw;  // removed by somebody already
    }
    return json_reply({{"Id", id}, {"Warnings", warnings}}, 201);
}

Response remove(const Request& request, const Services& services) {
    if (request.flag("link")) throw Error(Code::invalid_argument, "removing links is not supported by kedge");
    runtime::RemoveOptions options;
    options.force = request.flag("force");
    options.volumes = request.flag("v");
    services.engine.containers().remove(request.captures.at("id"), options);
    return empty_reply();
}

Response prune(const Request& request, const Services& services) {
    Filters filters(request, {"label", "label!", "until"});
    const WallTime now = wall_now();
    (void)filters.made_before({}, now);  // a wrong one is told also if there is nothing to remove
    json removed = json::array();
    int64_t freed = 0;
    const std::set<std::string> kept = services.controller.kept_containers();
    for (const runtime::ContainerInfo& info : services.engine.containers().list()) {
        bool stopped = info.status == runtime::Status::created || info.status == runtime::Status::exited ||
                       info.status == runtime::Status::dead;
        if (!stopped || kept.contains(info.id) || !filters.labels(info.labels)) continue;
        if (!filters.made_before(info.created, now)) continue;
        try {
            const int64_t size = services.engine.containers().size(info.id).writable;
            services.engine.containers().remove(info.id);
            removed.push_back(info.id);
            freed += size;
        } catch (const Error& error) {
            // Started or removed by somebody else since it was listed.
            if (error.code() != Code::not_found && error.code() != Code::conflict) throw;
        }
    }
    publish_prune(services.engine.events(), "container", freed);
    return json_reply({{"ContainersDeleted", removed}, {"SpaceReclaimed", freed}});
}

}  // namespace

void add_container_routes(Router& router, const Services& services) {
    runtime::Containers& containers = services.engine.containers();
    router.add("POST", "/containers/create", [&](const Request& request) { return create(request, services); });
    router.add("POST", "/containers/prune", [&](const Request& request) { return prune(request, services); });
    router.add("GET", "/containers/{id}/json", [&containers, &services](const Request& request) {
        json inspection = container_inspection(*containers.snapshot(request.captures.at("id")));
        put_volume_folders(inspection["Mounts"], services.engine.volumes());
        if (request.flag("size")) put_size(inspection, containers.size(inspection.at("Id").get<std::string>()));
        write_older_container(inspection, request.api);
        return json_reply(inspection);
    });
    router.add("POST", "/containers/{id}/start", [&containers](const Request& request) {
        containers.start(request.captures.at("id"));
        return empty_reply();
    });
    router.add("POST", "/containers/{id}/stop", [&containers](const Request& request) {
        containers.stop(request.captures.at("id"), grace_time(request), signal_of(request));
        return empty_reply();
    });
    router.add("POST", "/containers/{id}/restart", [&containers](const Request& request) {
        containers.restart(request.captures.at("id"), grace_time(request), signal_of(request));
        return empty_reply();
    });
    router.add("POST", "/containers/{id}/kill", [&containers](const Request& request) {
        std::string signal = request.parameter("signal");
        containers.kill(request.captures.at("id"), signal.empty() ? "KILL" : signal);
        return empty_reply();
    });
    router.add("POST", "/containers/{id}/rename", [&containers](const Request& request) {
        containers.rename(request.captures.at("id"), request.parameter("name"));
        return empty_reply();
    });
    router.add("POST", "/containers/{id}/wait",
               [&containers](const Request& request) { return wait_reply(request, containers); });
    router.add("DELETE", "/containers/{id}", [&](const Request& request) { return remove(request, services); });
    router.add("POST", "/containers/{id}/pause", [&containers](const Request& request) {
        containers.pause(request.captures.at("id"));
        return empty_reply();
    });
    router.add("POST", "/containers/{id}/unpause", [&containers](const Request& request) {
        containers.unpause(request.captures.at("id"));
        return empty_reply();
    });
    router.add("POST", "/containers/{id}/update", [&containers](const Request& request) {
        json body = json_body(request);
        return json_reply(
            {{"Warnings", containers.update(request.captures.at("id"), container_update(Fields(body, "")))}});
    });
}

}  // namespace kedge::api

#include "api/docker_json.h"
#include "api/filters.h"
#include "api/json_body.h"
#include "api/prune_event.h"
#include "api/reply.h"
#include "api/routes.h"
#include "base/error.h"
#include "runtime/engine.h"

#include <algorithm>

namespace kedge::api {

using nlohmann::json;

namespace {

/// Names of the volumes that containers, running or not, use.
std::set<std::string> used_volumes(runtime::Containers& containers) {
    std::set<std::string> used;
    for (const runtime::ContainerInfo& info : containers.list()) {
        for (const runtime::Mount& mount : info.mounts) {
            if (mount.type == runtime::Mount::Type::volume) used.insert(mount.source);
        }
    }
    return used;
}

Response list_volumes(const Request& request, const Services& services) {
    Filters filters(request, {"name", "driver", "label", "dangling"});
    std::set<std::string> used;
    if (filters.has("dangling")) used = used_volumes(services.engine.containers());
    json volumes = json::array();
    for (const runtime::VolumeInfo& info : services.engine.volumes().list()) {
        if (!filters.match("name", info.spec.name) || !filters.exact("driver", info.spec.driver)) continue;
        if (!filters.labels(info.spec.labels)) continue;
        if (filters.has("dangling") && filters.flag("dangling", false) == used.contains(info.spec.name)) continue;
        volumes.push_back(volume_json(info));
    }
    return json_reply({{"Volumes", volumes}, {"Warnings", nullptr}});
}

Response create(const Request& request, runtime::Volumes& volumes) {
    json text = json_body(request);
    Fields body(text, "");
    runtime::VolumeSpec spec;
    spec.name = body.text("Name");
    if (std::string driver = body.text("Driver"); !driver.empty()) spec.driver = driver;
    spec.labels = body.text_map("Labels");
    spec.options = body.text_map("DriverOpts");
    body.refuse_others({"Name", "Driver", "Labels", "DriverOpts"});
    return json_reply(volume_json(volumes.create(spec)), 201);
}

/// Docker's `volume prune`: unused anonymous volumes, with all=true also named ones; before API 1.42 always these, too.
/// What has driver options stays: somebody chose them.
Response prune(const Request& request, const Services& services) {
    Filters filters(request, {"label", "label!", "all"});
    bool all = filters.flag("all", false) || request.api < 42;
    std::set<std::string> used = used_volumes(services.engine.containers());
    json removed = json::array();
    int64_t freed = 0;
    for (const runtime::VolumeInfo& info : services.engine.volumes().list()) {
        if (used.contains(info.spec.name) || !(all || info.anonymous) || !info.spec.options.empty()) continue;
        if (!filters.labels(info.spec.labels)) continue;
        try {
            const int64_t size = services.engine.volumes().size(info.spec.name);
            services.engine.volumes().remove(info.spec.name);
            removed.push_back(info.spec.name);
            freed += size;
        } catch (const Error& error) {
            if (error.code() != Code::conflict && error.code() != Code::not_found)
                throw;  // taken or gone since it was listed
        }
    }
    publish_prune(services.engine.events(), "volume", freed);
    return json_reply({{"VolumesDeleted", removed}, {"SpaceReclaimed", freed}});
}

}  // namespace

void add_volume_routes(Router& router, const Services& services) {
    runtime::Volumes& volumes = services.engine.volumes();
    router.add("GET", "/volumes", [&services](const Request& request) { return list_volumes(request, services); });
    router.add("POST", "/volumes/create", [&volumes](const Request& request) { return create(request, volumes); });
    router.add("POST", "/volumes/prune", [&services](const Request& request) { return prune(request, services); });
    router.add("GET", "/volumes/{name}", [&volumes](const Request& request) {
        return json_reply(volume_json(volumes.inspect(request.captures.at("name"))));
    });
    router.add("DELETE", "/volumes/{name}", [&volumes](const Request& request) {
        volumes.remove(request.captures.at("name"), request.flag("force"));
        return empty_reply();
    });
}

}  // namespace kedge::api

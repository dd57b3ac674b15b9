#include "api/disk_usage.h"
#include "api/docker_json.h"
#include "api/filters.h"
#include "api/image_platform.h"
#include "api/older_versions.h"
#include "api/prune_event.h"
#include "api/registry_auth.h"
#include "api/reply.h"
#include "api/routes.h"
#include "base/error.h"
#include "runtime/engine.h"

#include <nlohmann/json.hpp>

#include <fnmatch.h>
#include <algorithm>

namespace kedge::api {

using nlohmann::json;
using runtime::ImageInfo;

namespace {

/// Leaves the names that the `reference` filters ask for; false if it has none of them.
bool keep_asked_names(const Filters& filters, ImageInfo& info) {
    const auto& wanted = filters.values("reference");
    if (wanted.empty()) return true;
    auto is_other = [&](const std::string& name) {
        // `web:1`, or `web@sha256:...`
        const std::string repository =
            name.substr(0, name.find('@') != std::string::npos ? name.find('@') : name.rfind(':'));
        return std::none_of(wanted.begin(), wanted.end(), [&](const std::string& pattern) {
            return ::fnmatch(pattern.c_str(), name.c_str(), FNM_PATHNAME) == 0 ||
                   ::fnmatch(pattern.c_str(), repository.c_str(), FNM_PATHNAME) == 0;
        });
    };
    std::erase_if(info.tags, is_other);
    std::erase_if(info.repo_digests, is_other);
    return !info.tags.empty() || !info.repo_digests.empty();
}

/// The other platforms of an image are not on this machine.
void refuse_manifests(const Request& request, int since) {
    if (request.api >= since && request.flag("manifests"))
        throw Error(Code::invalid_argument, "manifests: is not supported by kedge, which keeps one of each image");
}

Response list_images(const Request& request, const Services& services) {
    Filters filters(request, {"dangling", "label", "reference", "before", "since", "until"});
    std::map<Digest, int> uses;
    for (const runtime::ContainerInfo& container : services.engine.containers().list()) ++uses[container.image_id];
    std::vector<ImageInfo> images = services.engine.images().list();
    for (const std::string& name : filters.values("before")) {
        WallTime limit = services.engine.images().get(name).created;
        std::erase_if(images, [&](const ImageInfo& info) { return info.created >= limit; });
    }
    for (const std::string& name : filters.values("since")) {
        WallTime limit = services.engine.images().get(name).created;
        std::erase_if(images, [&](const ImageInfo& info) { return info.created <= limit; });
    }
    refuse_manifests(request, 47);
    std::map<Digest, int64_t> shared;
    if (request.flag("shared-size")) shared = shared_sizes(services.engine.images().list());
    const WallTime now = wall_now();
    json result = json::array();
    for (ImageInfo& info : images) {
        if (!filters.made_before(info.created, now)) continue;
        if (filters.has("dangling") && filters.flag("dangling", false) != info.tags.empty()) continue;
        if (!filters.labels(info.config.labels) || !keep_asked_names(filters, info)) continue;
        result.push_back(image_summary(info, uses[info.id], shared.contains(info.id) ? shared.at(info.id) : -1));
        write_older_image_summary(result.back(), request.api);
    }
    return json_reply(result);
}

json removed_json(const std::vector<runtime::RemovedImage>& removed) {
    json result = json::array();
    for (const runtime::RemovedImage& item : removed) {
        if (!item.untagged.empty()) result.push_back({{"Untagged", item.untagged}});
        if (!item.deleted.empty()) result.push_back({{"Deleted", item.deleted.str()}});
    }
    return result;
}

Response tag(const Request& request, runtime::Images& images) {
    std::string target = request.parameter("repo");
    if (std::string name = request.parameter("tag"); !name.empty()) target += ":" + name;
    images.tag(request.captures.at("name"), target);
    return empty_reply(201);
}

/// What the registry has under a name: descriptor and platforms.
Response distribution(const Request& request, const runtime::Images& images) {
    const std::string& name = request.captures.at("name");
    const bool is_id = name.size() == 64 && name.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (is_id) throw Error(Code::invalid_argument, "no manifest found for full image ID");
    const runtime::RemoteImage image =
        images.look_up(name, read_registry_auth(request.header("x-registry-auth")), request.watch_client());
    json platforms = json::array();
    for (const runtime::Platform& platform : image.platforms) {
        platforms.push_back({{"os", platform.os}, {"architecture", platform.architecture}});
        if (!platform.variant.empty()) platforms.back()["variant"] = platform.variant;
    }
    return json_reply(
        {{"Descriptor", {{"mediaType", image.media_type}, {"digest", image.digest.str()}, {"size", image.size}}},
         {"Platforms", platforms}});
}

/// Docker's `image prune`: untagged images, or with dangling=false every image that no container uses. Pinned ones
/// stay.
Response prune(const Request& request, const Services& services) {
    Filters filters(request, {"dangling", "label", "label!", "until"});
    const WallTime now = wall_now();
    (void)filters.made_before({}, now);  // a wrong one is told also if there is nothing to remove
    const bool dangling = filters.flag("dangling", true);
    std::set<Digest> used;
    for (const auto& container : services.engine.containers().snapshots()) {
        used.insert(container->image_id);
        for (const runtime::Mount& mount : container->mounts)
            if (!mount.image_id.empty()) used.insert(Digest::parse(mount.image_id));
    }
    json removed = json::array();
    int64_t freed = 0;
    for (const ImageInfo& info : services.engine.images().list()) {
        if (used.contains(info.id) || (dangling && !info.tags.empty())) continue;
        if (!filters.labels(info.config.labels) || !filters.made_before(info.created, now)) continue;
        try {
            std::vector<runtime::RemovedImage> gone = services.engine.images().remove(info.id.str(), true);
            for (const runtime::RemovedImage& image : gone) freed += image.freed;
            json lines = removed_json(gone);
            removed.insert(removed.end(), lines.begin(), lines.end());
        } catch (const Error& error) {
            if (error.code() != Code::conflict && error.code() != Code::not_found) throw;  // pinned, or gone meanwhile
        }
    }
    // And content of no image, unless only some images are meant.
    const bool some = filters.has("label") || filters.has("label!") || filters.has("until");
    if (!some) freed += services.engine.images().collect();
    publish_prune(services.engine.events(), "image", freed);
    return json_reply({{"ImagesDeleted", removed.empty() ? json(nullptr) : removed}, {"SpaceReclaimed", freed}});
}

}  // namespace

void add_image_routes(Router& router, const Services& services) {
    runtime::Images& images = services.engine.images();
    router.add("GET", "/images/json", [&services](const Request& request) { return list_images(request, services); });
    router.add("POST", "/images/prune", [&services](const Request& request) { return prune(request, services); });
    router.add("GET", "/images/search",
               [](const Request&) { return error_reply(501, "searching registries is not supported by kedge"); });
    router.add("POST", "/images/{name...}/push",
               [](const Request&) { return error_reply(501, "pushing images is not supported by kedge"); });
    router.add("GET", "/images/{name...}/json", [&images](const Request& request) {
        refuse_manifests(request, 48);
        json inspection = image_inspection(image_of_platform(images, request, "platform", 49));
        write_older_image(inspection, request.api);
        return json_reply(inspection);
    });
    router.add("GET", "/images/{name...}/history", [&images](const Request& request) {
        return json_reply(image_history(image_of_platform(images, request, "platform", 48)));
    });
    router.add("GET", "/distribution/{name...}/json",
               [&images](const Request& request) { return distribution(request, images); });
    router.add("POST", "/images/{name...}/tag", [&images](const Request& request) { return tag(request, images); });
    router.add("DELETE", "/images/{name...}", [&images](const Request& request) {
        (void)image_of_platform(images, request, "platforms", 50);
        return json_reply(removed_json(images.remove(request.captures.at("name"), request.flag("force"))));
    });
}

}  // namespace kedge::api

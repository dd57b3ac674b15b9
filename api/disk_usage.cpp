#include "api/disk_usage.h"

#include "api/docker_json.h"
#include "api/older_versions.h"
#include "base/error.h"
#include "runtime/engine.h"

#include <nlohmann/json.hpp>

#include <set>

namespace kedge::api {

using nlohmann::json;

namespace {

/// What is removed while it is looked at is left out.
template <typename Work>
void unless_gone(Work&& work) {
    try {
        work();
    } catch (const Error& error) {
        if (error.code() != Code::not_found) throw;
    }
}

int64_t layers_size(const std::vector<runtime::ImageInfo>& images) {
    std::map<Digest, int64_t> layers;
    for (const runtime::ImageInfo& image : images) {
        for (size_t i = 0; i < image.diff_ids.size(); ++i) layers[image.diff_ids[i]] = image.layer_sizes[i];
    }
    int64_t sum = 0;
    for (const auto& [layer, size] : layers) sum += size;
    return sum;
}

json images_usage(const std::vector<runtime::ImageInfo>& images, int api, const Services& services) {
    std::map<Digest, int> uses;
    for (const auto& container : services.engine.containers().snapshots()) ++uses[container->image_id];
    const std::map<Digest, int64_t> shared = shared_sizes(images);
    json list = json::array();
    for (const runtime::ImageInfo& image : images) {
        list.push_back(image_summary(image, uses[image.id], shared.at(image.id)));
        write_older_image_summary(list.back(), api);
    }
    return list;
}

json containers_usage(int api, const Services& services) {
    const WallTime now = wall_now();
    json list = json::array();
    for (const auto& info : services.engine.containers().snapshots()) {
        unless_gone([&] {
            json item = container_summary(*info, now);
            put_size(item, services.engine.containers().size(info->id));
            write_older_container_summary(item, api);
            list.push_back(std::move(item));
        });
    }
    return list;
}

json volumes_usage(const Services& services) {
    std::map<std::string, int> users;
    for (const auto& info : services.engine.containers().snapshots()) {
        for (const runtime::Mount& mount : info->mounts) {
            if (mount.type == runtime::Mount::Type::volume) ++users[mount.source];
        }
    }
    json list = json::array();
    for (const runtime::VolumeInfo& volume : services.engine.volumes().list()) {
        unless_gone([&] {
            json item = volume_json(volume);
            item["UsageData"] = {{"Size", services.engine.volumes().size(volume.spec.name)},
                                 {"RefCount", users[volume.spec.name]}};
            list.push_back(std::move(item));
        });
    }
    return list;
}

std::set<std::string> asked_types(const Request& request) {
    static const std::set<std::string> known = {"container", "image", "volume", "build-cache"};
    std::set<std::string> types;
    auto [first, last] = request.query.equal_range("type");
    for (auto type = first; type != last; ++type) {
        if (!known.contains(type->second)) throw Error(Code::invalid_argument, "unknown object type: " + type->second);
        types.insert(type->second);
    }
    return types.empty() ? known : types;
}

}  // namespace

std::map<Digest, int64_t> shared_sizes(const std::vector<runtime::ImageInfo>& images) {
    std::map<Digest, int> owners;
    for (const runtime::ImageInfo& image : images) {
        for (const Digest& layer : std::set<Digest>(image.diff_ids.begin(), image.diff_ids.end())) ++owners[layer];
    }
    std::map<Digest, int64_t> shared;
    for (const runtime::ImageInfo& image : images) {
        std::map<Digest, int64_t> layers;
        for (size_t i = 0; i < image.diff_ids.size(); ++i) {
            if (owners[image.diff_ids[i]] > 1) layers[image.diff_ids[i]] = image.layer_sizes[i];
        }
        int64_t& sum = shared[image.id];
        for (const auto& [layer, size] : layers) sum += size;
    }
    return shared;
}

void put_size(json& container, const runtime::ContainerSize& size) {
    container["SizeRw"] = size.writable;
    container["SizeRootFs"] = size.root_fs;
}

json disk_usage(const Request& request, const Services& services) {
    const std::set<std::string> types = asked_types(request);
    json usage = json::object();
    if (types.contains("image")) {
        const std::vector<runtime::ImageInfo> images = services.engine.images().list();
        usage["LayersSize"] = layers_size(images);
        usage["Images"] = images_usage(images, request.api, services);
    }
    if (types.contains("container")) usage["Containers"] = containers_usage(request.api, services);
    if (types.contains("volume")) usage["Volumes"] = volumes_usage(services);
    if (types.contains("build-cache")) {
        usage["BuildCache"] = json::array();
        usage["BuilderSize"] = 0;
    }
    return usage;
}

}  // namespace kedge::api

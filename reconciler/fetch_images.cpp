#include "reconciler/fetch_images.h"

#include "base/error.h"

namespace kedge::reconciler {

namespace {

std::optional<Digest> local_image(const runtime::Images& images, const std::string& reference) {
    try {
        return images.get(reference).id;
    } catch (const Error& e) {
        if (e.code() != Code::not_found) throw;
        return {};
    }
}

Digest fetch_image(runtime::Images& images, const sources::Service& service, std::stop_token stop) {
    if (service.image.empty()) throw Error(Code::invalid_argument, "it names no image");
    if (service.pull_policy != "always") {
        if (std::optional<Digest> id = local_image(images, service.image)) return *id;
    }
    if (service.pull_policy == "never") {
        throw Error(Code::not_found, "image " + service.image + " is not on this device, and pull_policy is never");
    }
    runtime::PullOptions options;
    if (!service.platform.empty()) options.platform = runtime::Platform::parse(service.platform);
    return images.pull(service.image, options, {}, stop).id;
}

}  // namespace

std::optional<std::map<std::string, Digest>> local_images(const runtime::Images& images, const sources::Project& project) {
    std::map<std::string, Digest> result;
    for (const auto& [name, service] : project.services) {
        if (service.pull_policy == "always" || service.image.empty()) return {};
        std::optional<Digest> id = local_image(images, service.image);
        if (!id) return {};
        result[name] = *id;
    }
    return result;
}

std::map<std::string, Digest> fetch_images(runtime::Images& images, const sources::Project& project,
                                           const std::function<void(const std::string&)>& progress, std::stop_token stop) {
    std::map<std::string, Digest> result;
    std::map<std::string, Digest> pulled;  // several services of one image: always means once
    for (const auto& [name, service] : project.services) {
        std::string key = service.image + "\n" + service.platform;
        if (auto found = pulled.find(key); found != pulled.end()) {
            result[name] = found->second;
            continue;
        }
        progress("fetch image " + service.image);
        try {
            result[name] = pulled[key] = fetch_image(images, service, stop);
        } catch (const Error& e) {
            throw e.with_context("services." + name);
        }
    }
    return result;
}

}  // namespace kedge::reconciler

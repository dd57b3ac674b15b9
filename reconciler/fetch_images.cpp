#include "reconciler/fetch_images.h"

#include "base/error.h"

namespace kedge::reconciler {

namespace {

bool fits(const runtime::Platform& is, const std::string& wanted_text) {
    if (wanted_text.empty()) return true;
    runtime::Platform wanted = runtime::Platform::parse(wanted_text);
    return is.os == wanted.os && is.architecture == wanted.architecture &&
           (wanted.variant.empty() || is.variant == wanted.variant);
}

bool has_name(const runtime::Images& images, const std::string& name) {
    try {
        (void)images.get(name);
        return true;
    } catch (const Error& e) {
        if (e.code() != Code::not_found) throw;
        return false;
    }
}

/// A registry that doesn't have the image may have it soon: it is often pushed after the commit, and credentials are
/// put right.
Digest pull_image(runtime::Images& images, const sources::Service& service, std::stop_token stop) {
    runtime::PullOptions options;
    if (!service.platform.empty()) options.platform = runtime::Platform::parse(service.platform);
    try {
        return images.pull(service.image, options, {}, stop).id;
    } catch (Error& e) {
        bool may_come =
            e.code() == Code::not_found || e.code() == Code::unauthenticated || e.code() == Code::permission_denied;
        if (may_come) e.set_transient(true);
        throw;
    }
}

Digest fetch_image(runtime::Images& images, const sources::Service& service, const PulledSink& pulled,
                   std::stop_token stop) {
    if (service.image.empty()) throw Error(Code::invalid_argument, "it names no image");
    std::optional<Digest> there = local_image(images, service);
    if (there && service.pull_policy != "always") return *there;
    if (service.pull_policy == "never") {
        throw Error(Code::not_found, "image " + service.image + " is not on this device" +
                                         (service.platform.empty() ? "" : " for " + service.platform) +
                                         ", and pull_policy is never");
    }
    bool was_there = has_name(images, service.image);
    Digest id = pull_image(images, service, stop);
    pulled(full_name(service.image), id, was_there);
    return id;
}

}  // namespace

std::optional<Digest> local_image(const runtime::Images& images, const sources::Service& service) {
    try {
        runtime::ImageInfo info = images.get(service.image);
        return fits(info.platform, service.platform) ? std::optional(info.id) : std::nullopt;
    } catch (const Error& e) {
        if (e.code() != Code::not_found) throw;
        return {};
    }
}

std::optional<std::map<std::string, Digest>> local_images(const runtime::Images& images,
                                                          const sources::Project& project) {
    std::map<std::string, Digest> result;
    for (const auto& [name, service] : project.services) {
        if (service.pull_policy == "always" || service.image.empty()) return {};
        std::optional<Digest> id = local_image(images, service);
        if (!id) return {};
        result[name] = *id;
    }
    return result;
}

std::map<std::string, Digest> fetch_images(runtime::Images& images, const sources::Project& project,
                                           const PulledSink& pulled, std::stop_token stop) {
    std::map<std::string, Digest> result;
    std::map<std::string, Digest> fetched;  // several services of one image: always means once
    for (const auto& [name, service] : project.services) {
        std::string key = service.image + "\n" + service.platform;
        if (auto found = fetched.find(key); found != fetched.end()) {
            result[name] = found->second;
            continue;
        }
        try {
            result[name] = fetched[key] = fetch_image(images, service, pulled, stop);
        } catch (const Error& e) {
            throw e.with_context("services." + name);
        }
    }
    return result;
}

std::string full_name(const std::string& image) {
    try {
        return runtime::Reference::parse(image).full();
    } catch (const Error&) {
        return image;
    }
}

}  // namespace kedge::reconciler

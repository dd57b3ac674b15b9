#include "runtime/images/look_up.h"

#include "base/error.h"
#include "runtime/images/media_types.h"
#include "runtime/images/pull_layers.h"
#include "runtime/images/pull_manifest.h"
#include "runtime/images/registry_client.h"

namespace kedge::runtime {

namespace {

/// Of a manifest: what its config says. One that can't be read says nothing.
std::vector<Platform> platform_of(RegistryClient& client, const std::string& manifest, const std::string& what,
                                  const std::stop_token& stop) {
    try {
        const Descriptor config = read_manifest(manifest, what).config;
        return {read_config(fetch_document(client, config, what + ": config", stop), what).platform};
    } catch (const Error& error) {
        if (error.code() == Code::cancelled) throw;
        return {};
    }
}

}  // namespace

RemoteImage look_up_image(const RegistrySettings& settings, const Reference& reference,
                          const std::optional<Credentials>& credentials, std::stop_token stop) {
    const std::string what = reference.familiar();
    RegistryClient client(settings, reference, credentials);
    RegistryClient::Manifest root =
        client.manifest(reference.digest.empty() ? reference.tag : reference.digest.str(), stop);
    RemoteImage image{root.digest, root.media_type, static_cast<int64_t>(root.body.size()), {}};
    image.platforms =
        is_index(root.media_type) ? platforms_of(root.body, what) : platform_of(client, root.body, what, stop);
    return image;
}

}  // namespace kedge::runtime

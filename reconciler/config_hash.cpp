#include "reconciler/render.h"

#include "base/digest.h"

#include <algorithm>

namespace kedge::reconciler {

namespace {

/// Which way the hash is made. Another way gets another number: then containers are compared by what they are
/// (same_container()).
const std::string kHashVersion = "1-";

const std::string& digest_of(const std::map<std::string, sources::FileSource>& files, const std::string& key) {
    static const std::string none;
    auto found = files.find(key);
    return found == files.end() ? none : found->second.content_digest;
}

std::string config_hash(const sources::Project& project, sources::Service service) {
    // How a service is rolled out, and after whom, makes no other container of it.
    service.replicas = 1;
    service.depends_on.clear();
    service.update_config = {};
    service.rollback_config = {};
    service.pull_policy.clear();

    Hasher hasher;
    for (sources::VolumeMount& mount : service.volumes) {
        if (!mount.content_digest.empty()) mount.source.clear();  // the tree's path is another one with every commit
        if (mount.type != "volume" || mount.source.empty()) continue;
        auto volume = project.volumes.find(mount.source);
        if (volume != project.volumes.end()) hasher.update("volume " + mount.source + "=" + volume->second.name + "\n");
    }
    for (const sources::NetworkUse& use : service.networks) {
        auto network = project.networks.find(use.network);
        if (network != project.networks.end())
            hasher.update("network " + use.network + "=" + network->second.name + "\n");
    }
    for (const sources::FileUse& use : service.secrets)
        hasher.update("secret " + digest_of(project.secrets, use.source) + "\n");
    for (const sources::FileUse& use : service.configs)
        hasher.update("config " + digest_of(project.configs, use.source) + "\n");
    hasher.update(sources::canonical_text(service));
    return kHashVersion + hasher.finish().hex();
}

}  // namespace

bool same_hash_version(const std::string& one, const std::string& other) {
    auto version = [](const std::string& hash) {
        size_t end = hash.find('-');
        return end == std::string::npos ? std::string() : hash.substr(0, end);
    };
    return version(one) == version(other);
}

std::map<std::string, std::string> config_hashes(const Target& target) {
    std::map<std::string, std::string> result;
    for (const auto& [name, service] : target.project.services) result[name] = config_hash(target.project, service);
    return result;
}

Plan plan(const Target& target, const Observed& observed, const History& history, const Policy& policy) {
    return plan(target, config_hashes(target), observed, history, policy);
}

}  // namespace kedge::reconciler

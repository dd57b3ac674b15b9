#include "api/predefined_networks.h"

#include "runtime/engine.h"

namespace kedge::api {

bool is_predefined(const std::string& network) {
    return network == runtime::kDefaultNetwork || network == runtime::kHostNetwork || network == runtime::kNoNetwork;
}

std::vector<runtime::NetworkInfo> mode_networks(const Services& services) {
    std::vector<runtime::NetworkInfo> result;
    for (const char* name : {runtime::kHostNetwork, runtime::kNoNetwork}) {
        runtime::NetworkInfo& info = result.emplace_back();
        info.id = runtime::id_of_mode(name);
        info.spec.name = name;
        info.spec.driver = name == std::string(runtime::kHostNetwork) ? "host" : "null";
        info.created = services.started;
        for (const auto& container : services.engine.containers().snapshots()) {
            if (container->pid == 0) continue;
            for (const runtime::NetworkAttachment& attachment : container->networks) {
                if (attachment.network == name) info.containers.push_back(container->id);
            }
        }
    }
    return result;
}

std::optional<runtime::NetworkInfo> find_mode_network(const Services& services, const std::string& name_or_id) {
    for (runtime::NetworkInfo& info : mode_networks(services)) {
        const bool by_id = name_or_id.size() >= 12 && info.id.starts_with(name_or_id);
        if (info.spec.name == name_or_id || by_id) return std::move(info);
    }
    return std::nullopt;
}

}  // namespace kedge::api

#include "api/routes.h"

#include "api/audited.h"
#include "api/reply.h"
#include "base/error.h"

#include <charconv>
#include <memory>
#include <optional>

namespace kedge::api {

namespace {

/// The minor number of `/v1.43/...`; empty if the path has no version.
std::optional<int> version_prefix(std::string_view path) {
    if (!path.starts_with("/v1.")) return std::nullopt;
    path.remove_prefix(4);
    int minor = 0;
    auto [end, failure] = std::from_chars(path.data(), path.data() + path.size(), minor);
    if (failure != std::errc() || (end != path.data() + path.size() && *end != '/')) return std::nullopt;
    return minor;
}

/// Of `1.43`.
constexpr int minor_of(std::string_view api) {
    int minor = 0;
    for (char digit : api.substr(2)) minor = 10 * minor + (digit - '0');
    return minor;
}
static_assert(minor_of(kApiVersion) == kNewestApi);

void check_version(int minor) {
    std::string asked = "1." + std::to_string(minor);
    if (minor > minor_of(kApiVersion)) {
        throw Error(
            Code::invalid_argument,
            "client version " + asked + " is too new. Maximum supported API version is " + std::string(kApiVersion));
    }
    if (minor < minor_of(kMinimumApiVersion)) {
        throw Error(Code::invalid_argument,
                    "client version " + asked + " is too old. Minimum supported API version is " +
                        std::string(kMinimumApiVersion) + ", please upgrade your client to a newer version");
    }
}

}  // namespace

std::string_view version() {
    return KEDGE_VERSION;
}

Handler make_api(const Services& given) {
    auto services = std::make_shared<Services>(given);
    auto router = std::make_shared<Router>();
    for (auto add : {add_absent_routes, add_system_routes, add_event_routes, add_container_routes,
                     add_container_list_routes, add_container_file_routes, add_usage_routes, add_log_routes,
                     add_attach_routes, add_exec_routes, add_image_routes, add_image_transfer_routes, add_volume_routes,
                     add_network_routes, add_kedge_routes, add_metrics_routes}) {
        add(*router, *services);
    }
    Handler handler = audited([router](Request& request) { return router->route(request); }, *services);
    return [services, handler](Request& request) {
        if (std::optional<int> minor = version_prefix(request.path)) {
            check_version(*minor);
            request.api = *minor;
            request.path.erase(0, request.path.find('/', 1));
        }
        return handler(request);
    };
}

}  // namespace kedge::api

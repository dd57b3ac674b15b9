#include "api/docker_json.h"
#include "api/filters.h"
#include "api/json_body.h"
#include "api/predefined_networks.h"
#include "api/prune_event.h"
#include "api/reply.h"
#include "api/routes.h"
#include "base/error.h"
#include "runtime/engine.h"

namespace kedge::api {

using nlohmann::json;

namespace {

std::vector<runtime::NetworkInfo> all_networks(const Services& services) {
    std::vector<runtime::NetworkInfo> all = services.engine.networks().list();
    for (runtime::NetworkInfo& mode : mode_networks(services)) all.push_back(std::move(mode));
    return all;
}

Response list_networks(const Request& request, const Services& services) {
    Filters filters(request, {"name", "id", "driver", "label", "scope", "type", "dangling"});
    for (const std::string& type : filters.values("type")) {
        if (type != "builtin" && type != "custom")
            throw Error(Code::invalid_argument, "invalid filter: 'type'='" + type + "'");
    }
    json result = json::array();
    for (const runtime::NetworkInfo& info : all_networks(services)) {
        const bool predefined = is_predefined(info.spec.name);
        if (!filters.match("name", info.spec.name) || !filters.prefix("id", info.id) ||
            !filters.exact("driver", info.spec.driver))
            continue;
        if (!filters.labels(info.spec.labels) || !filters.exact("scope", "local")) continue;
        if (!filters.exact("type", predefined ? "builtin" : "custom")) continue;
        // What was made by nobody is not left over by anybody.
        if (filters.has("dangling") && filters.flag("dangling", false) == (predefined || !info.containers.empty()))
            continue;
        result.push_back(network_json(info));
        result.back()["Containers"] = json::object();  // a list doesn't name them
    }
    return json_reply(result);
}

void expect_local_scope(const Fields& body) {
    if (std::string scope = body.text("Scope"); !scope.empty() && scope != "local") {
        throw Error(Code::invalid_argument, "Scope: \"" + scope + "\" is not supported by kedge");
    }
}

bool is_ipv6(const std::string& text) {
    return text.find(':') != std::string::npos;
}

/// One of IPv4 and one of IPv6, in any order.
void read_addresses(const std::vector<Fields>& configs, runtime::NetworkSpec& spec) {
    for (const Fields& config : configs) {
        const std::string subnet = config.text("Subnet"), gateway = config.text("Gateway"),
                          range = config.text("IPRange");
        const auto auxiliary = config.text_map("AuxiliaryAddresses");
        config.refuse_others({"Subnet", "Gateway", "IPRange", "AuxiliaryAddresses"});
        if (subnet.empty() && !auxiliary.empty())
            throw Error(Code::invalid_argument, "every auxiliary address must have a corresponding subnet");
        if (subnet.empty() && !(gateway.empty() && range.empty()))
            throw Error(Code::invalid_argument, "every ip-range or gateway must have a corresponding subnet");
        if (subnet.empty()) continue;
        const bool ipv6 = is_ipv6(subnet);
        for (const std::string& other : {gateway, range}) {
            if (other.empty() || is_ipv6(other) == ipv6) continue;
            throw Error(Code::invalid_argument,
                        "no matching subnet for " + std::string(other == gateway ? "gateway " : "range ") + other);
        }
        if (!(ipv6 ? spec.subnet6 : spec.subnet).empty())
            throw Error(Code::invalid_argument, "bridge driver doesn't support multiple subnets");
        (ipv6 ? spec.subnet6 : spec.subnet) = subnet;
        (ipv6 ? spec.gateway6 : spec.gateway) = gateway;
        (ipv6 ? spec.ip_range6 : spec.ip_range) = range;
        (ipv6 ? spec.aux_addresses6 : spec.aux_addresses) = auxiliary;
    }
}

/// What is in the way of networks is status 403 at Docker.
Error as_forbidden(const Error& error) {
    return error.code() == Code::conflict ? Error(Code::permission_denied, error.what(), error.hint()) : error;
}

Response create(const Request& request, runtime::Networks& networks) {
    json text = json_body(request);
    Fields body(text, "");
    runtime::NetworkSpec spec;
    spec.name = body.text("Name");
    if (is_predefined(spec.name)) {
        throw Error(Code::permission_denied, "operation is not permitted on predefined " + spec.name + " network");
    }
    if (std::string driver = body.text("Driver"); !driver.empty()) spec.driver = driver;
    spec.internal = body.flag("Internal");
    spec.attachable = body.flag("Attachable");
    spec.labels = body.text_map("Labels");
    spec.options = body.text_map("Options");
    spec.ipv6 = body.flag("EnableIPv6");
    // Clients of older versions don't know it.
    if (request.api >= 48 && body.has("EnableIPv4")) spec.ipv4 = body.flag("EnableIPv4");
    read_addresses(body.object("IPAM").objects("Config"), spec);
    if (std::string driver = body.object("IPAM").text("Driver"); !driver.empty() && driver != "default") {
        throw Error(Code::invalid_argument, "IPAM.Driver: \"" + driver + "\" is not supported by kedge");
    }
    body.object("IPAM").refuse_others({"Driver", "Config"});
    expect_local_scope(body);
    // `CheckDuplicate` is always so.
    body.refuse_others({"Name", "Driver", "Internal", "Labels", "Options", "IPAM", "Attachable", "CheckDuplicate",
                        "EnableIPv4", "EnableIPv6", "Scope"});
    try {
        return json_reply({{"Id", networks.create(spec)}, {"Warning", ""}}, 201);
    } catch (const Error& error) {
        bool named_so = std::string_view(error.what()).find("already exists") != std::string_view::npos;
        if (named_so) throw;
        throw as_forbidden(error);
    }
}

Response prune(const Request& request, const Services& services) {
    Filters filters(request, {"label", "label!", "until"});
    const WallTime now = wall_now();
    (void)filters.made_before({}, now);  // a wrong one is told also if there is nothing to remove
    // A container that doesn't run needs the networks that it will join.
    std::set<std::string> wanted;
    for (const auto& container : services.engine.containers().snapshots()) {
        for (const runtime::NetworkAttachment& attachment : container->networks) wanted.insert(attachment.network);
    }
    runtime::Networks& networks = services.engine.networks();
    json removed = json::array();
    for (const runtime::NetworkInfo& info : networks.list()) {
        if (is_predefined(info.spec.name) || !info.containers.empty() || wanted.contains(info.spec.name)) continue;
        if (!filters.labels(info.spec.labels) || !filters.made_before(info.created, now)) continue;
        try {
            networks.remove(info.id);
            removed.push_back(info.spec.name);
        } catch (const Error& error) {
            if (error.code() != Code::conflict && error.code() != Code::not_found)
                throw;  // taken or gone since it was listed
        }
    }
    publish_prune(services.engine.events(), "network", 0);
    return json_reply({{"NetworksDeleted", removed.empty() ? json(nullptr) : removed}});
}

/// Docker's network inspection names the connected containers and their addresses.
json inspection(const std::string& name, const Services& services) {
    std::optional<runtime::NetworkInfo> mode = find_mode_network(services, name);
    runtime::NetworkInfo info = mode ? *mode : services.engine.networks().inspect(name);
    json result = network_json(info);
    for (const std::string& id : info.containers) {
        try {
            runtime::ContainerInfo container = services.engine.containers().inspect(id);
            json& entry = result["Containers"][id];
            entry.update({{"Name", container.name}, {"MacAddress", ""}, {"IPv4Address", ""}, {"IPv6Address", ""}});
            for (const runtime::NetworkEndpoint& endpoint : container.endpoints) {
                if (endpoint.network_id != info.id || !endpoint.is_there()) continue;
                entry["MacAddress"] = endpoint.mac;
                if (!endpoint.ip.empty())
                    entry["IPv4Address"] = endpoint.ip + "/" + std::to_string(endpoint.prefix_length);
                if (!endpoint.ip6.empty())
                    entry["IPv6Address"] = endpoint.ip6 + "/" + std::to_string(endpoint.prefix_length6);
            }
        } catch (const Error& error) {
            if (error.code() != Code::not_found) throw;
            result["Containers"].erase(id);  // removed meanwhile
        }
    }
    return result;
}

Response remove(const Request& request, const Services& services) {
    const std::string& name = request.captures.at("name");
    std::optional<runtime::NetworkInfo> mode = find_mode_network(services, name);
    const std::string found = mode ? mode->spec.name : services.engine.networks().inspect(name).spec.name;
    if (is_predefined(found))
        throw Error(Code::permission_denied, found + " is a pre-defined network and cannot be removed");
    try {
        services.engine.networks().remove(name);
    } catch (const Error& error) {
        throw as_forbidden(error);
    }
    return empty_reply();
}

Response connect(const Request& request, runtime::Containers& containers) {
    json text = json_body(request);
    Fields body(text, "");
    const std::string container = body.text("Container");
    if (container.empty()) throw Error(Code::invalid_argument, "Container: must name a container");
    runtime::NetworkAttachment network = read_endpoint(body.object("EndpointConfig"), request.captures.at("name"));
    body.refuse_others({"Container", "EndpointConfig"});
    containers.connect_network(container, network);
    return empty_reply(200);
}

Response disconnect(const Request& request, runtime::Containers& containers) {
    json text = json_body(request);
    Fields body(text, "");
    const std::string container = body.text("Container");
    if (container.empty()) throw Error(Code::invalid_argument, "Container: must name a container");
    body.refuse_others({"Container", "Force"});
    containers.disconnect_network(container, request.captures.at("name"), body.flag("Force"));
    return empty_reply(200);
}

}  // namespace

void add_network_routes(Router& router, const Services& services) {
    runtime::Networks& networks = services.engine.networks();
    runtime::Containers& containers = services.engine.containers();
    router.add("GET", "/networks", [&services](const Request& request) { return list_networks(request, services); });
    router.add("POST", "/networks/create", [&networks](const Request& request) { return create(request, networks); });
    router.add("POST", "/networks/prune", [&services](const Request& request) { return prune(request, services); });
    router.add("GET", "/networks/{name}", [&services](const Request& request) {
        return json_reply(inspection(request.captures.at("name"), services));
    });
    router.add("DELETE", "/networks/{name}", [&services](const Request& request) { return remove(request, services); });
    router.add("POST", "/networks/{name}/connect",
               [&containers](const Request& request) { return connect(request, containers); });
    router.add("POST", "/networks/{name}/disconnect",
               [&containers](const Request& request) { return disconnect(request, containers); });
}

}  // namespace kedge::api

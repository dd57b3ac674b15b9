#include "api/docker_json.h"
#include "api/filters.h"
#include "api/json_body.h"
#include "api/reply.h"
#include "api/routes.h"
#include "base/error.h"
#include "runtime/engine.h"

namespace kedge::api {

using nlohmann::json;

namespace {

Response list_networks(const Request& request, runtime::Networks& networks) {
    Filters filters(request, {"name", "id", "driver", "label", "scope", "type", "dangling"});
    json result = json::array();
    for (const runtime::NetworkInfo& info : networks.list()) {
        if (!filters.part("name", info.spec.name) || !filters.prefix("id", info.id) ||
            !filters.exact("driver", info.spec.driver))
            continue;
        if (!filters.labels(info.spec.labels) || !filters.exact("scope", "local")) continue;
        if (!filters.exact("type", info.spec.name == "bridge" ? "builtin" : "custom")) continue;
        if (filters.has("dangling") && filters.flag("dangling", false) != info.containers.empty()) continue;
        result.push_back(network_json(info));
    }
    return json_reply(result);
}

void expect_local_scope(const Fields& body) {
    if (std::string scope = body.text("Scope"); !scope.empty() && scope != "local") {
        throw Error(Code::invalid_argument, "Scope: \"" + scope + "\" is not supported by kedge");
    }
    if (body.has("EnableIPv4") && !body.flag("EnableIPv4"))
        throw Error(Code::invalid_argument, "EnableIPv4: networks without IPv4 are not supported by kedge");
}

Response create(const Request& request, runtime::Networks& networks) {
    json text = json_body(request);
    Fields body(text, "");
    runtime::NetworkSpec spec;
    spec.name = body.text("Name");
    if (std::string driver = body.text("Driver"); !driver.empty()) spec.driver = driver;
    spec.internal = body.flag("Internal");
    spec.labels = body.text_map("Labels");
    spec.options = body.text_map("Options");
    std::vector<Fields> configs = body.object("IPAM").objects("Config");
    if (configs.size() > 1)
        throw Error(Code::invalid_argument, "IPAM.Config: more than one subnet is not supported by kedge");
    if (!configs.empty()) {
        spec.subnet = configs.front().text("Subnet");
        spec.gateway = configs.front().text("Gateway");
        configs.front().refuse_others({"Subnet", "Gateway"});
    }
    if (std::string driver = body.object("IPAM").text("Driver"); !driver.empty() && driver != "default") {
        throw Error(Code::invalid_argument, "IPAM.Driver: \"" + driver + "\" is not supported by kedge");
    }
    body.object("IPAM").refuse_others({"Driver", "Config"});
    expect_local_scope(body);
    // `Attachable` is about clusters, `CheckDuplicate` is always so, `EnableIPv4` can't be otherwise.
    body.refuse_others({"Name", "Driver", "Internal", "Labels", "Options", "IPAM", "Attachable", "CheckDuplicate",
                        "EnableIPv4", "Scope"});
    return json_reply({{"Id", networks.create(spec)}, {"Warning", ""}}, 201);
}

Response prune(const Request& request, runtime::Networks& networks) {
    Filters filters(request, {"label"});
    json removed = json::array();
    for (const runtime::NetworkInfo& info : networks.list()) {
        if (info.spec.name == "bridge" || !info.containers.empty() || !filters.labels(info.spec.labels)) continue;
        try {
            networks.remove(info.id);
            removed.push_back(info.spec.name);
        } catch (const Error& error) {
            if (error.code() != Code::conflict && error.code() != Code::not_found)
                throw;  // taken or gone since it was listed
        }
    }
    return json_reply({{"NetworksDeleted", removed}});
}

/// Docker's network inspection names the connected containers and their addresses.
json inspection(const std::string& name, const Services& services) {
    runtime::NetworkInfo info = services.engine.networks().inspect(name);
    json result = network_json(info);
    for (const std::string& id : info.containers) {
        try {
            runtime::ContainerInfo container = services.engine.containers().inspect(id);
            json& entry = result["Containers"][id];
            entry["Name"] = container.name;
            for (const runtime::NetworkEndpoint& endpoint : container.endpoints) {
                if (endpoint.network_id != info.id && endpoint.network != info.spec.name) continue;
                entry["MacAddress"] = endpoint.mac;
                entry["IPv4Address"] = endpoint.ip + "/" + std::to_string(endpoint.prefix_length);
                entry["IPv6Address"] = "";
            }
        } catch (const Error& error) {
            if (error.code() != Code::not_found) throw;
            result["Containers"].erase(id);  // removed meanwhile
        }
    }
    return result;
}

}  // namespace

void add_network_routes(Router& router, const Services& services) {
    runtime::Networks& networks = services.engine.networks();
    router.add("GET", "/networks", [&networks](const Request& request) { return list_networks(request, networks); });
    router.add("POST", "/networks/create", [&networks](const Request& request) { return create(request, networks); });
    router.add("POST", "/networks/prune", [&networks](const Request& request) { return prune(request, networks); });
    router.add("GET", "/networks/{name}", [&services](const Request& request) {
        return json_reply(inspection(request.captures.at("name"), services));
    });
    router.add("DELETE", "/networks/{name}", [&networks](const Request& request) {
        networks.remove(request.captures.at("name"));
        return empty_reply();
    });
    for (const char* action : {"connect", "disconnect"}) {
        router.add("POST", std::string("/networks/{name}/") + action, [action](const Request&) {
            return error_reply(501, std::string("network ") + action + " is not supported by kedge");
        });
    }
}

}  // namespace kedge::api

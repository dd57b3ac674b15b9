#include "base/error.h"
#include "cli/flag_values.h"
#include "cli/format.h"
#include "cli/session.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace kedge::cli {

using nlohmann::json;

namespace {

/// NAME=value flags as an object; null if there are none.
json pairs(const std::vector<std::string>& flags, const std::string& flag) {
    json object;
    for (const std::string& text : flags) {
        auto [name, value] = key_and_value(text, flag);
        object[name] = value;
    }
    return object;
}

json labels(const std::vector<std::string>& flags) {
    return read_labels({}, flags, outside());
}

void set_up_rm(CommandLine line, const std::shared_ptr<Session>& session, const std::string& kind) {
    struct Options {
        std::vector<std::string> names;
        bool force = false;
    };
    auto options = std::make_shared<Options>();
    line.add_option(kind + "s", options->names, "Names" + std::string(kind == "network" ? " or ids" : "")).required();
    line.add_flag("-f,--force", options->force, "What is not there is no failure");
    line.callback([=] {
        Client client = session->client();
        for_each_name(options->names, *session, [&](const std::string& name) {
            try {
                (void)client.remove("/" + kind + "s/" + escape(name) + query({{"force", options->force ? "1" : ""}}));
            } catch (const Error& error) {
                if (!options->force || error.code() != Code::not_found) throw;
                if (kind == "network") return;  // as Docker's commands, of which only one names what wasn't there
            }
            print(name + "\n");
        });
    });
}

// --- volumes

void set_up_volume_create(CommandLine line, const std::shared_ptr<Session>& session) {
    struct Options {
        std::string name, old_name, driver;
        std::vector<std::string> labels, options;
    };
    auto options = std::make_shared<Options>();
    line.add_option("name", options->name, "Its name; else one is made up");
    line.add_option("--name", options->old_name, "The same, as it was written in the past").group("");
    line.add_option("-d,--driver", options->driver, "local");
    line.add_list("--label", options->labels, "NAME=value");
    line.add_list("-o,--opt", options->options, "NAME=value, for the driver");
    line.refuse_options({"--availability", "--group", "--limit-bytes", "--required-bytes", "--scope", "--secret",
                         "--sharing", "--topology-preferred", "--topology-required", "--type"});
    line.callback([=] {
        if (!options->name.empty() && !options->old_name.empty())
            throw Error(
                Code::invalid_argument,
                "conflicting options: cannot specify a volume-name through both --name and as a positional arg");
        if (options->name.empty()) options->name = options->old_name;
        json made = session->client().post("/volumes/create", {{"Name", options->name},
                                                               {"Driver", options->driver},
                                                               {"Labels", labels(options->labels)},
                                                               {"DriverOpts", pairs(options->options, "-o, --opt")}});
        print(text_of(made, "Name") + "\n");
    });
}

struct ResourceListOptions {
    ListStyle style;
    std::vector<std::string> filters;
};

void set_up_volume_ls(CommandLine line, const std::shared_ptr<Session>& session) {
    auto options = std::make_shared<ResourceListOptions>();
    add_list_options(line, options->style);
    line.add_list("-f,--filter", options->filters, "name=value: name, driver, label, dangling");
    line.refuse_options({"--cluster"});
    line.callback([=] {
        json answer = session->client().get("/volumes" + query({{"filters", filters_parameter(options->filters)}}));
        json rows = json::array();
        for (const json& volume : answer.value("Volumes", json::array())) {
            rows.push_back({{"Driver", text_of(volume, "Driver")},
                            {"Name", text_of(volume, "Name")},
                            {"Scope", text_of(volume, "Scope")},
                            {"Mountpoint", text_of(volume, "Mountpoint")},
                            {"Labels", labels_text(volume.value("Labels", json()))},
                            {"Availability", "N/A"},
                            {"Group", "N/A"},
                            {"Links", "N/A"},
                            {"Status", "N/A"},
                            {"Size", "N/A"}});
        }
        print_rows(options->style, {{"DRIVER", "Driver"}, {"VOLUME NAME", "Name"}}, rows, "Name");
    });
}

// --- networks

struct NetworkOptions {
    std::string name, driver, scope, ipam_driver;
    std::vector<std::string> subnets, gateways, ip_ranges;
    std::vector<std::string> labels, options, aux_addresses;
    bool internal = false, attachable = false, ipv4 = true, ipv6 = false;
};

bool is_ipv6(const std::string& text) {
    return text.find(':') != std::string::npos;
}

/// The subnet's of this family, whose `key` is not said yet. Whether the address is in there is for the agent to say.
json& config_for(json& configs, const std::string& address, const char* key, const char* what) {
    json* found = nullptr;
    for (json& config : configs) {
        if (is_ipv6(text_of(config, "Subnet")) == is_ipv6(address)) found = &config;
    }
    if (!found && configs.empty())
        throw Error(Code::invalid_argument, "every ip-range or gateway must have a corresponding subnet");
    if (!found) throw Error(Code::invalid_argument, fmt::format("no matching subnet for {} {}", what, address));
    if (found->contains(key))
        throw Error(Code::invalid_argument,
                    fmt::format("cannot configure multiple {}s ({}, {}) on the same subnet ({})", what, address,
                                text_of(*found, key), text_of(*found, "Subnet")));
    return (*found)[key];
}

json address_configs(const NetworkOptions& options) {
    json configs = json::array();
    for (const std::string& subnet : options.subnets) configs.push_back({{"Subnet", subnet}});
    for (const std::string& range : options.ip_ranges) config_for(configs, range, "IPRange", "range") = range;
    for (const std::string& gateway : options.gateways) config_for(configs, gateway, "Gateway", "gateway") = gateway;
    const json auxiliary = pairs(options.aux_addresses, "--aux-address");
    for (const auto& [name, address] : auxiliary.items()) {
        bool known = false;
        for (json& config : configs) {
            if (is_ipv6(text_of(config, "Subnet")) != is_ipv6(address.get<std::string>())) continue;
            config["AuxiliaryAddresses"][name] = address;
            known = true;
        }
        if (!known)
            throw Error(Code::invalid_argument,
                        configs.empty() ? "every auxiliary address must have a corresponding subnet"
                                        : "no matching subnet for aux-address " + address.get<std::string>());
    }
    return configs;
}

json network_body(const NetworkOptions& options) {
    json body = {{"Name", options.name},
                 {"Driver", options.driver},
                 {"Internal", options.internal},
                 {"CheckDuplicate", true},
                 {"Labels", labels(options.labels)},
                 {"Options", pairs(options.options, "-o, --opt")},
                 {"Scope", options.scope},
                 {"Attachable", options.attachable},
                 {"EnableIPv6", options.ipv6},
                 {"EnableIPv4", options.ipv4}};
    if (!options.ipam_driver.empty()) body["IPAM"]["Driver"] = options.ipam_driver;
    if (json configs = address_configs(options); !configs.empty()) body["IPAM"]["Config"] = configs;
    return body;
}

void set_up_network_create(CommandLine line, const std::shared_ptr<Session>& session) {
    auto options = std::make_shared<NetworkOptions>();
    line.add_option("name", options->name, "Its name").required();
    line.add_option("-d,--driver", options->driver, "bridge");
    line.add_list("--subnet", options->subnets,
                  "Its addresses, 10.5.0.0/24, fd00:5::/64; else the next free ones of the agent's pools");
    line.add_list("--gateway", options->gateways, "This machine's address in it; else the first one");
    line.add_list("--ip-range", options->ip_ranges, "The part of the subnet that containers get addresses from");
    line.add_flag("--ipv6", options->ipv6, "IPv6 addresses as well");
    line.add_flag("--ipv4", options->ipv4, "IPv4 addresses; --ipv4=false: none, with --ipv6");
    line.add_list("--aux-address", options->aux_addresses, "NAME=ADDRESS of the subnet, which no container gets");
    line.add_option("--ipam-driver", options->ipam_driver, "default");
    line.add_option("--scope", options->scope, "local");
    line.add_flag("--internal", options->internal, "No way out");
    line.add_flag("--attachable", options->attachable, "Said of it, no more: containers can always join by hand");
    line.add_list("--label", options->labels, "NAME=value");
    line.add_list("-o,--opt", options->options, "NAME=value, for the driver");
    line.refuse_options({"--config-from", "--config-only", "--ingress", "--ipam-opt"});
    line.callback(
        [=] { print(text_of(session->client().post("/networks/create", network_body(*options)), "Id") + "\n"); });
}

void set_up_network_connect(CommandLine line, const std::shared_ptr<Session>& session) {
    struct Options {
        std::string network, container, ip, ip6;
        std::vector<std::string> aliases, options;
        int priority = 0;
    };
    auto options = std::make_shared<Options>();
    line.add_option("network", options->network, "The network, by name or id").required();
    line.add_option("container", options->container, "The container, running or not").required();
    line.add_list("--alias", options->aliases, "A further name of it on this network");
    line.add_option("--ip", options->ip, "Its address, 10.5.0.7; else the next free one");
    line.add_option("--ip6", options->ip6, "Its IPv6 address, fd00:5::7; else the next free one");
    line.add_option("--gw-priority", options->priority, "The network with the highest has the default route");
    line.add_list("--driver-opt", options->options,
                  "NAME=value: com.docker.network.endpoint.ifname=wan0, com.docker.network.endpoint.sysctls=...");
    line.refuse_options({"--link"}, "containers of a user-defined network find each other by name");
    line.refuse_options({"--link-local-ip"}, "the kernel chooses these addresses");
    line.callback([=] {
        json endpoint = {{"Aliases", options->aliases}, {"GwPriority", options->priority}};
        if (!options->options.empty()) endpoint["DriverOpts"] = pairs(options->options, "--driver-opt");
        if (!options->ip.empty()) endpoint["IPAMConfig"]["IPv4Address"] = options->ip;
        if (!options->ip6.empty()) endpoint["IPAMConfig"]["IPv6Address"] = options->ip6;
        (void)session->client().post("/networks/" + escape(options->network) + "/connect",
                                     {{"Container", options->container}, {"EndpointConfig", endpoint}});
    });
}

void set_up_network_disconnect(CommandLine line, const std::shared_ptr<Session>& session) {
    struct Options {
        std::string network, container;
        bool force = false;
    };
    auto options = std::make_shared<Options>();
    line.add_option("network", options->network, "The network, by name or id").required();
    line.add_option("container", options->container, "The container, running or not").required();
    line.add_flag("-f,--force", options->force, "What fails on the way does not keep it in the network");
    line.callback([=] {
        (void)session->client().post("/networks/" + escape(options->network) + "/disconnect",
                                     {{"Container", options->container}, {"Force", options->force}});
    });
}

void set_up_network_ls(CommandLine line, const std::shared_ptr<Session>& session) {
    auto options = std::make_shared<ResourceListOptions>();
    add_list_options(line, options->style);
    line.add_list("-f,--filter", options->filters, "name=value: name, id, driver, label, scope, type, dangling");
    line.callback([=] {
        json rows = json::array();
        json networks = session->client().get("/networks" + query({{"filters", filters_parameter(options->filters)}}));
        std::sort(networks.begin(), networks.end(),
                  [](const json& a, const json& b) { return text_of(a, "Name") < text_of(b, "Name"); });
        for (const json& network : networks) {
            std::string id = text_of(network, "Id");
            rows.push_back({{"ID", options->style.no_trunc ? id : short_id(id)},
                            {"Name", text_of(network, "Name")},
                            {"Driver", text_of(network, "Driver")},
                            {"Scope", text_of(network, "Scope")},
                            {"IPv4", network.value("EnableIPv4", true) ? "true" : "false"},
                            {"IPv6", network.value("EnableIPv6", false) ? "true" : "false"},
                            {"Internal", network.value("Internal", false) ? "true" : "false"},
                            {"Labels", labels_text(network.value("Labels", json()))},
                            {"CreatedAt", go_time(parse_time(text_of(network, "Created")))}});
        }
        print_rows(options->style, {{"NETWORK ID", "ID"}, {"NAME", "Name"}, {"DRIVER", "Driver"}, {"SCOPE", "Scope"}},
                   rows, "ID");
    });
}

Command prune_of(const char* kind) {
    for (Command command : prune_commands()) {
        if (std::string_view(command.name) != kind) continue;
        command.name = "prune";
        return command;
    }
    return unsupported_command("prune");
}

Command volume_group() {
    return {
        "volume",
        "Manage volumes",
        "  kedge volume ls",
        nullptr,
        {{"create", "Create a volume",
          "  kedge volume create data\n"
          "  kedge volume create -o type=tmpfs -o device=tmpfs -o o=size=64m,uid=1000 scratch\n"
          "  kedge volume create -o type=none -o device=/srv/data -o o=bind shared",
          set_up_volume_create},
         {"ls",
          "List volumes",
          "  kedge volume ls\n  kedge volume ls -q --filter dangling=true",
          set_up_volume_ls,
          {},
          "list"},
         {"inspect", "Everything about volumes, as JSON", "  kedge volume inspect -f '{{.Mountpoint}}' data",
          [](CommandLine line, const std::shared_ptr<Session>& session) { set_up_inspect(line, session, "volume"); }},
         {"rm",
          "Remove volumes, with what is in them",
          "  kedge volume rm data",
          [](CommandLine line, const std::shared_ptr<Session>& session) { set_up_rm(line, session, "volume"); },
          {},
          "remove"},
         prune_of("volume"),
         unsupported_command("update")}};
}

Command network_group() {
    return {
        "network",
        "Manage networks",
        "  kedge network ls",
        nullptr,
        {{"create", "Create a network",
          "  kedge network create front\n  kedge network create --subnet 10.5.0.0/24 --internal back\n"
          "  kedge network create --ipv6 --subnet fd00:5::/64 wide\n"
          "  kedge network create --ipv4=false --ipv6 six",
          set_up_network_create},
         {"ls", "List networks", "  kedge network ls", set_up_network_ls, {}, "list"},
         {"inspect", "Everything about networks, as JSON", "  kedge network inspect front",
          [](CommandLine line, const std::shared_ptr<Session>& session) { set_up_inspect(line, session, "network"); }},
         {"rm",
          "Remove networks",
          "  kedge network rm front",
          [](CommandLine line, const std::shared_ptr<Session>& session) { set_up_rm(line, session, "network"); },
          {},
          "remove"},
         prune_of("network"),
         {"connect", "Connect a container to a network",
          "  kedge network connect front web\n  kedge network connect --alias db --ip 10.5.0.7 back mysql",
          set_up_network_connect},
         {"disconnect", "Disconnect a container from a network", "  kedge network disconnect front web",
          set_up_network_disconnect}}};
}

}  // namespace

std::vector<Command> resource_commands() {
    return {volume_group(), network_group()};
}

}  // namespace kedge::cli

#include "api/docker_json.h"
#include "api/json_body.h"
#include "base/error.h"
#include "runtime/container_spec.h"

#include <algorithm>
#include <charconv>

namespace kedge::api {

using runtime::ContainerSpec;

namespace {

Error invalid(const std::string& message) {
    return Error(Code::invalid_argument, message);
}

uint16_t port_number(const std::string& text, const std::string& where) {
    uint16_t value = 0;
    auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc() || end != text.data() + text.size())
        throw invalid(where + ": \"" + text + "\" is not a port");
    return value;
}

/// `80/tcp`, `80`.
runtime::PortBinding container_port(const std::string& text, const std::string& where) {
    size_t slash = text.find('/');
    std::string protocol = slash == std::string::npos ? "tcp" : text.substr(slash + 1);
    if (protocol != "tcp" && protocol != "udp")
        throw invalid(where + ": \"" + text + "\": the protocol must be tcp or udp");
    runtime::PortBinding port;
    port.container_port = port_number(text.substr(0, slash), where);
    port.protocol = protocol == "tcp" ? runtime::Protocol::tcp : runtime::Protocol::udp;
    return port;
}

void read_networks(const Fields& body, ContainerSpec& spec) {
    auto endpoints = body.object("NetworkingConfig").object_map("EndpointsConfig");
    for (const auto& [given, endpoint] : endpoints) {
        std::string name = given == "default" ? "bridge" : given;
        runtime::NetworkAttachment* attachment = nullptr;
        for (auto& known : spec.networks) {
            if (known.network == name) attachment = &known;
        }
        if (!attachment) {
            if (!spec.network_mode.empty()) {
                throw Error(Code::conflict, "network " + name + ": a container with network mode " + spec.network_mode +
                                                " joins no networks");
            }
            attachment = &spec.networks.emplace_back();
            attachment->network = name;
        }
        *attachment = read_endpoint(endpoint, name);
    }
}

void read_ports(const Fields& body, const Fields& host, ContainerSpec& spec) {
    for (const std::string& key : host.object("PortBindings").keys()) {
        for (const Fields& binding : host.object("PortBindings").objects(key.c_str())) {
            runtime::PortBinding port = container_port(key, "HostConfig.PortBindings");
            port.host_ip = binding.text("HostIp");
            std::string host_port = binding.text("HostPort");
            binding.refuse_others({"HostIp", "HostPort"});
            if (!host_port.empty()) port.host_port = port_number(host_port, "HostConfig.PortBindings." + key);
            spec.ports.push_back(port);
        }
    }
    if (!spec.publish_all) return;
    for (const std::string& key : body.object("ExposedPorts").keys()) {
        runtime::PortBinding exposed = container_port(key, "ExposedPorts");
        bool bound = false;
        for (const auto& port : spec.ports) {
            bound = bound || (port.container_port == exposed.container_port && port.protocol == exposed.protocol);
        }
        if (!bound) spec.ports.push_back(exposed);
    }
}

}  // namespace

runtime::NetworkAttachment read_endpoint(const Fields& endpoint, const std::string& network) {
    runtime::NetworkAttachment attachment;
    attachment.network = network;
    attachment.aliases = endpoint.texts("Aliases");
    attachment.ip = endpoint.object("IPAMConfig").text("IPv4Address");
    attachment.ip6 = endpoint.object("IPAMConfig").text("IPv6Address");
    attachment.gateway_priority = static_cast<int>(
        std::clamp<int64_t>(endpoint.number("GwPriority"), INT32_MIN + 1, INT32_MAX));  // it can be negated
    if (!endpoint.texts("Links").empty()) {
        throw Error(Code::invalid_argument, "links are not supported by kedge",
                    "containers of a user-defined network find each other by name");
    }
    attachment.mac = endpoint.text("MacAddress");
    attachment.options = endpoint.text_map("DriverOpts");
    // Most of this is what Docker tells of an endpoint; tools that make a container anew send it back.
    endpoint.refuse_others({"Aliases", "IPAMConfig", "GwPriority", "Links", "NetworkID", "EndpointID", "Gateway",
                            "IPAddress", "IPPrefixLen", "IPv6Gateway", "GlobalIPv6Address", "GlobalIPv6PrefixLen",
                            "DNSNames", "MacAddress", "DriverOpts"});
    endpoint.object("IPAMConfig").refuse_others({"IPv4Address", "IPv6Address"});
    return attachment;
}

runtime::Healthcheck read_healthcheck(const Fields& check) {
    runtime::Healthcheck result;
    result.test = check.texts("Test");
    result.interval = Nanoseconds(check.number("Interval"));
    result.timeout = Nanoseconds(check.number("Timeout"));
    result.start_period = Nanoseconds(check.number("StartPeriod"));
    result.start_interval = Nanoseconds(check.number("StartInterval"));
    check.refuse_others({"Test", "Interval", "Timeout", "StartPeriod", "StartInterval", "Retries"});
    int64_t retries = check.number("Retries");
    if (retries < 0 || retries > 1'000'000) throw invalid(check.path_of("Retries") + ": must be 0 or more");
    result.retries = static_cast<int>(retries);
    return result;
}

ContainerSpec container_spec(const Fields& body) {
    ContainerSpec spec;
    spec.image = body.text("Image");
    if (spec.image.empty()) throw invalid("no image specified");
    spec.entrypoint = body.texts_if_any("Entrypoint");
    spec.command = body.texts_if_any("Cmd");
    if (spec.command && spec.command->empty()) spec.command.reset();
    spec.environment = body.texts("Env");
    spec.labels = body.text_map("Labels");
    spec.user = body.text("User");
    spec.working_dir = body.text("WorkingDir");
    spec.hostname = body.text("Hostname");
    spec.domainname = body.text("Domainname");
    if (body.has("StopSignal") && !body.text("StopSignal").empty()) spec.stop_signal = body.text("StopSignal");
    if (body.has("StopTimeout"))
        spec.stop_timeout = static_cast<int>(std::clamp<int64_t>(body.number("StopTimeout"), -1, INT32_MAX));
    spec.tty = body.flag("Tty");
    spec.open_stdin = body.flag("OpenStdin");
    spec.stdin_once = body.flag("StdinOnce") && spec.open_stdin;
    if (body.has("Healthcheck")) spec.healthcheck = read_healthcheck(body.object("Healthcheck"));
    body.refuse_others({"Image", "Entrypoint", "Cmd", "Env", "Labels", "User", "WorkingDir", "Hostname", "Domainname",
                        "StopSignal", "StopTimeout", "Tty", "OpenStdin", "StdinOnce", "Healthcheck", "Volumes",
                        "HostConfig", "NetworkingConfig", "ExposedPorts",
                        // how the client will attach, and how the arguments of other systems are quoted
                        "AttachStdin", "AttachStdout", "AttachStderr", "ArgsEscaped",
                        // what an image says to those that build on it, and who makes a container like another sends
                        "Shell", "OnBuild"});
    (void)body.texts("Shell");
    (void)body.texts("OnBuild");
    body.object("NetworkingConfig").refuse_others({"EndpointsConfig"});
    Fields host = body.object("HostConfig");
    read_host_config(host, spec);
    for (const std::string& target : body.object("Volumes").keys()) {
        // Clients name here also what is mounted by another field.
        if (std::any_of(spec.mounts.begin(), spec.mounts.end(),
                        [&](const runtime::Mount& m) { return m.target == target; }))
            continue;
        runtime::Mount mount;
        mount.target = target;
        spec.mounts.push_back(mount);
    }
    read_ports(body, host, spec);
    read_networks(body, spec);
    return spec;
}

}  // namespace kedge::api

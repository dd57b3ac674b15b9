#include "reconciler/render.h"

#include "base/error.h"
#include "health/health.h"
#include "reconciler/labels.h"
#include "reconciler/render_parts.h"
#include "runtime/networks.h"

#include <algorithm>
#include <set>

namespace kedge::reconciler {

namespace {

std::string joined(const std::vector<std::string>& parts) {
    std::string result;
    for (const std::string& part : parts) result += (result.empty() ? "" : ",") + part;
    return result;
}

std::map<std::string, std::string> labels_of(const Target& target, const sources::Service& service, int number,
                                             const std::string& hash, const std::string& image) {
    std::map<std::string, std::string> labels = service.labels;
    std::string depends;
    for (const sources::Dependency& d : service.depends_on) {
        depends += (depends.empty() ? "" : ",") + d.service + ":" + d.condition + ":" + (d.restart ? "true" : "false");
    }
    labels[kProjectLabel] = target.project.name;
    labels[kServiceLabel] = service.name;
    labels[kNumberLabel] = std::to_string(number);
    labels[kOneoffLabel] = "False";
    labels[kConfigHashLabel] = hash;
    labels[kWorkingDirLabel] = target.project.directory;
    labels[kConfigFilesLabel] = joined(target.project.files);
    labels[kImageLabel] = image;
    labels[kDependsOnLabel] = depends;
    labels[kVersionLabel] = kComposeVersion;
    labels[kCommitLabel] = target.commit;
    labels[kReleaseLabel] = std::to_string(target.release);
    if (service.probe) {
        const sources::Probe& probe = *service.probe;
        health::NetworkProbe rendered;
        rendered.kind = probe.kind == "http" ? health::NetworkProbe::Kind::http : health::NetworkProbe::Kind::tcp;
        rendered.port = probe.port;
        rendered.path = probe.path;
        rendered.expected_status_from = probe.status_from;
        rendered.expected_status_to = probe.status_to;
        rendered.headers = probe.headers;
        labels[health::kProbeLabel] = rendered.to_label();
    } else {
        labels.erase(health::kProbeLabel);
    }
    return labels;
}

void render_networks(const Target& target, const sources::Service& service, const std::string& name,
                     runtime::ContainerSpec& spec) {
    constexpr std::string_view kService = "service:";
    if (service.network_mode.starts_with(kService)) {
        std::string other = service.network_mode.substr(kService.size());
        auto found = target.project.services.find(other);
        if (found == target.project.services.end()) {
            throw Error(Code::invalid_argument,
                        "services." + service.name + ".network_mode: no service \"" + other + "\"");
        }
        spec.network_mode = "container:" + container_name(target.project, found->second, 1);
        return;
    }
    if (!service.network_mode.empty()) {
        spec.network_mode = service.network_mode;
        return;
    }
    std::vector<sources::NetworkUse> uses = service.networks;
    std::stable_sort(uses.begin(), uses.end(), [](const auto& a, const auto& b) { return a.priority > b.priority; });
    const bool gateways =
        std::any_of(uses.begin(), uses.end(), [](const auto& use) { return use.gw_priority.has_value(); });
    for (const sources::NetworkUse& use : uses) {
        auto network = target.project.networks.find(use.network);
        if (network == target.project.networks.end()) {
            throw Error(Code::invalid_argument,
                        "services." + service.name + ".networks: no network \"" + use.network + "\"");
        }
        runtime::NetworkAttachment attachment{network->second.name, use.aliases, use.ipv4_address,
                                              gateways ? use.gw_priority.value_or(0) : use.priority};
        attachment.ip6 = use.ipv6_address;
        attachment.mac = use.mac_address;
        attachment.options = use.driver_opts;
        if (!use.interface_name.empty()) attachment.options["com.docker.network.endpoint.ifname"] = use.interface_name;
        for (const std::string& alias : {service.name, name}) {
            if (network->second.name == runtime::kDefaultNetwork) break;  // nobody has a name there
            if (std::find(attachment.aliases.begin(), attachment.aliases.end(), alias) == attachment.aliases.end()) {
                attachment.aliases.push_back(alias);
            }
        }
        spec.networks.push_back(std::move(attachment));
    }
}

void render_resources(const sources::Service& service, runtime::ContainerSpec& spec) {
    spec.resources = render_limits(service);
    spec.shm_size = service.shm_size;
    for (const sources::Ulimit& limit : service.ulimits) spec.ulimits.push_back({limit.name, limit.soft, limit.hard});
}

}  // namespace

std::string container_name(const sources::Project& project, const sources::Service& service, int number) {
    if (!service.container_name.empty()) return service.container_name;
    return project.name + "-" + service.name + "-" + std::to_string(number);
}

runtime::ContainerSpec render(const Target& target, const sources::Service& service, int number,
                              const std::string& hash) {
    runtime::ContainerSpec spec;
    auto image = target.images.find(service.name);
    spec.name = container_name(target.project, service, number);
    spec.image = image == target.images.end() ? service.image : image->second.str();
    spec.image_name = service.image;
    spec.command = service.command;
    spec.entrypoint = service.entrypoint;
    for (const auto& [name, value] : service.environment) spec.environment.push_back(name + "=" + value);
    spec.labels = labels_of(target, service, number, hash, spec.image);
    spec.user = service.user;
    spec.group_add = service.group_add;
    spec.working_dir = service.working_dir;
    spec.hostname = service.hostname;
    spec.domainname = service.domainname;
    if (!service.stop_signal.empty()) spec.stop_signal = service.stop_signal;
    if (service.stop_grace_period) {
        spec.stop_timeout =
            static_cast<int>(std::chrono::ceil<std::chrono::seconds>(*service.stop_grace_period).count());
    }
    spec.tty = service.tty;
    spec.open_stdin = service.stdin_open;
    spec.init = service.init;
    spec.read_only = service.read_only;
    spec.privileged = service.privileged;
    spec.cap_add = service.cap_add;
    spec.cap_drop = service.cap_drop;
    for (const std::string& option : service.security_opt) {
        if (option == "systempaths=unconfined")
            spec.masked_paths = spec.readonly_paths = std::vector<std::string>{};
        else
            spec.security_opt.push_back(option);
    }
    for (const std::string& device : service.devices) spec.devices.push_back(render_device(service, device));
    spec.sysctls = service.sysctls;
    spec.extra_hosts = service.extra_hosts;
    spec.dns = service.dns;
    spec.dns_search = service.dns_search;
    for (const sources::Port& port : service.ports) spec.ports.push_back(render_port(service, port, number));
    spec.mounts = render_mounts(target, service);
    spec.restart = render_restart(service);
    spec.healthcheck = render_healthcheck(service);
    if (!service.logging_driver.empty()) spec.log.driver = service.logging_driver;
    spec.log.options = service.logging_options;
    render_networks(target, service, spec.name, spec);
    render_resources(service, spec);
    return spec;
}

runtime::NetworkSpec render_network(const Target& target, const sources::Network& network) {
    runtime::NetworkSpec spec;
    spec.name = network.name;
    if (!network.driver.empty()) spec.driver = network.driver;
    spec.subnet = network.subnet;
    spec.gateway = network.gateway;
    spec.internal = network.internal;
    spec.ipv6 = network.enable_ipv6;
    spec.subnet6 = network.subnet6;
    spec.gateway6 = network.gateway6;
    spec.ipv4 = network.enable_ipv4;
    spec.attachable = network.attachable;
    spec.ip_range = network.ip_range;
    spec.ip_range6 = network.ip_range6;
    spec.aux_addresses = network.aux_addresses;
    spec.aux_addresses6 = network.aux_addresses6;
    spec.labels = network.labels;
    spec.options = network.driver_opts;
    std::string text =
        spec.driver + "\n" + spec.subnet + "\n" + spec.gateway + "\n" + (spec.internal ? "internal" : "") + "\n";
    // As it was before there was such a thing, if there is none.
    if (spec.ipv6) text += "ipv6\n" + spec.subnet6 + "\n" + spec.gateway6 + "\n";
    if (!spec.ipv4) text += "no ipv4\n";
    if (spec.attachable) text += "attachable\n";
    for (const std::string& range : {spec.ip_range, spec.ip_range6}) {
        if (!range.empty()) text += "range " + range + "\n";
    }
    for (const auto* addresses : {&spec.aux_addresses, &spec.aux_addresses6}) {
        for (const auto& [name, address] : *addresses) text += "auxiliary " + name + "=" + address + "\n";
    }
    for (const auto* values : {&spec.labels, &spec.options}) {
        for (const auto& [key, value] : *values) text += key + "=" + value + "\n";
        text += "\n";
    }
    spec.labels[kProjectLabel] = target.project.name;
    spec.labels[kNetworkLabel] = network.key;
    spec.labels[kVersionLabel] = kComposeVersion;
    spec.labels[kConfigHashLabel] = Digest::of(text).hex();
    return spec;
}

runtime::VolumeSpec render_volume(const Target& target, const sources::Volume& volume) {
    runtime::VolumeSpec spec;
    spec.name = volume.name;
    if (!volume.driver.empty()) spec.driver = volume.driver;
    spec.labels = volume.labels;
    spec.options = volume.driver_opts;
    spec.labels[kProjectLabel] = target.project.name;
    spec.labels[kVolumeLabel] = volume.key;
    spec.labels[kVersionLabel] = kComposeVersion;
    return spec;
}

std::vector<std::string> used_networks(const sources::Project& project) {
    std::set<std::string> used;
    for (const auto& [name, service] : project.services) {
        if (!service.network_mode.empty()) continue;
        for (const sources::NetworkUse& use : service.networks) used.insert(use.network);
    }
    return {used.begin(), used.end()};
}

}  // namespace kedge::reconciler

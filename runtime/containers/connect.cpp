// Networks that a container joins and leaves after it was made.
#include "runtime/containers/container_engine.h"

#include "base/error.h"
#include "base/fault.h"
#include "base/log.h"
#include "runtime/containers/container_check.h"
#include "runtime/networks/ipv6.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>

namespace kedge::runtime {

using Change = NetworkEndpoint::Change;

namespace {

bool has_processes(const ContainerRecord& record) {
    return !record.ended && is_up(record.info.status);
}

bool joins(const ContainerInfo& info, const std::string& network) {
    return std::any_of(info.networks.begin(), info.networks.end(),
                       [&](const NetworkAttachment& a) { return a.network == network; });
}

void forget_network(ContainerInfo& info, const std::string& network) {
    std::erase_if(info.networks, [&](const NetworkAttachment& a) { return a.network == network; });
    std::erase_if(info.endpoints, [&](const NetworkEndpoint& e) { return e.network == network; });
}

NetworkEndpoint* endpoint_on(ContainerInfo& info, const std::string& network) {
    for (NetworkEndpoint& endpoint : info.endpoints) {
        if (endpoint.network == network) return &endpoint;
    }
    return nullptr;
}

[[noreturn]] void refuse(const char* text) {
    throw Error(Code::permission_denied, text);
}

}  // namespace

/// What is wrong with it whoever joins: Docker's words.
void ContainerEngine::check_attachment(const NetworkAttachment& network) const {
    const NetworkInfo info = networks_.inspect(network.network);
    if (info.spec.name == kDefaultNetwork && !network.aliases.empty()) {
        throw Error(Code::invalid_argument,
                    "network-scoped alias is supported only for containers in user defined networks");
    }
    check_endpoint(network);
    if (network.ip.empty() && network.ip6.empty()) return;
    if (info.spec.name == kDefaultNetwork) {
        throw Error(Code::invalid_argument, "user specified IP address is supported on user defined networks only");
    }
    auto refuse_without = [](bool there, const std::string& address, const char* family) {
        if (there || address.empty()) return;
        throw Error(Code::invalid_argument,
                    "invalid endpoint settings:\nuser specified IP address is supported only when connecting to "
                    "networks with user configured subnets",
                    std::string("the network has no ") + family);
    };
    refuse_without(info.spec.ipv4, network.ip, "IPv4");
    refuse_without(info.spec.ipv6, network.ip6, "IPv6");
    if (!network.ip.empty()) {
        const Subnet subnet = Subnet::parse(info.spec.subnet);
        if (!subnet.usable(Ipv4::parse(network.ip))) {
            throw Error(Code::invalid_argument,
                        "Invalid address " + network.ip + ": It does not belong to any of this network's subnets",
                        "the subnet is " + info.spec.subnet);
        }
    }
    if (network.ip6.empty()) return;
    if (!Subnet6::parse(info.spec.subnet6).usable(Ipv6::parse(network.ip6))) {
        throw Error(
            Code::invalid_argument,
            "invalid endpoint settings:\nno configured subnet or ip-range contain the IP address " + network.ip6,
            "the subnet is " + info.spec.subnet6);
    }
}

std::string ContainerEngine::network_name(const std::string& name_or_id) const {
    if (name_or_id == kHostNetwork || name_or_id == kNoNetwork) return name_or_id;
    return networks_.inspect(name_or_id).spec.name;
}

void ContainerEngine::check_may_connect(const ContainerRecord& record, const NetworkAttachment& network) const {
    const ContainerInfo& info = record.info;
    if (info.status == Status::removing) {
        throw Error(Code::conflict, fmt::format("container {} is marked for removal and cannot be connected or "
                                                "disconnected to the network",
                                                info.id));
    }
    if (network.network == kHostNetwork || network.network == id_of_mode(kHostNetwork))
        refuse("container cannot be disconnected from host network or connected to host network");
    if (joins(info, kHostNetwork) || !container_of_mode(info.spec.network_mode).empty()) {
        refuse(
            "container sharing network namespace with another container or host cannot be connected to any other "
            "network");
    }
    if (joins(info, kNoNetwork) || network.network == kNoNetwork || network.network == id_of_mode(kNoNetwork)) {
        refuse("container cannot be connected to multiple networks with one of the networks in private (none) mode");
    }
    check_attachment(network);
    check_dns_of_networks(info.spec.dns);
}

Fd ContainerEngine::open_network_namespace(const std::string& id) const {
    const Error gone(Code::conflict, fmt::format("container {} is not running", id));
    auto run = run_of(id);
    if (!run) throw gone;
    Fd space;
    try {
        space = open_at(AT_FDCWD, fmt::format("/proc/{}/ns/net", run->init.pid), O_RDONLY);
    } catch (const Error&) {
        throw gone;
    }
    // The pid may have been given to another process before it was opened, but only if the container's ended.
    pollfd ended{run->init_pidfd.get(), POLLIN, 0};
    if (::poll(&ended, 1, 0) != 0) throw gone;
    return space;
}

void ContainerEngine::connect_network(const std::string& id, const NetworkAttachment& asked) {
    auto entry = live(store_.find(id)->info.id);
    std::lock_guard lock(entry->operation);
    Snapshot record = store_.find(id);
    check_may_connect(*record, asked);
    NetworkAttachment network = asked;
    network.network = network_name(asked.network);
    if (has_processes(*record)) return join_running(record, network);
    // Once more is another way to join it: a container that doesn't run has nothing to lose by it.
    store_.change(record->info.id, Keep::power, [&](ContainerRecord& r) {
        forget_network(r.info, network.network);
        r.info.networks.push_back(network);
    });
}

void ContainerEngine::join_running(const Snapshot& record, const NetworkAttachment& network) {
    const std::string& id = record->info.id;
    NetworkEndpoint endpoint = networks_.join(id, network);
    Fd space;
    try {
        space = open_network_namespace(id);
        fault_point("network.connect.before_record");
        // From here on the next agent finishes it, if this one doesn't get there.
        (void)store_.change(id, Keep::power, [&](ContainerRecord& r) {
            r.info.networks.push_back(network);
            if (has_processes(r)) r.info.endpoints.push_back(endpoint);
        });
        fault_point("network.connect.after_record");
        std::vector<PortBinding> ports =
            networks_.finish_join(id, endpoint.network_id, space.get(), record->ports_published);
        Snapshot joined = store_.change(id, Keep::process, [&](ContainerRecord& r) {
            NetworkEndpoint* made = endpoint_on(r.info, network.network);
            if (!made || !has_processes(r)) return;
            made->change = Change::none;
            r.info.ports = ports;
        });
        refresh_etc_files(*record, *joined);
        publish_network("connect", *joined, network.network, endpoint.network_id);
    } catch (const Error&) {
        std::vector<PortBinding> ports = networks_.leave(id, endpoint.network_id, space.get());
        change_at_any_rate(id, Keep::power, [&](ContainerRecord& r) {
            forget_network(r.info, network.network);
            if (has_processes(r)) r.info.ports = ports;
        });
        throw;
    }
}

void ContainerEngine::disconnect_network(const std::string& id, const std::string& network, bool force) {
    Snapshot record;
    try {
        record = store_.find(id);
    } catch (const Error& e) {
        if (!force || e.code() != Code::not_found) throw;
        throw Error(Code::not_found, "endpoint " + id + " not found");
    }
    auto entry = live(record->info.id);
    std::lock_guard lock(entry->operation);
    record = store_.find(record->info.id);
    std::string name = network;
    for (const char* mode : {kHostNetwork, kNoNetwork}) {
        if (network == id_of_mode(mode)) name = mode;
    }
    if (!joins(record->info, name)) name = network_name(name);  // one that is gone can still be left
    if (name == kHostNetwork) refuse("container cannot be disconnected from host network or connected to host network");
    if (!joins(record->info, name)) {
        throw Error(Code::permission_denied,
                    fmt::format("container {} is not connected to network {}", record->info.id, name));
    }
    if (has_processes(*record) && name != kNoNetwork) return leave_running(record, name, force);
    store_.change(record->info.id, Keep::power, [&](ContainerRecord& r) { forget_network(r.info, name); });
    if (has_processes(*record)) publish_network("disconnect", *record, name, id_of_mode(name));
}

void ContainerEngine::leave_running(const Snapshot& record, const std::string& network, bool force) {
    const std::string& id = record->info.id;
    std::string network_id, link;
    for (const NetworkEndpoint& endpoint : record->info.endpoints) {
        if (endpoint.network != network) continue;
        network_id = endpoint.network_id;
        link = endpoint.link;
    }
    if (link.empty() && !network_id.empty()) {
        throw Error(Code::conflict,
                    fmt::format("container {} was started by an older kedge, which did not note its links", id),
                    "restart the container first");
    }
    Fd space = open_network_namespace(id);
    fault_point("network.disconnect.before_record");
    (void)store_.change(id, Keep::power, [&](ContainerRecord& r) {
        std::erase_if(r.info.networks, [&](const NetworkAttachment& a) { return a.network == network; });
        if (NetworkEndpoint* endpoint = endpoint_on(r.info, network)) endpoint->change = Change::leaving;
    });
    fault_point("network.disconnect.after_record");
    std::vector<PortBinding> ports;
    try {
        ports = networks_.leave(id, network_id, space.get());
    } catch (const Error& e) {
        if (!force) throw;
        log(LogLevel::warning, fmt::format("container {}: disconnect {}: {}", record->info.name, network, e.what()));
    }
    fault_point("network.disconnect.after_link");
    Snapshot left = store_.change(id, Keep::process, [&](ContainerRecord& r) {
        forget_network(r.info, network);
        if (has_processes(r)) r.info.ports = ports;
    });
    refresh_etc_files(*record, *left);
    publish_network("disconnect", *left, network, network_id);
}

/// What a former agent began with the networks of a container that runs on.
void ContainerEngine::finish_changes(const Snapshot& record) {
    const std::string& id = record->info.id;
    for (const NetworkEndpoint& endpoint : record->info.endpoints) {
        if (endpoint.change == Change::none) continue;
        bool joined = endpoint.change == Change::joining;
        std::vector<PortBinding> ports;
        Fd space = open_network_namespace(id);
        try {
            if (joined) ports = networks_.finish_join(id, endpoint.network_id, space.get(), record->ports_published);
        } catch (const Error& e) {
            log(LogLevel::error, fmt::format("container {}: it could not be connected to network {}, which was asked "
                                             "for before the agent ended: {}",
                                             record->info.name, endpoint.network, e.what()));
            joined = false;
        }
        if (!joined) ports = networks_.leave(id, endpoint.network_id, space.get());
        Snapshot after = store_.change(id, Keep::process, [&](ContainerRecord& r) {
            if (!joined) forget_network(r.info, endpoint.network);
            if (NetworkEndpoint* made = endpoint_on(r.info, endpoint.network)) made->change = Change::none;
            if (has_processes(r)) r.info.ports = ports;
        });
        refresh_etc_files(*record, *after);
    }
}

/// Its own addresses in /etc/hosts, and whom it asks for names; not where it wrote these files itself.
void ContainerEngine::refresh_etc_files(const ContainerRecord& before, const ContainerRecord& after) {
    if (!has_processes(after)) return;
    try {
        Fd folder = open_at(AT_FDCWD, folder_of(after.info.id), O_RDONLY | O_DIRECTORY);
        auto made = [](std::vector<NetworkEndpoint> endpoints, Change other) {
            std::erase_if(endpoints, [&](const NetworkEndpoint& e) { return e.change == other; });
            return endpoints;
        };
        const std::string hostname = hostname_of(after.info);
        const EtcFiles old = etc_files_of(before.info, hostname, made(before.info.endpoints, Change::joining));
        const EtcFiles next = etc_files_of(after.info, hostname, made(after.info.endpoints, Change::leaving));
        write_changed_etc_files(folder.get(), old, next);
    } catch (const Error& e) {
        log(LogLevel::warning, fmt::format("container {}: its /etc/hosts and /etc/resolv.conf stay as they are: {}",
                                           after.info.name, e.what()));
    }
}

void ContainerEngine::publish_network(const std::string& action, const ContainerRecord& record,
                                      const std::string& network, const std::string& network_id) {
    const std::string type = network == kNoNetwork ? "null" : network == kHostNetwork ? "host" : "bridge";
    events_.publish({.type = "network",
                     .action = action,
                     .id = network_id,
                     .attributes = {{"container", record.info.id}, {"name", network}, {"type", type}},
                     .time = {}});
}

void ContainerEngine::publish_networks(const std::string& action, const ContainerRecord& record) {
    for (const NetworkAttachment& attachment : record.info.networks) {
        std::string id = id_of_mode(attachment.network);
        for (const NetworkEndpoint& endpoint : record.info.endpoints) {
            if (endpoint.network == attachment.network) id = endpoint.network_id;
        }
        publish_network(action, record, attachment.network, id);
    }
}

}  // namespace kedge::runtime

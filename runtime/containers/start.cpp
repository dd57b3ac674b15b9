#include "runtime/containers/container_engine.h"

#include "base/durable.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/log.h"
#include "runtime/containers/container_check.h"
#include "runtime/containers/resolve.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

namespace kedge::runtime {

/// What one start needs besides the record.
struct ContainerEngine::Prepared {
    BridgeNetworks::Attachment attachment;
    BridgeNetworks::Attached attached;
    std::string hostname;
    Fd joined;  ///< the network namespace of `container:<id>`
    /// Until it is known to run: of two that start with the same volume the second gets what the first has mounted.
    std::unique_lock<std::mutex> mounting;
};

namespace {

std::vector<PortBinding> published_ports(const ContainerRecord& record) {
    std::vector<PortBinding> ports = record.info.spec.ports;
    if (!record.info.spec.publish_all) return ports;
    for (const std::string& exposed : record.exposed_ports) {
        PortBinding port;
        if (exposed.ends_with("/udp")) port.protocol = Protocol::udp;
        auto [end, error] = std::from_chars(exposed.data(), exposed.data() + exposed.size(), port.container_port);
        if (error != std::errc() || port.container_port == 0)
            continue;  // the image's, not the user's: nothing to publish
        bool given = std::any_of(ports.begin(), ports.end(), [&](const PortBinding& p) {
            return p.container_port == port.container_port && p.protocol == port.protocol;
        });
        if (!given) ports.push_back(port);
    }
    return ports;
}

/// What its own sysctls say of IPv6, as far as they do: nobody else decides it then.
std::optional<bool> asked_ipv6(const ContainerSpec& spec) {
    std::optional<bool> asked;
    for (const auto& [key, value] : spec.sysctls) {
        std::string name = key;
        std::replace(name.begin(), name.end(), '/', '.');
        if (!name.starts_with("net.ipv6.conf.") || !name.ends_with(".disable_ipv6") ||
            name == "net.ipv6.conf.lo.disable_ipv6")
            continue;
        asked = asked.value_or(true) && value == "0";
    }
    return asked;
}

}  // namespace

BridgeNetworks::Attachment attachment_of(const ContainerRecord& record, bool publish_ports) {
    const ContainerInfo& info = record.info;
    BridgeNetworks::Attachment attachment;
    attachment.container_id = info.id;
    attachment.container_name = info.name;
    for (const NetworkAttachment& network : info.networks) {
        if (network.network != kHostNetwork && network.network != kNoNetwork) attachment.networks.push_back(network);
    }
    attachment.dns = info.spec.dns;
    attachment.ipv6 = asked_ipv6(info.spec);
    // It may still join a network that they can be published on.
    if (info.spec.network_mode != kHostNetwork) attachment.ports = published_ports(record);
    attachment.publish_ports = publish_ports && !attachment.networks.empty();
    auto same = [](const NetworkAttachment& a, const NetworkAttachment& b) { return a.network == b.network; };
    const std::vector<NetworkAttachment> asked = networks_of(info.spec);
    attachment.changed_by_hand =
        !std::equal(asked.begin(), asked.end(), info.networks.begin(), info.networks.end(), same);
    return attachment;
}

void ContainerEngine::start(const std::string& id, const StartOptions& options) {
    Snapshot record = store_.find(id);
    auto entry = live(record->info.id);
    std::lock_guard lock(entry->operation);
    start_locked(record->info.id, options, false);
}

void ContainerEngine::start_locked(const std::string& id, const StartOptions& options, bool by_policy) {
    const Snapshot before = store_.get(id);
    if (!before) throw Error(Code::not_found, "No such container: " + id);
    const ContainerInfo& info = before->info;
    Snapshot record = before;
    if (info.status == Status::removing) {
        throw Error(Code::conflict, "container is marked for removal and cannot be started");
    }
    if (info.status == Status::paused)
        throw Error(Code::conflict, "cannot start a paused container, try unpause instead");
    if (info.status == Status::running || (info.status == Status::restarting && !by_policy)) {
        throw Error(Code::not_modified, fmt::format("container {} is already running", info.name));
    }
    // After a power cut it decides about what was stopped by hand before, and about what its policy only starts if it
    // ran. Others don't wait for the disk.
    const bool matters = !by_policy && (info.stopped_by_hand || info.spec.restart.name != RestartPolicy::Name::no);
    int exit_code = 128;
    try {
        Prepared prepared = prepare(*record, options);
        record = store_.change(id, Keep::process, [&](ContainerRecord& r) {
            r.starting = true;
            r.ports_published = options.publish_ports;
            r.info.endpoints = prepared.attached.endpoints;
            r.info.ports = prepared.attached.ports;
            r.info.error.clear();
            if (by_policy) return;
            r.info.stopped_by_hand = false;
            r.info.restart_count = 0;
        });
        fault_point("container.start.before_spawn");
        WallTime started = wall_now();  // before its first word and its end
        auto run = std::make_shared<const Launched>(launcher_.launch(
            request_of(*record, prepared),
            [&](int space) { networks_.connect(prepared.attachment, prepared.attached, space); },
            [&] { live(id)->attaching->give(run_folder_of(id)); }, &exit_code));
        fault_point("container.start.after_spawn");
        set_run(id, run);
        std::vector<std::string> warnings = launcher_.warnings(id);
        if (!warnings.empty() && (!by_policy || warnings != info.warnings)) {
            log(LogLevel::warning, fmt::format("container {}: {}", info.name, fmt::join(warnings, "; ")));
        }
        record = store_.change(id, matters ? Keep::power : Keep::process, [&](ContainerRecord& r) {
            r.starting = false;
            r.ended = false;
            r.info.status = Status::running;
            r.info.pid = run->init.pid;
            r.info.exit_code = 0;
            r.info.oom_killed = false;
            r.info.started = started;
            r.info.finished = {};
            r.info.health = {};
            r.info.warnings = warnings;
            bool probed = r.info.healthcheck || r.info.spec.labels.contains(kProbeLabel);
            if (probed) r.info.health.status = Health::Status::starting;
            if (!r.ports_published) r.info.ports.clear();
        });
        fault_point("container.start.after_record");
        publish_volumes("mount", *record);
        publish_networks("connect", *record);
        publish(*record, "start");
        supervisor_->watch(run->shim_pidfd.duplicate(), [this, id] { on_exit(id); });
    } catch (const Error& e) {
        start_failed(record, by_policy, exit_code, e);
        throw;
    }
}

/// Takes back what a start that failed had reached.
void ContainerEngine::undo_start(const std::string& id) {
    try {
        if (auto run = run_of(id)) {  // it runs, but that could not be written down
            end_process(id, *run);
            set_run(id, nullptr);
            launcher_.clean_up(id, run_folder_of(id));
        }
        networks_.disconnect(id);
    } catch (const Error& e) {
        log(LogLevel::warning, fmt::format("container {}: undo start: {}", id.substr(0, 12), e.what()));
    }
}

void ContainerEngine::start_failed(const Snapshot& record, bool by_policy, int exit_code, const Error& error) {
    const std::string& id = record->info.id;
    undo_start(id);
    live(id)->attaching->give_up();
    auto edit = [&](ContainerRecord& r) {
        r.starting = false;
        r.info.exit_code = exit_code;
        r.info.error = error.what();
        r.info.pid = 0;
        for (NetworkEndpoint& endpoint : r.info.endpoints) {
            endpoint.ip.clear();
            endpoint.ip6.clear();
        }
        r.info.ports.clear();
        // By its policy it goes on restarting until the caller has decided; nobody who waits for its end may wake up
        // before.
        if (r.info.started != WallTime{} && !by_policy) r.info.status = Status::exited;
    };
    Snapshot failed = change_at_any_rate(id, Keep::process, edit);
    if (by_policy) return;  // the caller tries again
    if (!failed->info.spec.auto_remove) return;
    publish(*failed, "die", {{"exitCode", std::to_string(exit_code)}, {"execDuration", "0"}});
    remove_locked(failed, true);
}

BridgeNetworks::Attached ContainerEngine::reserve(const BridgeNetworks::Attachment& attachment) {
    try {
        return networks_.reserve(attachment);
    } catch (const Error& e) {
        if (std::string_view(e.what()).find("port is already allocated") == std::string_view::npos) throw;
        throw e.with_context("driver failed programming external connectivity on endpoint " +
                             attachment.container_name);
    }
}

ContainerEngine::Prepared ContainerEngine::prepare(const ContainerRecord& record, const StartOptions& options) {
    const ContainerInfo& info = record.info;
    Prepared prepared;
    prepared.mounting = hold_volume_mounts(info);
    const bool named_as_host = info.spec.network_mode == "host" || info.spec.uts_mode == "host";
    std::string host_mode = named_as_host ? host_name() : info.id.substr(0, 12);
    prepared.hostname = info.spec.hostname.empty() ? host_mode : info.spec.hostname;
    std::string joined = container_of_mode(info.spec.network_mode);
    make_own_folders(info.id);
    Fd folder = open_at(AT_FDCWD, folder_of(info.id), O_RDONLY | O_DIRECTORY);
    if (!joined.empty()) {
        Snapshot other = store_.find(joined);
        if (other->info.status != Status::running && other->info.status != Status::paused) {
            throw Error(Code::conflict,
                        fmt::format("cannot join network of a non running container: {}", other->info.id));
        }
        prepared.joined = network_namespace(other->info.id);
        std::string from = folder_of(other->info.id);
        prepared.hostname = read_file_at(AT_FDCWD, from + "/hostname");
        if (prepared.hostname.ends_with('\n')) prepared.hostname.pop_back();
        write_etc_files(folder.get(), {read_file_at(AT_FDCWD, from + "/hosts"), prepared.hostname + "\n",
                                       read_file_at(AT_FDCWD, from + "/resolv.conf")});
        return prepared;
    }
    prepared.attachment = attachment_of(record, options.publish_ports);
    if (info.spec.network_mode != "host") prepared.attached = reserve(prepared.attachment);  // without networks: for lo
    write_etc_files(folder.get(), etc_files_of(info, prepared.hostname, prepared.attached.endpoints));
    return prepared;
}

EtcFiles ContainerEngine::etc_files_of(const ContainerInfo& info, const std::string& hostname,
                                       const std::vector<NetworkEndpoint>& endpoints) const {
    std::string gateway = info.spec.network_mode == "host" ? "127.0.0.1"
                          : endpoints.empty()              ? ""
                                                           : endpoints[0].server();
    // On the default network names of containers are not known: there the given servers are asked directly.
    const bool direct = endpoints.size() == 1 && endpoints[0].network == kDefaultNetwork && !info.spec.dns.empty();
    return etc_files(info, hostname, endpoints, direct || endpoints.empty() ? "" : endpoints[0].server(), gateway);
}

LaunchRequest ContainerEngine::request_of(const ContainerRecord& record, const Prepared& prepared) const {
    const ContainerInfo& info = record.info;
    LaunchRequest request;
    request.id = info.id;
    request.spec = info.spec;
    request.arguments = info.arguments;
    request.environment = process_environment(info, prepared.hostname, info.spec.tty);
    request.user = info.user;
    request.working_dir = info.working_dir.empty() ? "/" : info.working_dir;
    request.hostname = prepared.hostname;
    request.layers = images_.layer_folders(info.image_id);
    request.container_folder = folder_of(info.id);
    request.run_folder = run_folder_of(info.id);
    request.cgroup_parent = info.spec.cgroup_parent.empty() ? options_.instance : info.spec.cgroup_parent;
    request.mounts = mounts_of(info);
    for (std::string* mode : {&request.spec.pid_mode, &request.spec.ipc_mode}) {
        std::string other = container_of_mode(*mode);
        if (other.empty()) continue;
        Snapshot target = store_.find(other);
        if (target->info.status != Status::running && target->info.status != Status::paused) {
            throw Error(Code::conflict,
                        fmt::format("cannot join namespace of a non running container: {}", target->info.id));
        }
        if (mode == &request.spec.ipc_mode && target->info.spec.ipc_mode != "shareable") {
            throw Error(Code::conflict,
                        fmt::format("container {}: non-shareable IPC (hint: use IpcMode:shareable for the donor "
                                    "container)",
                                    target->info.id));
        }
        *mode = "container:" + target->info.id;
    }
    request.new_network_namespace = info.spec.network_mode != "host" && !prepared.joined;
    request.join_network = prepared.joined.get();
    return request;
}

}  // namespace kedge::runtime

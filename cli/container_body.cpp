#include "base/error.h"
#include "base/fd.h"
#include "cli/flag_values.h"
#include "cli/run_options.h"

#include <nlohmann/json.hpp>

#include <fcntl.h>

#include <cstdlib>
#include <filesystem>
#include <set>

namespace kedge::cli {

using nlohmann::json;

namespace {

Error invalid(const std::string& message, const std::string& hint = {}) {
    return Error(Code::invalid_argument, message, hint);
}

void put(json& object, const char* key, const std::string& text) {
    if (!text.empty()) object[key] = text;
}

void put(json& object, const char* key, bool flag) {
    if (flag) object[key] = true;
}

void put(json& object, const char* key, const std::vector<std::string>& list) {
    if (!list.empty()) object[key] = list;
}

void check_modes(const RunOptions& o) {
    auto is_container = [](const std::string& mode) { return mode.starts_with("container:") && mode.size() > 10; };
    if (!o.pid.empty() && o.pid != "host" && !is_container(o.pid)) throw invalid("--pid: invalid PID mode");
    static const std::set<std::string> kIpc = {"", "none", "host", "private", "shareable"};
    if (!kIpc.contains(o.ipc) && !is_container(o.ipc)) throw invalid("invalid IPC mode: " + o.ipc);
    if (!o.uts.empty() && o.uts != "host") throw invalid("--uts: invalid UTS mode");
    if (!o.users.empty() && o.users != "host") throw invalid("--userns: invalid USER mode");
    static const std::set<std::string> kCgroup = {"", "host", "private"};
    if (!kCgroup.contains(o.cgroup_namespace)) throw invalid("--cgroupns: invalid CGROUP mode");
    if (!o.links.empty()) {
        throw invalid("--link: links are not supported by kedge",
                      "put both containers into a user-defined network, where they find each other by name");
    }
}

void put_process(const RunOptions& o, const Outside& outside, json& body) {
    body["Image"] = o.image;
    put(body, "Cmd", o.command);
    if (o.entrypoint) body["Entrypoint"] = {*o.entrypoint};
    put(body, "Env", read_variables(o.variable_files, o.variables, outside));
    if (auto labels = read_labels(o.label_files, o.labels, outside); !labels.empty()) body["Labels"] = labels;
    put(body, "User", o.user);
    put(body, "WorkingDir", o.working_dir);
    put(body, "Hostname", o.hostname);
    put(body, "Domainname", o.domain_name);
    put(body, "StopSignal", o.stop_signal);
    if (o.stop_timeout) body["StopTimeout"] = *o.stop_timeout;
    put(body, "Tty", o.tty);
    Attach streams = attached_streams(o);
    put(body, "OpenStdin", o.interactive);
    put(body, "StdinOnce", o.interactive && streams.in);
    put(body, "AttachStdin", streams.in);
    put(body, "AttachStdout", streams.out);
    put(body, "AttachStderr", streams.err);
    if (json check = read_health(o); !check.is_null()) body["Healthcheck"] = check;
}

void put_rights(const RunOptions& o, const Outside& outside, json& host) {
    put(host, "CapAdd", o.cap_add);
    put(host, "CapDrop", o.cap_drop);
    for (const std::string& flag : o.security_opt) {
        if (flag == "systempaths=unconfined")
            host["MaskedPaths"] = host["ReadonlyPaths"] = json::array();
        else
            host["SecurityOpt"].push_back(read_security_option(flag, outside));
    }
    for (const std::string& flag : o.devices) host["Devices"].push_back(read_device(flag));
    for (const std::string& flag : o.sysctls) {
        auto [name, value] = key_and_value(flag, "--sysctl");
        host["Sysctls"][name] = value;
    }
    put(host, "Privileged", o.privileged);
    put(host, "PidMode", o.pid);
    put(host, "IpcMode", o.ipc);
    put(host, "UTSMode", o.uts);
    put(host, "UsernsMode", o.users);
    put(host, "CgroupnsMode", o.cgroup_namespace);
    put(host, "CgroupParent", o.cgroup_parent);
    put(host, "Isolation", o.isolation);
    put(host, "Runtime", o.runtime);
    put(host, "DeviceCgroupRules", o.device_rules);
    if (!o.gpus.empty()) host["DeviceRequests"] = json::array({read_gpus(o.gpus)});
    put(host, "GroupAdd", o.groups);
}

void put_pairs(const std::vector<std::string>& flags, const char* flag, const char* key, json& host) {
    for (const std::string& text : flags) {
        auto [name, value] = key_and_value(text, flag);
        host[key][name] = value;
    }
}

void put_log(const RunOptions& o, json& host) {
    if (o.log_driver.empty() && o.log_options.empty()) return;
    if (o.log_driver == "none" && !o.log_options.empty()) throw invalid("invalid logging opts for driver none");
    host["LogConfig"]["Type"] = o.log_driver;
    for (const std::string& flag : o.log_options) {
        auto [name, value] = key_and_value(flag, "--log-opt");
        host["LogConfig"]["Config"][name] = value;
    }
}

}  // namespace

Outside outside() {
    Outside real;
    real.variable = [](const std::string& name) -> std::optional<std::string> {
        const char* value = std::getenv(name.c_str());
        return value ? std::optional<std::string>(value) : std::nullopt;
    };
    real.file = [](const std::string& path) { return read_file_at(AT_FDCWD, path); };
    std::error_code unknown;
    real.folder = std::filesystem::current_path(unknown).string();
    return real;
}

json container_body(const RunOptions& o, const Outside& outside) {
    if (o.image.empty()) throw invalid("invalid reference format");
    if (o.pull != "always" && o.pull != "missing" && o.pull != "never") {
        throw invalid("invalid pull option: '" + o.pull + "': must be one of \"always\", \"missing\" or \"never\"");
    }
    check_modes(o);
    json body = json::object();
    json& host = body["HostConfig"] = json::object();
    put_process(o, outside, body);
    put_limits(o, host);
    put_rights(o, outside, host);
    put_log(o, host);
    put(host, "AutoRemove", o.remove);
    put(host, "Init", o.init);
    put(host, "ReadonlyRootfs", o.read_only);
    put(host, "PublishAllPorts", o.publish_all);
    if (!o.restart.empty()) host["RestartPolicy"] = read_restart(o.restart);
    if (o.remove && !o.restart.empty() && o.restart != "no")
        throw invalid("conflicting options: cannot specify both --restart and --rm");
    put_device_limits(o, host);
    put_pairs(o.annotations, "--annotation", "Annotations", host);
    put_pairs(o.storage_options, "--storage-opt", "StorageOpt", host);
    put(host, "VolumesFrom", o.volumes_from);
    put(host, "VolumeDriver", o.volume_driver);
    for (const std::string& flag : o.mounts) host["Mounts"].push_back(read_mount(flag, outside.folder));
    for (const std::string& flag : o.tmpfs) {
        auto [target, options] = read_tmpfs(flag);
        host["Tmpfs"][target] = options;
    }
    for (const std::string& flag : o.extra_hosts) host["ExtraHosts"].push_back(read_extra_host(flag));
    for (const std::string& flag : o.dns) host["Dns"].push_back(read_dns(flag));
    put(host, "DnsSearch", o.dns_search);
    put(host, "DnsOptions", o.dns_options);
    put_volumes(o.volumes, outside.folder, body);
    put_published_ports(o.publish, body);
    put_exposed_ports(o.expose, body);
    put_networks(o, body);
    return body;
}

void check_run(const RunOptions& o) {
    if (o.detach && !o.attach.empty()) throw invalid("conflicting options: cannot specify both --attach and --detach");
}

Attach attached_streams(const RunOptions& o) {
    if (o.detach) return {};
    Attach streams;
    for (const std::string& name : o.attach) {
        if (name == "stdin" || name == "STDIN")
            streams.in = true;
        else if (name == "stdout" || name == "STDOUT")
            streams.out = true;
        else if (name == "stderr" || name == "STDERR")
            streams.err = true;
        else
            throw invalid_flag(name, "-a, --attach", "valid streams are STDIN, STDOUT and STDERR");
    }
    if (o.attach.empty()) streams = {o.interactive, true, true};
    return streams;
}

}  // namespace kedge::cli

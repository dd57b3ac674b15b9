#include "reconciler/render_parts.h"

#include "base/error.h"
#include "base/size.h"
#include "base/text.h"
#include "reconciler/render.h"

#include <charconv>
#include <cmath>

namespace kedge::reconciler {

namespace {

[[noreturn]] void refuse(const sources::Service& service, const std::string& key, const std::string& problem) {
    throw Error(Code::invalid_argument, "services." + service.name + "." + key + ": " + problem);
}

runtime::Mount tmpfs_mount(const sources::Service& service, const std::string& text) {
    runtime::Mount mount;
    mount.type = runtime::Mount::Type::tmpfs;
    size_t colon = text.find(':');
    mount.target = text.substr(0, colon);
    if (colon == std::string::npos) return mount;
    for (const std::string& option : split(text.substr(colon + 1), ',')) {
        if (option.starts_with("size=")) {
            std::optional<int64_t> size = parse_size(std::string_view(option).substr(5));
            if (!size) refuse(service, "tmpfs", "\"" + option + "\" is not a size");
            mount.tmpfs_size = *size;
        } else if (option.starts_with("mode=")) {
            auto [end, error] =
                std::from_chars(option.data() + 5, option.data() + option.size(), mount.tmpfs_mode.emplace(), 8);
            if (error != std::errc() || end != option.data() + option.size()) {
                refuse(service, "tmpfs", "\"" + option + "\" is not a mode");
            }
        } else if (option == "ro" || option == "rw") {
            mount.read_only = option == "ro";
        } else if (option != "noexec" && option != "nosuid" && option != "nodev") {
            refuse(service, "tmpfs", "option \"" + option + "\" is not supported");
        }
    }
    return mount;
}

/// The folder below which a bind of the repository's own lies: the project's data, which its containers write, or the
/// commit's tree. Empty for a folder of the host.
std::string own_folder(const Target& target, const std::string& source) {
    std::string data = target.files.substr(0, target.files.rfind('/')) + "/data/";
    std::string tree = target.files.substr(0, target.files.rfind('/')) + "/trees/" + target.commit;
    if (target.files.empty()) return {};
    if (source.starts_with(data)) return source.substr(0, source.find('/', data.size()));
    if (!target.commit.empty() && (source == tree || source.starts_with(tree + "/"))) return tree;
    return {};
}

runtime::Mount volume_mount(const Target& target, const sources::Service& service, const sources::VolumeMount& volume) {
    runtime::Mount mount;
    mount.source = volume.source;
    if (volume.type == "bind") {
        mount.type = runtime::Mount::Type::bind;
        mount.confined_to = own_folder(target, volume.source);
    } else if (volume.type == "tmpfs") {
        mount.type = runtime::Mount::Type::tmpfs;
        mount.source.clear();
    } else if (!volume.source.empty()) {
        auto found = target.project.volumes.find(volume.source);
        if (found == target.project.volumes.end()) refuse(service, "volumes", "no volume \"" + volume.source + "\"");
        mount.source = found->second.name;
    }
    mount.target = volume.target;
    mount.read_only = volume.read_only;
    mount.no_copy = volume.no_copy;
    mount.create_host_path = volume.create_host_path;
    mount.propagation = volume.propagation;
    mount.tmpfs_size = volume.tmpfs_size;
    if (volume.tmpfs_mode != sources::VolumeMount().tmpfs_mode || volume.tmpfs_mode_given)
        mount.tmpfs_mode = volume.tmpfs_mode;
    return mount;
}

void add_files(const Target& target, const sources::Service& service, const char* kind,
               const std::vector<sources::FileUse>& uses, const std::map<std::string, sources::FileSource>& sources,
               std::vector<runtime::Mount>& mounts) {
    for (const sources::FileUse& use : uses) {
        auto found = sources.find(use.source);
        if (found == sources.end()) refuse(service, kind, "no entry \"" + use.source + "\" under " + kind);
        for (const std::string& owner : {use.uid, use.gid}) {
            if (owner.find_first_not_of("0123456789") != std::string::npos) {
                refuse(service, kind, "\"" + owner + "\" is not a number");
            }
        }
        runtime::Mount mount;
        mount.type = runtime::Mount::Type::bind;
        mount.source = target.files + "/" + file_name(found->second, use);
        mount.target = use.target;
        mount.read_only = true;
        mounts.push_back(std::move(mount));
    }
}

}  // namespace

std::string file_name(const sources::FileSource& source, const sources::FileUse& use) {
    std::string digest = source.content_digest.empty() ? Digest::of(source.content).str() : source.content_digest;
    std::string name = digest.substr(digest.find(':') + 1);
    if (use.uid.empty() && use.gid.empty() && !use.mode) return name;
    constexpr char kOctal[] = "01234567";
    uint32_t mode = use.mode.value_or(0444);
    std::string mode_text;
    for (int shift = 9; shift >= 0; shift -= 3) mode_text += kOctal[(mode >> shift) & 7u];
    return name + "-" + (use.uid.empty() ? "0" : use.uid) + "-" + (use.gid.empty() ? "0" : use.gid) + "-" + mode_text;
}

std::vector<runtime::Mount> render_mounts(const Target& target, const sources::Service& service) {
    std::vector<runtime::Mount> mounts;
    for (const sources::VolumeMount& volume : service.volumes) mounts.push_back(volume_mount(target, service, volume));
    for (const std::string& text : service.tmpfs) mounts.push_back(tmpfs_mount(service, text));
    add_files(target, service, "configs", service.configs, target.project.configs, mounts);
    add_files(target, service, "secrets", service.secrets, target.project.secrets, mounts);
    return mounts;
}

runtime::Device render_device(const sources::Service& service, const std::string& text) {
    std::vector<std::string> parts = split(text, ':');
    if (parts.size() > 3 || parts[0].empty()) refuse(service, "devices", "\"" + text + "\" is not a device");
    runtime::Device device;
    device.host_path = parts[0];
    device.container_path = parts.size() > 1 ? parts[1] : parts[0];
    if (parts.size() > 2) device.permissions = parts[2];
    return device;
}

runtime::PortBinding render_port(const sources::Service& service, const sources::Port& port, int number) {
    int published = port.published;
    if (port.published_last > port.published) {
        published += number - 1;
        if (published > port.published_last) {
            refuse(service, "ports",
                   "the range " + std::to_string(port.published) + "-" + std::to_string(port.published_last) +
                       " has no port for container " + std::to_string(number));
        }
    }
    auto protocol = port.protocol == "udp" ? runtime::Protocol::udp : runtime::Protocol::tcp;
    return {port.host_ip, static_cast<uint16_t>(published), port.target, protocol};
}

runtime::Resources render_limits(const sources::Service& service) {
    runtime::Resources limits;
    limits.memory = service.mem_limit;
    limits.memory_swap = service.memswap_limit;
    limits.memory_reservation = service.mem_reservation;
    limits.nano_cpus = std::llround(service.cpus * 1e9);
    limits.pids_limit = service.pids_limit;
    return limits;
}

runtime::RestartPolicy render_restart(const sources::Service& service) {
    using Name = runtime::RestartPolicy::Name;
    const std::string& text = service.restart;
    if (text.empty() || text == "no") return {Name::no, 0};
    if (text == "always") return {Name::always, 0};
    if (text == "unless-stopped") return {Name::unless_stopped, 0};
    if (text == "on-failure") return {Name::on_failure, 0};
    constexpr std::string_view kCounted = "on-failure:";
    if (text.starts_with(kCounted)) {
        int retries = 0;
        auto [end, error] = std::from_chars(text.data() + kCounted.size(), text.data() + text.size(), retries);
        if (error == std::errc() && end == text.data() + text.size() && retries >= 0)
            return {Name::on_failure, retries};
    }
    refuse(service, "restart", "\"" + text + "\" is not a restart policy");
}

std::optional<runtime::Healthcheck> render_healthcheck(const sources::Service& service) {
    if (!service.healthcheck) return {};
    const sources::Healthcheck& from = *service.healthcheck;
    runtime::Healthcheck check;
    if (from.disable) {
        check.test = {"NONE"};
        return check;
    }
    check.test = from.test;
    check.interval = from.interval;
    check.timeout = from.timeout;
    check.start_period = from.start_period;
    check.start_interval = from.start_interval;
    check.retries = from.retries;
    return check;
}

}  // namespace kedge::reconciler

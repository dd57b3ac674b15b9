#include "runtime/containers/launch_limits.h"

#include "base/error.h"

#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

namespace kedge::runtime {

namespace {

struct LimitName {
    const char* name;
    uint32_t resource;
};

const LimitName kLimits[] = {{"core", RLIMIT_CORE},         {"cpu", RLIMIT_CPU},
                             {"data", RLIMIT_DATA},         {"fsize", RLIMIT_FSIZE},
                             {"locks", RLIMIT_LOCKS},       {"memlock", RLIMIT_MEMLOCK},
                             {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
                             {"nofile", RLIMIT_NOFILE},     {"nproc", RLIMIT_NPROC},
                             {"rss", RLIMIT_RSS},           {"rtprio", RLIMIT_RTPRIO},
                             {"rttime", RLIMIT_RTTIME},     {"sigpending", RLIMIT_SIGPENDING},
                             {"stack", RLIMIT_STACK}};

bool may_raise() {
    return ::prctl(PR_CAPBSET_READ, CAP_SYS_RESOURCE, 0, 0, 0) > 0;
}

uint64_t limit_value(int64_t value) {
    return value < 0 ? RLIM_INFINITY : static_cast<uint64_t>(value);
}

shim::Limit plan_limit(const Ulimit& ulimit, LaunchSpec& spec) {
    std::optional<uint32_t> resource = limit_resource(ulimit.name);
    if (!resource) throw Error(Code::invalid_argument, "invalid ulimit type: " + ulimit.name);
    shim::Limit limit;
    limit.resource = *resource;
    limit.soft = limit_value(ulimit.soft);
    limit.hard = limit_value(ulimit.hard);
    if (limit.soft > limit.hard) {
        throw Error(Code::invalid_argument,
                    "ulimit " + ulimit.name + ": the soft limit must be less than or equal to the hard limit");
    }
    rlimit own{};
    if (::getrlimit(static_cast<__rlimit_resource>(limit.resource), &own) == 0 && limit.hard > own.rlim_max &&
        !may_raise()) {
        spec.warnings.push_back("ulimit " + ulimit.name + ": this machine does not let it be raised above " +
                                std::to_string(own.rlim_max));
        limit.hard = own.rlim_max;
        limit.soft = std::min<uint64_t>(limit.soft, limit.hard);
    }
    return limit;
}

/// Open files, unless the container says otherwise: what Docker's containers get from systemd. The agent's own limits
/// are for itself, and programs that walk through all numbers up to the soft one take long for a million.
void add_default_limits(const ContainerSpec& container, LaunchSpec& spec) {
    auto is_nofile = [](const Ulimit& ulimit) { return ulimit.name == "nofile"; };
    rlimit own{};
    if (std::any_of(container.ulimits.begin(), container.ulimits.end(), is_nofile) ||
        ::getrlimit(RLIMIT_NOFILE, &own) != 0)
        return;
    shim::Limit limit;
    limit.resource = RLIMIT_NOFILE;
    limit.hard = std::min<uint64_t>(own.rlim_max, 524288);
    limit.soft = std::min<uint64_t>(limit.hard, 1024);
    spec.limits.push_back(limit);
}

bool is_ipc_sysctl(const std::string& key) {
    static const char* const names[] = {"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
                                        "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced"};
    return key.starts_with("fs.mqueue.") || std::find(std::begin(names), std::end(names), key) != std::end(names);
}

/// Dots are slashes, as sysctl(8) has it; in names of network devices a slash stands for a dot.
std::string sysctl_path(const std::string& key) {
    std::string path = key;
    for (char& c : path) c = c == '.' ? '/' : c == '/' ? '.' : c;
    return "/proc/sys/" + path;
}

/// Whether it is of a link that somebody has to make first: `/proc/sys/net/ipv4/conf/eth0/...`.
bool is_of_link(const std::string& path) {
    for (const char* of : {"ipv4/conf/", "ipv6/conf/", "ipv4/neigh/", "ipv6/neigh/"}) {
        const std::string folder = std::string("/proc/sys/net/") + of;
        if (!path.starts_with(folder)) continue;
        const std::string link = path.substr(folder.size(), path.find('/', folder.size()) - folder.size());
        return link != "all" && link != "default" && link != "lo";
    }
    return false;
}

}  // namespace

std::optional<uint32_t> limit_resource(const std::string& name) {
    for (const LimitName& limit : kLimits) {
        std::string long_name = std::string("RLIMIT_") + limit.name;
        for (char& c : long_name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
        if (name == limit.name || name == long_name) return limit.resource;
    }
    if (name == "RLIMIT_AS") return RLIMIT_AS;
    return std::nullopt;
}

std::string namespaced_sysctl(const std::string& key, const std::string& value, bool own_network, bool own_ipc) {
    bool network = key.starts_with("net."), ipc = is_ipc_sysctl(key);
    if ((!network && !ipc) || value.empty() || key.find("..") != std::string::npos) {
        throw Error(Code::invalid_argument,
                    "sysctl '" + key + "=" + value + "' is not allowed: it does not belong to a namespace");
    }
    if (network && !own_network)
        throw Error(Code::invalid_argument, "sysctl '" + key + "' is not allowed in the host's network namespace");
    if (ipc && !own_ipc)
        throw Error(Code::invalid_argument, "sysctl '" + key + "' is not allowed in the host's ipc namespace");
    return sysctl_path(key);
}

void plan_limits(const ContainerSpec& container, LaunchSpec& spec) {
    for (const Ulimit& ulimit : container.ulimits) spec.limits.push_back(plan_limit(ulimit, spec));
    add_default_limits(container, spec);
    if (container.oom_score_adj < -1000 || container.oom_score_adj > 1000) {
        throw Error(Code::invalid_argument, "invalid value " + std::to_string(container.oom_score_adj) +
                                                ", range for oom score adj is [-1000, 1000]");
    }
    spec.oom_score_adj =
        container.oom_score_adj;  // 0 too: the agent's own keeps the kernel from ending the agent, not its containers
    spec.flags |= shim::kSetOomScore;
}

void plan_sysctls(const LaunchRequest& request, LaunchSpec& spec) {
    const ContainerSpec& container = request.spec;
    bool own_network = request.new_network_namespace || request.join_network >= 0;
    for (const auto& [key, value] : container.sysctls)
        spec.sysctls.emplace_back(namespaced_sysctl(key, value, own_network, container.ipc_mode != "host"), value);
    const bool of_link =
        std::any_of(spec.sysctls.begin(), spec.sysctls.end(), [](const auto& set) { return is_of_link(set.first); });
    if (of_link && request.new_network_namespace) spec.flags |= shim::kSettingsOfLinks;
    if (!request.new_network_namespace) return;
    spec.optional_sysctls = {{"/proc/sys/net/ipv4/ip_unprivileged_port_start", "0"},
                             {"/proc/sys/net/ipv4/ping_group_range", "0 2147483647"}};
}

uint32_t parse_count(const std::string& text, const std::string& what) {
    uint32_t value = 0;
    auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || rest != text.data() + text.size() || value < 1 || value > 10000) {
        throw Error(Code::invalid_argument, "invalid value for " + what + ": \"" + text + "\"");
    }
    return value;
}

}  // namespace kedge::runtime

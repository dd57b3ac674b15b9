#include "base/error.h"
#include "runtime/containers/launch_limits.h"
#include "runtime/oci/plan.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <memory>

namespace kedge::oci {

namespace {

constexpr uint32_t kNewTime = 0x80;  // CLONE_NEWTIME

Fd open_namespace(const Namespace& entry) {
    try {
        Fd fd = open_at(AT_FDCWD, entry.path, O_RDONLY);
        if (::ioctl(fd.get(), NS_GET_NSTYPE) != static_cast<int>(entry.type))
            throw Error(Code::invalid_argument, "\"" + entry.path + "\" is not a namespace of this type");
        return fd;
    } catch (const Error& e) {
        throw e.with_context(entry.where + ".path");
    }
}

/// Whether it is another one than this process'.
bool is_own(const Config& config, uint32_t type) {
    return config.find(type) != nullptr;
}

/// As sysctl(8) reads it: the separator that comes first is the one between parts.
std::string dotted(std::string key) {
    const size_t first = key.find_first_of("./");
    if (first == std::string::npos || key[first] == '.') return key;
    for (char& c : key) c = c == '/' ? '.' : c == '.' ? '/' : c;
    return key;
}

std::string sysctl_path(const Config& config, const std::string& name, const std::string& value) {
    const std::string key = dotted(name);
    if (key == "kernel.domainname" && is_own(config, CLONE_NEWUTS)) return "/proc/sys/kernel/domainname";
    return runtime::namespaced_sysctl(key, value, is_own(config, CLONE_NEWNET), is_own(config, CLONE_NEWIPC));
}

std::string real_path(const std::string& path) {
    std::unique_ptr<char, void (*)(void*)> resolved(::realpath(path.c_str(), nullptr), std::free);
    if (!resolved) throw_errno(path);
    return resolved.get();
}

}  // namespace

void plan_namespaces(const Config& config, Launch& launch) {
    runtime::LaunchSpec& spec = launch.spec;
    for (const Namespace& entry : config.namespaces) {
        if (!entry.path.empty())
            spec.joins.push_back({launch.add(open_namespace(entry)), entry.type});
        else if (entry.type == CLONE_NEWCGROUP)
            spec.flags |= shim::kNewCgroupNamespace;  // after it has joined its groups
        else if (entry.type == kNewTime)
            spec.flags |= shim::kNewTimeNamespace;
        else
            spec.clone_flags |= entry.type;
    }
    if (config.find(CLONE_NEWUSER)) spec.flags |= shim::kUserNamespace;
    spec.time_offsets = config.time_offsets;
    spec.hostname = config.hostname;
    spec.domainname = config.domainname;
    if (!spec.hostname.empty() || !spec.domainname.empty()) spec.flags |= shim::kSetHostname;
    for (const auto& [name, value] : config.sysctls) {
        try {
            spec.sysctls.emplace_back(sysctl_path(config, name, value), value);
        } catch (const Error& e) {
            throw e.with_context("config.json: linux.sysctl");
        }
    }
}

Bundle open_bundle(const std::string& folder, const Config& config) {
    Bundle bundle;
    bundle.folder = real_path(folder);
    const bool absolute = config.root.starts_with('/');
    Fd base = open_at(AT_FDCWD, absolute ? "/" : bundle.folder, O_PATH | O_DIRECTORY);
    open_how how{};
    how.flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    // What the bundle says may not lead elsewhere; how the machine's own folders are linked is the machine's.
    how.resolve = RESOLVE_NO_MAGICLINKS | (absolute ? 0 : RESOLVE_NO_SYMLINKS);
    Fd root(static_cast<int>(::syscall(SYS_openat2, base.get(), config.root.c_str(), &how, sizeof how)));
    const std::string where = "config.json: root.path: \"" + config.root + "\"";
    if (!root && (errno == ENOTDIR || errno == ELOOP))
        throw Error(Code::invalid_argument, where + " is not a folder, or a symbolic link");
    if (!root) throw_errno(where);
    bundle.root = real_path("/proc/self/fd/" + std::to_string(root.get()));
    if (bundle.root == "/") throw Error(Code::invalid_argument, where + " is the root of this machine");
    return bundle;
}

std::string cgroup_path(const Config& config, const std::string& id) {
    const std::string& wanted = config.cgroups_path;
    const std::string where = "config.json: linux.cgroupsPath: \"" + wanted + "\"";
    if (wanted.empty()) return "kedge-oci/" + id;
    if (wanted.find(':') != std::string::npos && wanted.find('/') == std::string::npos)
        throw Error(Code::invalid_argument, where + " is one of systemd's: it is not asked for control groups");
    std::string path = wanted.starts_with('/') ? "" : "kedge-oci";
    for (size_t start = 0; start < wanted.size();) {
        const size_t end = std::min(wanted.find('/', start), wanted.size());
        const std::string part = wanted.substr(start, end - start);
        start = end + 1;
        if (part.empty() || part == ".") continue;
        if (part == "..") throw Error(Code::invalid_argument, where + " has .. in it");
        if (!path.empty()) path += '/';
        path += part;
    }
    if (path.empty() || path == "kedge-oci") throw Error(Code::invalid_argument, where + " names no group");
    return path;
}

}  // namespace kedge::oci

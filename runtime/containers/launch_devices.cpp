#include "runtime/containers/launch_mounts.h"

#include "base/error.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

namespace kedge::runtime {

namespace {

LaunchMount node(const std::string& path, const struct stat& info) {
    LaunchMount mount;
    mount.kind = shim::MountKind::node;
    mount.target = path;
    mount.mode = info.st_mode;
    mount.device = info.st_rdev;
    mount.uid = info.st_uid;
    mount.gid = info.st_gid;
    return mount;
}

LaunchMount standard(const char* path, unsigned major, unsigned minor) {
    struct stat info {};
    info.st_mode = S_IFCHR | 0666;
    info.st_rdev = makedev(major, minor);
    return node(path, info);
}

DeviceRule rule(char type, int64_t major, int64_t minor, std::string permissions = "rwm") {
    return {type, major, minor, std::move(permissions)};
}

DeviceRule rule_for(const struct stat& info, const std::string& permissions) {
    return rule(S_ISBLK(info.st_mode) ? 'b' : 'c', major(info.st_rdev), minor(info.st_rdev), permissions);
}

bool is_device(const struct stat& info) {
    return S_ISBLK(info.st_mode) || S_ISCHR(info.st_mode);
}

/// Every device below a folder of the host, in the same place below `target`. Terminals and shared memory are the
/// container's own.
void add_folder(const std::string& folder, const std::string& target, const std::string& permissions,
                LaunchSpec& spec) {
    std::error_code error;
    namespace fs = std::filesystem;
    for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
        std::string path = entry->path();
        if (path == "/dev/pts" || path == "/dev/shm" || path == "/dev/mqueue" || path == "/dev/.lxc") {
            entry.disable_recursion_pending();
            continue;
        }
        struct stat info {};
        if (::lstat(path.c_str(), &info) != 0 || !is_device(info) || path == "/dev/console" || path == "/dev/ptmx")
            continue;
        spec.mounts.push_back(node(target + path.substr(folder.size()), info));
        spec.device_rules.push_back(rule_for(info, permissions));
    }
}

void add_device(const Device& device, LaunchSpec& spec) {
    std::string target = device.container_path.empty() ? device.host_path : device.container_path;
    std::string permissions = device.permissions.empty() ? "rwm" : device.permissions;
    if (target[0] != '/')
        throw Error(Code::invalid_argument,
                    "device " + device.host_path + ": \"" + target + "\" is not an absolute path");
    if (permissions.find_first_not_of("rwm") != std::string::npos) {
        throw Error(Code::invalid_argument,
                    "device " + device.host_path + ": invalid permissions \"" + permissions + "\"");
    }
    struct stat info {};
    if (::stat(device.host_path.c_str(), &info) != 0) {
        throw Error(Code::invalid_argument, "error gathering device information while adding custom device \"" +
                                                device.host_path + "\": no such file or directory");
    }
    if (S_ISDIR(info.st_mode)) {
        add_folder(device.host_path, target, permissions, spec);
        return;
    }
    if (!is_device(info)) {
        throw Error(Code::invalid_argument, "error gathering device information while adding custom device \"" +
                                                device.host_path + "\": not a device node");
    }
    spec.mounts.push_back(node(target, info));
    spec.device_rules.push_back(rule_for(info, permissions));
}

}  // namespace

std::vector<LaunchMount> standard_nodes() {
    return {standard("/dev/null", 1, 3),   standard("/dev/zero", 1, 5),    standard("/dev/full", 1, 7),
            standard("/dev/random", 1, 8), standard("/dev/urandom", 1, 9), standard("/dev/tty", 5, 0)};
}

void plan_devices(const LaunchRequest& request, LaunchSpec& spec) {
    auto& rules = spec.device_rules;
    if (request.spec.privileged) {
        add_folder("/dev", "/dev", "rwm", spec);
        rules = {rule('a', -1, -1)};
        return;
    }
    for (LaunchMount& entry : standard_nodes()) {
        rules.push_back(rule('c', major(entry.device), minor(entry.device)));
        spec.mounts.push_back(std::move(entry));
    }
    // Any node may be made, as Docker lets it: opening it is what is refused. Terminals: the pts, ptmx and the console.
    for (const DeviceRule& more :
         {rule('c', -1, -1, "m"), rule('b', -1, -1, "m"), rule('c', 136, -1), rule('c', 5, 2), rule('c', 5, 1)})
        rules.push_back(more);
    for (const Device& device : request.spec.devices) add_device(device, spec);
    for (const std::string& text : request.spec.device_rules) rules.push_back(parse_device_rule(text));
}

DeviceRule parse_device_rule(const std::string& text) {
    const Error invalid(Code::invalid_argument, "invalid device cgroup rule format: '" + text + "'");
    auto number = [&](const std::string& part) -> int64_t {
        if (part == "*") return -1;
        uint32_t value = 0;
        auto [rest, failure] = std::from_chars(part.data(), part.data() + part.size(), value);
        if (failure != std::errc() || rest != part.data() + part.size()) throw invalid;
        return value;
    };
    const size_t colon = text.find(':'), space = text.find(' ', 2);
    const bool shaped = text.size() > 2 && text[1] == ' ' && colon != std::string::npos && space != std::string::npos &&
                        colon < space && std::string_view("acb").find(text[0]) != std::string_view::npos;
    if (!shaped) throw invalid;
    const std::string permissions = text.substr(space + 1);
    if (permissions.empty() || permissions.size() > 3 || permissions.find_first_not_of("rwm") != std::string::npos)
        throw invalid;
    return rule(text[0], number(text.substr(2, colon - 2)), number(text.substr(colon + 1, space - colon - 1)),
                permissions);
}

}  // namespace kedge::runtime

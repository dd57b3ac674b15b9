#include "reconciler/privileges.h"

#include "base/error.h"
#include "base/text.h"

#include <algorithm>
#include <filesystem>

namespace kedge::reconciler {

namespace {

/// With one of these a container's root is as good as the host's.
constexpr const char* kHostCapabilities[] = {"ALL",        "SYS_ADMIN",    "SYS_MODULE",        "SYS_RAWIO",
                                             "SYS_PTRACE", "SYS_BOOT",     "SYS_TIME",          "SYSLOG",
                                             "MAC_ADMIN",  "BPF",          "DAC_READ_SEARCH",   "PERFMON",
                                             "SYS_PACCT",  "MAC_OVERRIDE", "CHECKPOINT_RESTORE"};

[[noreturn]] void refuse(const std::string& what, const std::string& problem, const char* key) {
    throw Error(Code::permission_denied, what + ": " + problem,
                std::string("the agent's policy.") + key + " decides this");
}

bool is_below(const std::filesystem::path& path, const std::filesystem::path& folder) {
    auto [end, rest] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
    return end == folder.end() || (std::next(end) == folder.end() && end->empty());  // a trailing slash
}

/// Whether the path, symbolic links followed, is in one of the folders.
bool is_allowed(const std::string& path, const std::vector<std::string>& own_folders, const Policy& policy) {
    std::error_code error;
    std::filesystem::path real = std::filesystem::weakly_canonical(path, error);
    if (error) return false;
    auto holds = [&](const std::string& folder) {
        std::error_code unresolved;
        std::filesystem::path root = std::filesystem::weakly_canonical(folder, unresolved);
        return !folder.empty() && !unresolved && is_below(real, root);
    };
    return std::any_of(own_folders.begin(), own_folders.end(), holds) ||
           std::any_of(policy.allowed_binds.begin(), policy.allowed_binds.end(), holds);
}

void check_privileged_keys(const sources::Service& service) {
    std::string what = "services." + service.name;
    if (service.privileged)
        refuse(what + ".privileged", "privileged containers are not allowed on this device", "allow_privileged");
    if (service.network_mode == "host")
        refuse(what + ".network_mode", "the host's network is not allowed on this device", "allow_privileged");
    if (service.network_mode.starts_with("container:")) {
        refuse(what + ".network_mode", "the network of a container outside the project is not allowed on this device",
               "allow_privileged");
    }
    if (!service.devices.empty())
        refuse(what + ".devices", "devices of the host are not allowed on this device", "allow_privileged");
    for (std::string capability : service.cap_add) {
        std::transform(capability.begin(), capability.end(), capability.begin(),
                       [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
        if (capability.starts_with("CAP_")) capability.erase(0, 4);
        if (std::find(std::begin(kHostCapabilities), std::end(kHostCapabilities), capability) ==
            std::end(kHostCapabilities))
            continue;
        refuse(what + ".cap_add", "capability " + capability + " is not allowed on this device", "allow_privileged");
    }
    for (const std::string& option : service.security_opt) {
        if (option.find("unconfined") == std::string::npos && !option.starts_with("seccomp") &&
            !option.starts_with("label"))
            continue;
        refuse(what + ".security_opt", "\"" + option.substr(0, 80) + "\" is not allowed on this device",
               "allow_privileged");
    }
}

/// A bind by another name needs what a bind needs. A tmpfs is no more than what `tmpfs` gives every service. Others
/// read what the kernel is told to: a device, or with overlay folders that `device` doesn't name.
void check_volume_options(const std::string& key, const std::map<std::string, std::string>& options,
                          const Policy& policy) {
    auto option = [&](const char* name) {
        auto found = options.find(name);
        return found == options.end() ? std::string() : found->second;
    };
    if (options.empty()) return;
    const std::string device = option("device"), type = option("type");
    const std::vector<std::string> words = split(option("o"), ',');
    const bool bind = std::any_of(words.begin(), words.end(),
                                  [](const std::string& word) { return word == "bind" || word == "rbind"; });
    if (bind) {
        if (is_allowed(device, {}, policy)) return;
        refuse("volumes." + key + ".driver_opts.device",
               "mounting " + device + " of the host is not allowed on this device", "allowed_binds");
    }
    if (type == "tmpfs" || policy.allow_privileged) return;
    refuse("volumes." + key + ".driver_opts.type", "a volume of type \"" + type + "\" is not allowed on this device",
           "allow_privileged");
}

}  // namespace

void check_privileges(const sources::Project& project, const std::vector<std::string>& own_folders,
                      const Policy& policy) {
    for (const auto& [name, service] : project.services) {
        if (!policy.allow_privileged) check_privileged_keys(service);
        for (const sources::VolumeMount& volume : service.volumes) {
            if (volume.type != "bind" || is_allowed(volume.source, own_folders, policy)) continue;
            refuse("services." + name + ".volumes",
                   "mounting " + volume.source + " of the host is not allowed on this device", "allowed_binds");
        }
    }
    for (const auto& [key, volume] : project.volumes) {
        check_volume_options(key, volume.driver_opts, policy);
    }
}

}  // namespace kedge::reconciler

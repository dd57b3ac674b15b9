#include "sources/compose_values.h"

#include "base/text.h"

#include "sources/compose_keys.h"
#include "sources/compose_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>

namespace kedge::sources {

using yaml::fail;
using yaml::Node;

namespace {

constexpr int64_t kMaxInt = std::numeric_limits<int64_t>::max();

constexpr std::string_view kCapabilities[] = {"ALL",
                                              "AUDIT_CONTROL",
                                              "AUDIT_READ",
                                              "AUDIT_WRITE",
                                              "BLOCK_SUSPEND",
                                              "BPF",
                                              "CHECKPOINT_RESTORE",
                                              "CHOWN",
                                              "DAC_OVERRIDE",
                                              "DAC_READ_SEARCH",
                                              "FOWNER",
                                              "FSETID",
                                              "IPC_LOCK",
                                              "IPC_OWNER",
                                              "KILL",
                                              "LEASE",
                                              "LINUX_IMMUTABLE",
                                              "MAC_ADMIN",
                                              "MAC_OVERRIDE",
                                              "MKNOD",
                                              "NET_ADMIN",
                                              "NET_BIND_SERVICE",
                                              "NET_BROADCAST",
                                              "NET_RAW",
                                              "PERFMON",
                                              "SETFCAP",
                                              "SETGID",
                                              "SETPCAP",
                                              "SETUID",
                                              "SYSLOG",
                                              "SYS_ADMIN",
                                              "SYS_BOOT",
                                              "SYS_CHROOT",
                                              "SYS_MODULE",
                                              "SYS_NICE",
                                              "SYS_PACCT",
                                              "SYS_PTRACE",
                                              "SYS_RAWIO",
                                              "SYS_RESOURCE",
                                              "SYS_TIME",
                                              "SYS_TTY_CONFIG",
                                              "WAKE_ALARM"};

// getrlimit(2)
constexpr std::string_view kUlimits[] = {"core",    "cpu",      "data",   "fsize",      "locks",
                                         "memlock", "msgqueue", "nice",   "nofile",     "nproc",
                                         "rss",     "rtprio",   "rttime", "sigpending", "stack"};

constexpr std::string_view kIpcSysctls[] = {"kernel.msgmax", "kernel.msgmnb",         "kernel.msgmni",
                                            "kernel.sem",    "kernel.shmall",         "kernel.shmmax",
                                            "kernel.shmmni", "kernel.shm_rmid_forced"};

template <typename List>
bool is_in(const List& list, std::string_view text) {
    return std::find(std::begin(list), std::end(list), text) != std::end(list);
}

std::string upper(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    return text;
}

bool is_number(std::string_view text, int least, int most) {
    int value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() && value >= least && value <= most;
}

bool is_signal(const std::string& text) {
    if (is_number(text, 1, 64)) return true;
    std::string name = upper(text);
    if (name.starts_with("SIG")) name.erase(0, 3);
    if (name == "CLD" || name == "POLL" || name == "RTMIN" || name == "RTMAX") return true;
    if (name.starts_with("RTMIN+") || name.starts_with("RTMAX-"))
        return is_number(std::string_view(name).substr(6), 0, 30);
    for (int number = 1; number < 32; ++number) {
        const char* known = ::sigabbrev_np(number);
        if (known && name == known) return true;
    }
    return false;
}

/// A text's parts; one more than there are separators.
std::string tmpfs_option(const Node& node, const std::string& option) {
    if (option.starts_with("size="))
        return fmt::format("size={}", read_size(yaml::string_node(node, option.substr(5))));
    if (option.starts_with("mode="))
        return fmt::format("mode={:o}", read_mode(yaml::string_node(node, option.substr(5))));
    constexpr std::string_view supported[] = {"ro", "rw", "noexec", "nosuid", "nodev"};
    if (is_in(supported, option)) return option;
    constexpr std::string_view later[] = {"exec",      "suid",      "dev",     "uid", "gid",
                                          "nr_inodes", "nr_blocks", "noatime", "huge"};
    bool known = is_in(later, option.substr(0, option.find('=')));
    fail(node, fmt::format("the tmpfs option \"{}\" {}", option, known ? "is not supported yet" : "is unknown"));
}

bool is_permissions(const std::string& text) {
    return !text.empty() && text.size() <= 3 && text.find_first_not_of("rwm") == std::string::npos;
}

std::string read_device(const Node& node) {
    std::string source, target, permissions = "rwm";
    if (node.is_map()) {
        check_keys(node, keys::device);
        with(node, "source", [&](const Node& value) { source = target = read_string(value); });
        with(node, "target", [&](const Node& value) { target = read_string(value); });
        with(node, "permissions", [&](const Node& value) { permissions = read_string(value); });
    } else {
        std::vector<std::string> parts = split(read_string(node), ':');
        source = target = parts[0];
        // As in Docker the second part may be the permissions.
        bool short_form = parts.size() == 2 && is_permissions(parts[1]);
        if (parts.size() > 3) fail(node, fmt::format("\"{}\" is not a device", node.text));
        if (parts.size() > 1 && !short_form) target = parts[1];
        if (parts.size() > 2 || short_form) permissions = parts.back();
    }
    if (source.empty()) fail(node, "source is missing");
    if (!source.starts_with('/')) fail(node, fmt::format("the device \"{}\" is not supported yet", source));
    if (!target.starts_with('/')) fail(node, fmt::format("\"{}\" is not an absolute path", target));
    if (!is_permissions(permissions))
        fail(node, fmt::format("\"{}\" are not permissions", permissions), "of r, w and m");
    return source + ":" + target + ":" + permissions;
}

bool is_log_size(std::string_view text) {
    size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    constexpr std::string_view units[] = {"", "b", "k", "m", "g", "kb", "mb", "gb"};
    return digits > 0 && digits < 15 && is_in(units, text.substr(digits));
}

}  // namespace

std::string read_signal(const Node& node) {
    std::string text = read_text(node);
    if (!is_signal(text)) fail(node, fmt::format("\"{}\" is not a signal", text));
    return text;
}

std::vector<std::string> read_capabilities(const Node& node) {
    std::vector<std::string> names = read_strings(node);
    for (size_t i = 0; i < names.size(); ++i) {
        std::string name = upper(names[i]);
        if (name.starts_with("CAP_")) name.erase(0, 4);
        if (!is_in(kCapabilities, name)) fail(node.items[i], fmt::format("\"{}\" is not a capability", names[i]));
    }
    return names;
}

bool is_hostname(const std::string& text) {
    return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
               c == '_';
    });
}

std::string read_hostname(const Node& node) {
    std::string text = read_string(node);
    if (!text.empty() && !is_hostname(text)) fail(node, fmt::format("\"{}\" is not a host's name", text));
    return text;
}

std::vector<std::string> read_tmpfs(const Node& node) {
    std::vector<std::string> list = read_strings(node);
    for (size_t i = 0; i < list.size(); ++i) {
        const Node& item = node.items[i];
        size_t colon = list[i].find(':');
        std::string result = read_target(item, list[i].substr(0, colon));
        char separator = ':';
        for (const std::string& option :
             colon == std::string::npos ? std::vector<std::string>{} : split(list[i].substr(colon + 1), ',')) {
            result += separator + tmpfs_option(item, option);
            separator = ',';
        }
        list[i] = std::move(result);
    }
    return list;
}

std::vector<std::string> read_devices(const Node& node) {
    if (!node.is_sequence()) fail(node, "must be a list");
    std::vector<std::string> devices;
    for (const Node& item : node.items) devices.push_back(read_device(item));
    return devices;
}

std::vector<Ulimit> read_ulimits(const Node& node) {
    if (!node.is_map()) fail(node, "must be a mapping");
    std::vector<Ulimit> list;
    for (const auto& [name, value] : node.entries) {
        if (!is_in(kUlimits, name)) fail(value, fmt::format("there is no ulimit {}", name));
        Ulimit limit;
        limit.name = name;
        if (!value.is_map()) {
            limit.soft = limit.hard = read_integer(value, -1, kMaxInt);
        } else {
            check_keys(value, keys::ulimit);
            const Node* soft = value.find("soft");
            const Node* hard = value.find("hard");
            if (!soft || !hard) fail(value, "needs soft and hard");
            limit.soft = read_integer(*soft, -1, kMaxInt);
            limit.hard = read_integer(*hard, -1, kMaxInt);
        }
        bool above = limit.hard >= 0 && (limit.soft < 0 || limit.soft > limit.hard);
        if (above) fail(value, fmt::format("the soft limit {} is above the hard limit {}", limit.soft, limit.hard));
        list.push_back(limit);
    }
    std::sort(list.begin(), list.end(), [](const Ulimit& a, const Ulimit& b) { return a.name < b.name; });
    return list;
}

std::map<std::string, std::string> read_sysctls(const Node& node) {
    std::map<std::string, std::string> sysctls = read_map(node);
    for (const auto& [name, value] : sysctls) {
        const Node& at = *node.find(name);
        bool inside = name.starts_with("net.") || name.starts_with("fs.mqueue.") || is_in(kIpcSysctls, name);
        if (!inside || name.find("..") != std::string::npos)
            fail(at, "this sysctl does not belong to a namespace of the container");
        if (value.empty()) fail(at, "needs a value");
    }
    return sysctls;
}

std::vector<std::string> read_addresses(const Node& node) {
    std::vector<std::string> list = read_strings(node);
    for (size_t i = 0; i < list.size(); ++i) {
        if (!is_ip(list[i])) fail(node.items[i], fmt::format("\"{}\" is not an IP address", list[i]));
    }
    return list;
}

std::vector<std::string> read_extra_hosts(const Node& node) {
    if (!node.is_sequence()) fail(node, "must be a list or mapping");
    std::vector<std::string> hosts;
    for (const Node& item : node.items) {
        std::string text = read_string(item);
        size_t split = text.find('=');
        if (split == std::string::npos) split = text.find(':');
        if (split == std::string::npos || split == 0 || split + 1 >= text.size()) {
            fail(item, fmt::format("\"{}\" is not a host and its address", text), "write it as name=address");
        }
        std::string name = text.substr(0, split), address = text.substr(split + 1);
        if (!is_hostname(name)) fail(item, fmt::format("\"{}\" is not a host's name", name));
        if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
        if (address != "host-gateway" && !is_ip(address))
            fail(item, fmt::format("\"{}\" is not an IP address", address));
        hosts.push_back(name + ":" + address);
    }
    return hosts;
}

void read_logging(const Node& node, Service& service) {
    check_keys(node, keys::logging);
    with(node, "driver", [&](const Node& value) {
        service.logging_driver = read_string(value);
        if (service.logging_driver == "json-file" || service.logging_driver == "none" || service.logging_driver.empty())
            return;
        fail(value, fmt::format("the logging driver \"{}\" is not supported yet", service.logging_driver),
             "use json-file or none");
    });
    with(node, "options", [&](const Node& options) {
        service.logging_options = read_map(options);
        for (const auto& [name, value] : service.logging_options) {
            const Node& at = *options.find(name);
            bool size = name == "max-size";
            if (service.logging_driver == "none") fail(at, "the logging driver none takes no options");
            if (!size && name != "max-file") fail(at, "the logging option is not supported yet");
            if (size ? !is_log_size(value) : !is_number(value, 1, 9999))
                fail(at, fmt::format("\"{}\" is not a {}", value, size ? "size" : "count"));
        }
    });
}

}  // namespace kedge::sources

#include "runtime/volumes/volume_mount.h"

#include "base/confined.h"
#include "base/error.h"
#include "base/own_mounts.h"
#include "base/size.h"
#include "base/text.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include <memory>
#include <set>

namespace kedge::runtime {

namespace {

Error invalid(const std::string& message) {
    return Error(Code::invalid_argument, message);
}

std::string option(const VolumeOptions& options, const char* key) {
    auto found = options.find(key);
    return found == options.end() ? std::string() : found->second;
}

/// What of mount(8)'s options is a flag of mount(2); the rest is for the file system.
struct MountWords {
    unsigned long flags = 0;
    std::string data;
};

MountWords parse_mount_words(const std::string& text) {
    struct Flag {
        bool clear;
        unsigned long bits;
    };
    static const std::map<std::string, Flag> flags = {{"async", {true, MS_SYNCHRONOUS}},
                                                      {"atime", {true, MS_NOATIME}},
                                                      {"bind", {false, MS_BIND}},
                                                      {"defaults", {false, 0}},
                                                      {"dev", {true, MS_NODEV}},
                                                      {"diratime", {true, MS_NODIRATIME}},
                                                      {"dirsync", {false, MS_DIRSYNC}},
                                                      {"exec", {true, MS_NOEXEC}},
                                                      {"mand", {false, MS_MANDLOCK}},
                                                      {"noatime", {false, MS_NOATIME}},
                                                      {"nodev", {false, MS_NODEV}},
                                                      {"nodiratime", {false, MS_NODIRATIME}},
                                                      {"noexec", {false, MS_NOEXEC}},
                                                      {"nomand", {true, MS_MANDLOCK}},
                                                      {"norelatime", {true, MS_RELATIME}},
                                                      {"nostrictatime", {true, MS_STRICTATIME}},
                                                      {"nosuid", {false, MS_NOSUID}},
                                                      {"rbind", {false, MS_BIND | MS_REC}},
                                                      {"relatime", {false, MS_RELATIME}},
                                                      {"ro", {false, MS_RDONLY}},
                                                      {"rw", {true, MS_RDONLY}},
                                                      {"strictatime", {false, MS_STRICTATIME}},
                                                      {"suid", {true, MS_NOSUID}},
                                                      {"sync", {false, MS_SYNCHRONOUS}},
                                                      {"private", {false, 0}},
                                                      {"rprivate", {false, 0}}};  // it is so in any case
    static const std::set<std::string> meaningless = {"remount", "shared",     "rshared",    "slave",
                                                      "rslave",  "unbindable", "runbindable"};
    MountWords result;
    if (text.empty()) return result;
    for (const std::string& word : split(text, ',')) {
        if (meaningless.contains(word)) throw invalid("the mount option \"" + word + "\" is not supported for volumes");
        if (auto flag = flags.find(word); flag != flags.end()) {
            result.flags = flag->second.clear ? result.flags & ~flag->second.bits : result.flags | flag->second.bits;
        } else {
            result.data += (result.data.empty() ? "" : ",") + word;
        }
    }
    return result;
}

/// Kernels know no names: `addr=` of a file system from the network becomes an address, as mount.nfs(8) does it.
std::string with_address(const std::string& words) {
    std::string result;
    for (std::string word : split(words, ',')) {
        if (word.starts_with("addr=")) {
            addrinfo hints{}, *found = nullptr;
            hints.ai_socktype = SOCK_STREAM;
            const std::string name = word.substr(5);
            if (int failure = ::getaddrinfo(name.c_str(), nullptr, &hints, &found); failure != 0)
                throw Error(Code::unavailable, fmt::format("error resolving passed in network volume address: {}: {}",
                                                           name, ::gai_strerror(failure)));
            std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);
            char address[NI_MAXHOST] = {};
            if (::getnameinfo(found->ai_addr, found->ai_addrlen, address, sizeof address, nullptr, 0, NI_NUMERICHOST) ==
                0)
                word = std::string("addr=") + address;
        }
        result += (result.empty() ? "" : ",") + word;
    }
    return result;
}

std::string without_password(const std::string& data) {
    std::string result;
    for (const std::string& word : split(data, ','))
        result += (result.empty() ? "" : ",") + (word.starts_with("password=") ? "password=********" : word);
    return result;
}

void mount_at(const std::string& place, const VolumeOptions& options) {
    const std::string device = option(options, "device"), type = option(options, "type");
    if (device.empty()) throw invalid("missing device in volume options");
    std::string words = option(options, "o");
    if (type == "nfs" || type == "cifs") words = with_address(words);
    MountWords parsed = parse_mount_words(words);
    auto call = [&](unsigned long flags) {
        if (::mount(device.c_str(), place.c_str(), type.c_str(), flags, parsed.data.c_str()) == 0) return;
        std::string what = fmt::format("failed to mount local volume: mount {}:{}", device, place);
        if (parsed.flags != 0) what += fmt::format(", flags: {:#x}", parsed.flags);
        if (!parsed.data.empty()) what += ", data: " + without_password(parsed.data);
        throw_errno(what);
    };
    call(parsed.flags);
    // What a bind mount is to be besides, the kernel takes only from a second call.
    if ((parsed.flags & MS_BIND) && (parsed.flags & ~(MS_BIND | MS_REC))) call(parsed.flags | MS_REMOUNT);
}

}  // namespace

void check_volume_options(const VolumeOptions& options) {
    static const std::set<std::string> known = {"type", "o", "device", "size"};
    for (const auto& [key, value] : options) {
        if (!known.contains(key)) throw invalid(fmt::format("invalid option: \"{}\"", key));
        if (value.find('\0') != std::string::npos)
            throw invalid(fmt::format("invalid option: \"{}\" has a zero byte", key));
    }
    if (options.contains("size")) {
        const std::string text = option(options, "size");
        std::optional<int64_t> size = parse_size(text);
        if (!size) throw invalid("invalid size: '" + text + "'");
        if (*size > 0) throw invalid("quota size requested but no quota support");
    }
    auto needs = [&](const char* key, const char* other) {
        if (options.contains(key) && !options.contains(other))
            throw invalid(fmt::format("missing required option: \"{}\"", other));
    };
    needs("type", "device");
    needs("o", "device");
    needs("device", "type");
    const std::string device = option(options, "device");
    const std::string host = device.starts_with("//") ? device.substr(2, device.find('/', 2) - 2) : std::string();
    if (option(options, "type") == "cifs" && host.find(':') != std::string::npos)
        throw invalid("port not allowed in CIFS device URL, include 'port' in 'o='");
    (void)parse_mount_words(option(options, "o"));
}

bool is_mounted(const VolumeOptions& options) {
    return !option(options, "device").empty() || !option(options, "type").empty();
}

bool is_bind(const VolumeOptions& options) {
    return (parse_mount_words(option(options, "o")).flags & MS_BIND) != 0;
}

Fd mount_volume(const VolumeInfo& volume, const std::string& subpath) {
    try {
        return in_own_mounts([&] {
            mount_at(volume.mountpoint, volume.spec.options);
            Fd part = ConfinedRoot(AT_FDCWD, volume.mountpoint).open_strictly(subpath.empty() ? "." : subpath, O_PATH);
            Fd copy = copy_of_mount(part.get(), "", is_bind(volume.spec.options));
            if (!copy) throw_errno("copy of the mount");
            return copy;
        });
    } catch (const Error& e) {
        throw e.with_context("error while mounting volume '" + volume.mountpoint + "'");
    }
}

}  // namespace kedge::runtime

#include "runtime/containers/launch_user.h"

#include "base/confined.h"
#include "base/error.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace kedge::runtime {

namespace {

constexpr size_t kLargestFile = 4u << 20;

bool is_whiteout(const struct stat& info) {
    return S_ISCHR(info.st_mode) && info.st_rdev == makedev(0, 0);
}

bool hides_below(int folder) {
    char value = 0;
    std::string path = fmt::format("/proc/self/fd/{}", folder);
    return ::getxattr(path.c_str(), "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

/// The file as the overlay of these folders shows it; empty if there is none. Links from one layer into another are not
/// followed: no image has /etc/passwd behind one.
std::string read_merged(const std::vector<std::string>& folders, const std::string& name) {
    for (const std::string& folder : folders) {
        try {
            ConfinedRoot root(AT_FDCWD, folder);
            struct stat info {};
            if (::fstatat(root.fd(), "etc", &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
            if (is_whiteout(info)) return {};
            Fd etc = root.open("etc", O_PATH | O_DIRECTORY);
            const bool last = &folder == &folders.back() || hides_below(etc.get());
            if (::fstatat(etc.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) {
                if (is_whiteout(info)) return {};
                Fd file = root.open(fmt::format("etc/{}", name), O_RDONLY | O_NONBLOCK);
                if (::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
                return read_all(file.get(), kLargestFile);
            }
            if (last) return {};
        } catch (const Error& e) {
            if (e.code() != Code::not_found) throw e.with_context(fmt::format("/etc/{} of the container", name));
        }
    }
    return {};
}

std::vector<std::string_view> fields(std::string_view line) {
    std::vector<std::string_view> result;
    while (true) {
        size_t colon = line.find(':');
        result.push_back(line.substr(0, colon));
        if (colon == std::string_view::npos) return result;
        line.remove_prefix(colon + 1);
    }
}

template <typename Look>
void each_line(std::string_view text, size_t least_fields, Look&& look) {
    while (!text.empty()) {
        size_t end = std::min(text.find('\n'), text.size());
        std::vector<std::string_view> line = fields(text.substr(0, end));
        if (line.size() >= least_fields && !look(line)) return;
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

/// Numbers as Docker takes them: up to 2^31 - 1.
std::optional<uint32_t> number(std::string_view text) {
    uint32_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value > 0x7fffffff) return std::nullopt;
    return value;
}

}  // namespace

UserDatabase::UserDatabase(const std::vector<std::string>& folders)
    : passwd_(read_merged(folders, "passwd")), group_(read_merged(folders, "group")) {}

LaunchUser UserDatabase::find(const std::string& user, const std::vector<std::string>& more) const {
    size_t colon = user.find(':');
    std::string name = user.substr(0, colon);
    std::string group = colon == std::string::npos ? std::string() : user.substr(colon + 1);
    if (name.empty()) name.assign(1, '0');

    LaunchUser result;
    result.home.assign(1, '/');
    std::optional<uint32_t> id = number(name);
    std::string login;
    bool found = false;
    each_line(passwd_, 4, [&](const std::vector<std::string_view>& line) {
        std::optional<uint32_t> uid = number(line[2]), gid = number(line[3]);
        if (!uid || !gid || (line[0] != name && !(id && *uid == *id))) return true;
        result.uid = *uid;
        result.gid = *gid;
        login = line[0];
        if (line.size() > 5 && !line[5].empty()) result.home = line[5];
        found = true;
        return false;
    });
    if (!found) {
        if (!id)
            throw Error(Code::invalid_argument,
                        fmt::format("unable to find user {}: no matching entries in passwd file", name));
        result.uid = *id;
    }

    auto find_group = [&](const std::string& wanted) {
        std::optional<uint32_t> gid = number(wanted), match;
        each_line(group_, 3, [&](const std::vector<std::string_view>& line) {
            if (line[0] == wanted) match = number(line[2]);
            return !match;
        });
        if (match) return *match;
        if (!gid)
            throw Error(Code::invalid_argument,
                        fmt::format("unable to find group {}: no matching entries in group file", wanted));
        return *gid;
    };
    if (!group.empty()) {
        result.gid = find_group(group);
    } else if (!login.empty()) {
        each_line(group_, 4, [&](const std::vector<std::string_view>& line) {
            std::string_view members = line[3];
            while (!members.empty()) {
                size_t end = std::min(members.find(','), members.size());
                if (members.substr(0, end) == login) {
                    if (std::optional<uint32_t> gid = number(line[2])) result.groups.push_back(*gid);
                    break;
                }
                members.remove_prefix(std::min(end + 1, members.size()));
            }
            return true;
        });
    }
    for (const std::string& extra : more) result.groups.push_back(find_group(extra));
    // The group itself too, as Docker does it: else a file with rights for all but this group would open to who changes
    // to another group, which a process may do with a set-group-id program.
    if (std::find(result.groups.begin(), result.groups.end(), result.gid) == result.groups.end())
        result.groups.insert(result.groups.begin(), result.gid);
    if (result.groups.size() > 65536) throw Error(Code::invalid_argument, "user " + name + " has too many groups");
    return result;
}

}  // namespace kedge::runtime

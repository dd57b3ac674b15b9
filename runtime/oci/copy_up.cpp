#include "base/error.h"
#include "base/folder.h"
#include "runtime/oci/trees.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>

namespace kedge::oci {

namespace {

constexpr int kDeepest = 200;  // an image's folders may be nested without end

Fd make_tmpfs(const std::vector<std::pair<std::string, std::string>>& options) {
    Fd context(static_cast<int>(::syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC)));
    if (!context) throw_errno("tmpfs");
    for (const auto& [key, value] : options) {
        const unsigned command = value.empty() ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING;
        if (::syscall(SYS_fsconfig, context.get(), command, key.c_str(), value.empty() ? nullptr : value.c_str(), 0) !=
            0)
            throw_errno("tmpfs option " + key);
    }
    if (::syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) throw_errno("tmpfs");
    Fd mount(static_cast<int>(::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, 0)));
    if (!mount) throw_errno("tmpfs");
    return mount;
}

void copy_file(int from_folder, int to_folder, const std::string& name, const struct stat& info) {
    Fd from = open_at(from_folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    Fd to = open_at(to_folder, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
    for (ssize_t n = 1; n > 0;) {
        n = ::sendfile(to.get(), from.get(), nullptr, 1 << 20);
        if (n < 0) throw_errno("copy " + name);
    }
    if (::fchown(to.get(), info.st_uid, info.st_gid) != 0 || ::fchmod(to.get(), info.st_mode & 07777) != 0)
        throw_errno("copy " + name);
}

void copy_link(int from_folder, int to_folder, const std::string& name, const struct stat& info) {
    char target[PATH_MAX];
    const ssize_t size = ::readlinkat(from_folder, name.c_str(), target, sizeof target - 1);
    if (size < 0) throw_errno("copy " + name);
    target[size] = 0;
    if (::symlinkat(target, to_folder, name.c_str()) != 0 ||
        ::fchownat(to_folder, name.c_str(), info.st_uid, info.st_gid, AT_SYMLINK_NOFOLLOW) != 0)
        throw_errno("copy " + name);
}

/// What others change meanwhile is found as it is then; links are copied and not followed.
void copy_content(int from, int to, int depth) {
    if (depth > kDeepest) throw Error(Code::invalid_argument, "its folders are nested too deeply to be copied");
    for (const std::string& name : names_in(from)) {
        struct stat info {};
        if (::fstatat(from, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) continue;  // gone meanwhile
        if (S_ISREG(info.st_mode)) {
            copy_file(from, to, name, info);
        } else if (S_ISLNK(info.st_mode)) {
            copy_link(from, to, name, info);
        } else if (S_ISDIR(info.st_mode)) {
            if (::mkdirat(to, name.c_str(), 0700) != 0) throw_errno("copy " + name);
            Fd below = open_at(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
            copy_content(open_at(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW).get(), below.get(), depth + 1);
            if (::fchown(below.get(), info.st_uid, info.st_gid) != 0 ||
                ::fchmod(below.get(), info.st_mode & 07777) != 0)
                throw_errno("copy " + name);
        }  // devices, pipes and sockets have no content
    }
}

/// Root of the container as the host sees it.
uint32_t outside_of_root(const std::vector<IdMapping>& mappings) {
    for (const IdMapping& mapping : mappings)
        if (mapping.inside == 0) return mapping.outside;
    return 0;
}

}  // namespace

Fd copy_of_folder(const ConfinedRoot& root, const std::string& path,
                  const std::vector<std::pair<std::string, std::string>>& options, const IdMappings& mappings) {
    Fd mount = make_tmpfs(options);
    Fd top = open_at(mount.get(), ".", O_RDONLY | O_DIRECTORY);
    uid_t uid = outside_of_root(mappings.users);
    gid_t gid = outside_of_root(mappings.groups);
    Fd folder;
    try {
        folder = root.open(path, O_RDONLY | O_DIRECTORY);
    } catch (const Error& e) {
        if (e.code() != Code::not_found) throw;
    }
    struct stat info {};
    if (folder && ::fstat(folder.get(), &info) == 0) {
        uid = info.st_uid;
        gid = info.st_gid;
        copy_content(folder.get(), top.get(), 0);
    }
    if (::fchown(top.get(), uid, gid) != 0) throw_errno("tmpfs");
    return mount;
}

}  // namespace kedge::oci

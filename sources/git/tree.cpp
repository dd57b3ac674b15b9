#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/folder.h"
#include "base/log.h"
#include "sources/git/repository.h"

#include <fcntl.h>
#include <git2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string_view>
#include <vector>

namespace kedge::sources {

namespace {

constexpr size_t kEntryLimit = 200'000;
constexpr int kDepthLimit = 64;
constexpr size_t kSyncedSingly =
    100;  ///< entries; syncing the file system waits for everything that others have written to it, too
constexpr std::string_view kLfsPointer = "version https://git-lfs.github.com/spec/";

bool is_link_to(int dirfd, const std::string& name, std::string_view target) {
    std::string found(target.size() + 1, '\0');
    ssize_t n = ::readlinkat(dirfd, name.c_str(), found.data(), found.size());
    return n >= 0 && std::string_view(found).substr(0, static_cast<size_t>(n)) == target;
}

/// Written by nobody else, and reachable by no other name.
bool is_own_file(int dirfd, const std::string& name, unsigned permissions, std::string_view data) {
    struct stat info {};
    if (::fstatat(dirfd, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(info.st_mode)) return false;
    bool own = info.st_uid == ::geteuid() && info.st_gid == ::getegid() && info.st_nlink == 1;
    if (!own || (info.st_mode & 07777u) != permissions || info.st_size != static_cast<off_t>(data.size())) return false;
    return read_file_at(dirfd, name, data.size()) == data;
}

/// Writes a tree into a folder, or makes a folder that was written before the same again: what is there and right
/// stays.
struct TreeWriter {
    git_repository* repository;
    const GitSettings& settings;
    const std::function<void()>& alive;
    int64_t bytes = 0;
    size_t entries = 0;
    bool changed = false;
    bool links = false;  ///< were written; they can't be opened to be synced

    [[noreturn]] void refuse(const std::string& path, const std::string& why) const {
        throw Error(Code::invalid_argument, path + ": " + why);
    }

    void count(const std::string& path, int64_t size) {
        bytes += size;
        if (++entries > kEntryLimit) refuse(path, "the commit has more than " + std::to_string(kEntryLimit) + " files");
        if (bytes > settings.size_limit) {
            refuse(path, "the commit is larger than " + std::to_string(settings.size_limit) + " bytes");
        }
        if (entries % 256 == 0) alive();
    }

    void write_blob(int dirfd, const std::string& name, const std::string& path, const git_oid& id, int mode) {
        git_blob* found = nullptr;
        check_object(git_blob_lookup(&found, repository, &id), path);
        std::unique_ptr<git_blob, void (*)(git_blob*)> blob(found, git_blob_free);
        std::string_view data(static_cast<const char*>(git_blob_rawcontent(found)),
                              static_cast<size_t>(git_blob_rawsize(found)));
        count(path, static_cast<int64_t>(data.size()));
        if (data.size() < 1024 && data.starts_with(kLfsPointer)) {
            refuse(path, "is kept in Git LFS, which is not supported yet");
        }
        if (mode == GIT_FILEMODE_LINK) {
            std::string target(data);
            if (target.empty() || target.find('\0') != std::string::npos) refuse(path, "is a malformed symbolic link");
            if (is_link_to(dirfd, name, target)) return;
            make_room(dirfd, name);
            if (::symlinkat(target.c_str(), dirfd, name.c_str()) != 0) throw_errno(path);
            links = true;
            return;
        }
        unsigned permissions = mode == GIT_FILEMODE_BLOB_EXECUTABLE ? 0555 : 0444;
        if (is_own_file(dirfd, name, permissions, data)) return;
        make_room(dirfd, name);
        Fd file = open_at(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, permissions);
        if (::fchmod(file.get(), permissions) != 0) throw_errno(path);
        write_all(file.get(), data);
        if (entries <= kSyncedSingly) sync_fd(file.get());
    }

    bool is_synced() const { return entries <= kSyncedSingly && !links; }

    void make_room(int dirfd, const std::string& name) {
        remove_tree(dirfd, name);
        changed = true;
    }

    Fd enter_folder(int dirfd, const std::string& name, const std::string& path) {
        struct stat info {};
        bool there = ::fstatat(dirfd, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
        if (!there) {
            make_room(dirfd, name);
            if (::mkdirat(dirfd, name.c_str(), 0755) != 0) throw_errno(path);
        }
        Fd folder = open_at(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (::fchown(folder.get(), ::geteuid(), ::getegid()) != 0 || ::fchmod(folder.get(), 0755) != 0)
            throw_errno(path);
        return folder;
    }

    void write(int dirfd, const git_oid& id, const std::string& prefix, int depth) {
        if (depth > kDepthLimit) refuse(prefix, "folders are nested too deeply");
        git_tree* found = nullptr;
        check_object(git_tree_lookup(&found, repository, &id), prefix);
        std::unique_ptr<git_tree, void (*)(git_tree*)> tree(found, git_tree_free);
        for (const std::string& name : names_in(dirfd)) {
            if (!git_tree_entry_byname(found, name.c_str())) make_room(dirfd, name);
        }
        for (size_t i = 0; i < git_tree_entrycount(found); ++i) {
            const git_tree_entry* entry = git_tree_entry_byindex(found, i);
            std::string name = git_tree_entry_name(entry);
            std::string path = prefix + name;
            if (name.empty() || name == "." || name == ".." || name == ".git" || name.find('/') != std::string::npos) {
                refuse(path, "is not a name that a tree may have");
            }
            const git_oid& child = *git_tree_entry_id(entry);
            switch (int mode = git_tree_entry_filemode(entry)) {
                case GIT_FILEMODE_TREE: {
                    count(path, 0);
                    write(enter_folder(dirfd, name, path).get(), child, path + "/", depth + 1);
                    break;
                }
                case GIT_FILEMODE_COMMIT: refuse(path, "is a submodule, which is not supported yet");
                case GIT_FILEMODE_BLOB:
                case GIT_FILEMODE_BLOB_EXECUTABLE:
                case GIT_FILEMODE_LINK: write_blob(dirfd, name, path, child, mode); break;
                default: refuse(path, "has a mode that is not supported");
            }
        }
        if (changed && entries <= kSyncedSingly) sync_fd(dirfd);
    }
};

git_oid tree_of(git_repository* repository, const std::string& commit_id) {
    git_oid id{};
    check_git(git_oid_fromstr(&id, commit_id.c_str()), commit_id);
    git_commit* commit = nullptr;
    check_object(git_commit_lookup(&commit, repository, &id), commit_id);
    git_oid tree = *git_commit_tree_id(commit);
    git_commit_free(commit);
    return tree;
}

/// Containers may have its folders mounted: it stays where it is, and only what is wrong in it is written again.
void restore_tree(TreeWriter& writer, int trees, const git_oid& tree, const std::string& commit) {
    writer.write(writer.enter_folder(trees, commit, commit).get(), tree, "", 0);
    if (!writer.changed) return;
    if (!writer.is_synced() && ::syncfs(trees) != 0) throw_errno("sync the tree of " + commit);
    log(LogLevel::warning, "the tree of commit " + commit + " had been changed on disk; it was made right");
}

}  // namespace

void write_tree(git_repository* repository, const GitSettings& settings, const std::string& folder,
                const std::string& commit, const std::function<void()>& alive) {
    git_oid tree = tree_of(repository, commit);
    Fd trees = open_at(AT_FDCWD, folder + "/trees", O_RDONLY | O_DIRECTORY);
    TreeWriter writer{repository, settings, alive};
    if (::faccessat(trees.get(), commit.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return restore_tree(writer, trees.get(), tree, commit);
    std::string temporary = ".tmp-" + commit;
    remove_tree(trees.get(), temporary);
    try {
        Fd root = writer.enter_folder(trees.get(), temporary, temporary);
        writer.write(root.get(), tree, "", 0);
        if (!writer.is_synced() && ::syncfs(root.get()) != 0) throw_errno("sync the tree of " + commit);
    } catch (...) {
        remove_tree(trees.get(), temporary);
        throw;
    }
    rename_durably(trees.get(), temporary, trees.get(), commit);
}

}  // namespace kedge::sources

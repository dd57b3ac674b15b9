// What is asked of a container's files, but for commit: see runtime/container_files.h.
#include "base/confined.h"
#include "base/errno_text.h"
#include "base/error.h"
#include "base/tar/tar_to_tree.h"
#include "base/tar/tree_to_tar.h"
#include "runtime/containers/container_changes.h"
#include "runtime/containers/container_engine.h"
#include "runtime/containers/container_layers.h"
#include "runtime/containers/container_view.h"
#include "runtime/containers/image_view.h"
#include "runtime/containers/inner_path.h"
#include "runtime/containers/launch_user.h"
#include "runtime/images/decompress.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

namespace kedge::runtime {

/// A container's files, opened.
struct ContainerEngine::View {
    Snapshot record;
    std::shared_ptr<const Launched> run;  ///< null: it doesn't run
    std::unique_lock<std::mutex> held;    ///< if it doesn't run: nobody starts or removes it
    Fd root;

    bool ended() const {
        pollfd process{run ? run->init_pidfd.get() : -1, POLLIN, 0};
        return run && ::poll(&process, 1, 0) != 0;
    }
};

namespace {

constexpr size_t kPiece = 256 << 10;

Error not_there(const std::string& path, const std::string& id) {
    return Error(Code::not_found, fmt::format("Could not find the file {} in container {}", path, id));
}

/// Why a path could not be opened, as who asked for it named it.
Error in_terms_of(const std::string& path, const std::string& id, const Error& e) {
    if (e.code() == Code::not_found) return not_there(path, id);
    // A link to itself, or one of the kernel's own, such as /proc/1/root.
    if (std::string_view(e.what()).ends_with(errno_text(ELOOP)))
        return Error(Code::invalid_argument, path + " leads through a link that can't be followed");
    return e;
}

Fd open_asked(const ConfinedRoot& root, const std::string& path, const std::string& id) {
    if (path.empty()) throw Error(Code::invalid_argument, "bad parameter: path cannot be empty");
    if (path.find('\0') != std::string::npos) throw Error(Code::invalid_argument, "bad parameter: path");
    try {
        return open_inner(root, InnerPath(path));
    } catch (const Error& e) {
        throw in_terms_of(path, id, e);
    }
}

struct stat stat_of(const Fd& fd, const std::string& path) {
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) throw_errno("stat " + path);
    return info;
}

FileStat describe(const ConfinedRoot& root, const Fd& fd, const std::string& path) {
    struct stat info = stat_of(fd, path);
    InnerPath inner(path);
    FileStat result;
    result.name = inner.name;
    result.size = info.st_size;
    result.mode = info.st_mode;
    result.mtime = WallTime(std::chrono::seconds(info.st_mtim.tv_sec) + Nanoseconds(info.st_mtim.tv_nsec));
    if (S_ISLNK(info.st_mode)) result.link_target = follow_inner(root, inner.path);
    return result;
}

void refuse_pseudo(const Fd& fd, const std::string& path) {
    if (!in_pseudo_filesystem(fd.get())) return;
    throw Error(
        Code::invalid_argument,
        fmt::format("{} is in one of the kernel's own file systems (proc, sysfs, ...): it can't be copied", path));
}

void refuse_read_only(const ConfinedRoot& root, const Fd& folder) {
    struct statvfs mount {};
    struct statx here {
    }, top{};
    if (::fstatvfs(folder.get(), &mount) != 0) throw_errno("file system");
    if (!(mount.f_flag & ST_RDONLY)) return;
    bool same = ::statx(folder.get(), "", AT_EMPTY_PATH, STATX_MNT_ID, &here) == 0 &&
                ::statx(root.fd(), "", AT_EMPTY_PATH, STATX_MNT_ID, &top) == 0 && here.stx_mnt_id == top.stx_mnt_id;
    throw Error(Code::permission_denied,
                same ? "container rootfs is marked read-only" : "mounted volume is marked read-only");
}

}  // namespace

ContainerEngine::View ContainerEngine::view(const std::string& id, bool mounts) const {
    View result;
    const std::string found = store_.find(id)->info.id;
    std::shared_ptr<Live> entry = live(found);
    result.held = std::unique_lock(entry->operation);
    result.record = store_.get(found);
    if (!result.record) throw Error(Code::not_found, "No such container: " + id);
    const ContainerInfo& info = result.record->info;
    if (info.status == Status::removing)
        throw Error(Code::conflict, fmt::format("container {} is being removed", info.id));
    result.run = run_of(found);
    if (result.run && !result.ended()) result.root = open_running_view(result.run->init_pidfd.get(), mounts);
    if (result.root) {
        result.held = {};
        return result;
    }
    result.run = nullptr;
    make_own_folders(found);
    StoppedRoot root{images_.layer_folders(info.image_id), folder_of(found), info.spec.read_only, {}};
    if (mounts) root.mounts = mounts_of(info);
    result.root = open_stopped_view(root);
    return result;
}

FileStat ContainerEngine::stat(const std::string& id, const std::string& path) const {
    ConfinedRoot root(view(id, true).root);
    return describe(root, open_asked(root, path, id), path);
}

FileArchive ContainerEngine::read(const std::string& id, const std::string& path) const {
    View seen = view(id, true);
    ConfinedRoot root(std::move(seen.root));
    auto found = std::make_shared<Fd>(open_asked(root, path, id));
    refuse_pseudo(*found, path);
    FileArchive archive;
    archive.stat = describe(root, *found, path);
    archive.write = [found, name = archive.stat.name](const auto& sink, std::stop_token stop) {
        write_archive(sink, stop, [&](TarWriter& tar) { TreeToTar(tar, {}).add(*found, name); });
    };
    publish(*seen.record, "archive-path");
    return archive;
}

FileArchive ContainerEngine::export_root(const std::string& id) const {
    View seen = view(id, false);
    auto root = std::make_shared<Fd>(std::move(seen.root));
    FileArchive archive;
    archive.stat.name = "/";
    archive.write = [root](const auto& sink, std::stop_token stop) {
        write_archive(sink, stop, [&](TarWriter& tar) { TreeToTar(tar, {}).add_content(*root); });
    };
    publish(*seen.record, "export");
    return archive;
}

void ContainerEngine::write(const std::string& id, const std::string& path, const std::function<int()>& open_tar,
                            const ExtractOptions& options) {
    View seen = view(id, true);
    ConfinedRoot root(std::move(seen.root));
    Fd folder;
    try {
        if (path.empty()) throw Error(Code::invalid_argument, "bad parameter: path cannot be empty");
        folder = root.open(InnerPath(path).path, O_PATH);
    } catch (const Error& e) {
        throw in_terms_of(path, id, e);
    }
    if (!S_ISDIR(stat_of(folder, path).st_mode))
        throw Error(Code::invalid_argument, "extraction point is not a directory");
    refuse_pseudo(folder, path);
    refuse_read_only(root, folder);
    TarToTree::Options how;
    how.keep_types = options.keep_types;
    const std::string& user = seen.record->info.user;
    if (options.as_own_user && !user.empty()) {
        LaunchUser found = UserDatabase({"/proc/self/fd/" + std::to_string(root.fd())}).find(user, {});
        how.owner = {found.uid, found.gid};
    }
    TarToTree to(root, InnerPath(path).path, how);
    std::unique_ptr<ByteStream> source = open_compressed(open_tar());
    std::vector<char> buffer(kPiece);
    auto next = [&]() -> std::string_view {
        // What is written from here on might be lost: its next run sees the files through a mount of its own.
        if (seen.ended())
            throw Error(Code::conflict,
                        fmt::format("container {} ended while files were copied into it", seen.record->info.name));
        return {buffer.data(), source->read(buffer.data(), buffer.size())};
    };
    extract_tar(next, to);
    publish(*seen.record, "extract-to-dir");
}

std::vector<FileChange> ContainerEngine::changes(const std::string& id) const {
    ContainerLayers layers = layers_of(id);
    return changes_of(layers.upper, layers.lower, layers.stubs);
}

ContainerLayers ContainerEngine::layers_of(const std::string& id) const {
    ContainerLayers layers;
    layers.record = store_.find(id);
    const ContainerInfo& info = layers.record->info;
    std::vector<std::string> folders = images_.layer_folders(info.image_id);
    const std::string upper = folder_of(info.id) + "/upper";
    layers.upper = open_at(AT_FDCWD, upper, O_RDONLY | O_DIRECTORY);
    if (!folders.empty()) layers.lower = open_image_view(folders, upper);
    layers.stubs = mount_stubs(layers.upper, layers.lower);
    return layers;
}

}  // namespace kedge::runtime

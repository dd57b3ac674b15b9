// What a container's mounts are made of.
#include "base/confined.h"
#include "base/error.h"
#include "base/folder.h"
#include "runtime/containers/bind_source.h"
#include "runtime/containers/container_engine.h"
#include "runtime/containers/container_view.h"
#include "runtime/containers/image_view.h"
#include "runtime/containers/resolve.h"
#include "runtime/volumes/volume_mount.h"

#include <fcntl.h>

#include <algorithm>

namespace kedge::runtime {

namespace {

size_t depth(const std::string& path) {
    return static_cast<size_t>(std::count(path.begin(), path.end(), '/'));
}

/// The folder of a volume, or the part of it that is asked for.
Mount folder_mount(Mount mount, const VolumeInfo& volume) {
    mount.type = Mount::Type::bind;
    mount.source = volume.mountpoint;
    if (mount.subpath.empty()) return mount;
    mount.confined_to = mount.source;
    mount.source += clean_path(mount.subpath);
    return mount;
}

/// Without the leading slash.
std::string inner_path(const std::string& subpath) {
    return clean_path(subpath).substr(1);
}

}  // namespace

/// What is mounted already in a container that runs is what others get too: a tmpfs is made only once.
Fd ContainerEngine::volume_tree(const Mount& mount, const VolumeInfo& volume) const {
    const bool shared = !is_bind(volume.spec.options);
    if (shared && !mount.subpath.empty() && volume.spec.options.at("type") == "tmpfs")
        throw Error(Code::invalid_argument,
                    "volume " + volume.spec.name + ": a part of a volume of type tmpfs can't be mounted");
    if (shared && mount.subpath.empty()) {
        for (const Snapshot& other : store_.list()) {
            std::shared_ptr<const Launched> run = run_of(other->info.id);
            if (!run) continue;
            for (const Mount& theirs : other->info.mounts) {
                const bool same = theirs.type == Mount::Type::volume && theirs.source == volume.spec.name;
                if (!same || !theirs.subpath.empty()) continue;
                if (Fd tree = open_mount_of(run->init_pidfd.get(), theirs.target, false)) return tree;
            }
        }
    }
    return mount_volume(volume, inner_path(mount.subpath));
}

std::unique_lock<std::mutex> ContainerEngine::hold_volume_mounts(const ContainerInfo& info) {
    for (const Mount& mount : info.mounts) {
        if (mount.type == Mount::Type::volume && is_mounted(volumes_.inspect(mount.source).spec.options))
            return std::unique_lock(volume_mounts_);
    }
    return {};
}

PlacedMount ContainerEngine::place(const ContainerInfo& info, const Mount& mount) const {
    if (mount.type == Mount::Type::image) {
        Mount bind = mount;
        bind.type = Mount::Type::bind;
        bind.read_only = true;
        Fd tree = image_mount(images_.layer_folders(Digest::parse(mount.image_id)), folder_of(info.id) + "/upper",
                              inner_path(mount.subpath));
        return {std::move(bind), std::make_shared<const Fd>(std::move(tree))};
    }
    if (mount.type != Mount::Type::volume) return mount;
    const VolumeInfo volume = volumes_.inspect(mount.source);
    Mount bind = folder_mount(mount, volume);
    if (!is_mounted(volume.spec.options)) return bind;
    return {std::move(bind), std::make_shared<const Fd>(volume_tree(mount, volume))};
}

/// What is mounted, those that lie in others last.
std::vector<PlacedMount> ContainerEngine::mounts_of(const ContainerInfo& info) const {
    std::vector<PlacedMount> mounts;
    for (const Mount& mount : info.mounts) {
        // Made by create() already, but one below /run is gone after a reboot.
        if (mount.type == Mount::Type::bind && mount.create_host_path) make_bind_source(mount);
        mounts.push_back(place(info, mount));
    }
    std::stable_sort(mounts.begin(), mounts.end(),
                     [](const Mount& a, const Mount& b) { return depth(a.target) < depth(b.target); });
    return mounts;
}

/// The first content of a volume that lies elsewhere: what the image has there, if it is empty.
void ContainerEngine::fill_elsewhere(const Mount& mount, const VolumeInfo& volume, const Fd& image) const {
    if (!ConfinedRoot(image.duplicate()).exists(mount.target)) return;
    try {
        const Fd tree = volume_tree(mount, volume);
        const Fd folder = open_at(tree.get(), ".", O_RDONLY | O_DIRECTORY);
        if (names_in(folder.get()).empty()) (void)copy_from_image(image, mount.target, folder.get());
    } catch (const Error& e) {
        throw e.with_context("failed to populate volume");
    }
}

void ContainerEngine::publish_volumes(const std::string& action, const ContainerRecord& record) {
    for (const Mount& mount : record.info.mounts) {
        if (mount.type != Mount::Type::volume) continue;
        std::map<std::string, std::string> attributes = {{"driver", "local"}, {"container", record.info.id}};
        if (action == "mount") {
            attributes["destination"] = mount.target;
            attributes["read/write"] = mount.read_only ? "false" : "true";
            attributes["propagation"] = mount.propagation;
        }
        events_.publish(
            {.type = "volume", .action = action, .id = mount.source, .attributes = std::move(attributes), .time = {}});
    }
}

}  // namespace kedge::runtime

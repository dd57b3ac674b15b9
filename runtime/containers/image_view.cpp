#include "runtime/containers/image_view.h"

#include "base/confined.h"
#include "base/error.h"
#include "base/own_mounts.h"
#include "runtime/volumes/copy_tree.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

namespace kedge::runtime {

namespace {

void mount_layers(const std::vector<std::string>& layers, const std::string& place) {
    if (layers.empty()) throw Error(Code::internal, "an image without layers has no view");
    if (layers.size() == 1) {  // overlayfs wants two
        if (::mount(layers[0].c_str(), place.c_str(), nullptr, MS_BIND, nullptr) != 0) throw_errno("bind " + layers[0]);
        return;
    }
    // By descriptor, as the options have to fit in one page whatever the root's path is.
    std::vector<Fd> folders;
    std::string options = "lowerdir=";
    for (const std::string& layer : layers) {
        folders.push_back(open_at(AT_FDCWD, layer, O_PATH | O_DIRECTORY));
        if (folders.size() > 1) options += ":";
        options += "/proc/self/fd/" + std::to_string(folders.back().get());
    }
    if (::mount("overlay", place.c_str(), "overlay", MS_RDONLY, options.c_str()) != 0)
        throw_errno("mount image layers");
}

}  // namespace

Fd open_image_view(const std::vector<std::string>& layers, const std::string& place) {
    return in_own_mounts([&] {
        mount_layers(layers, place);
        return open_at(AT_FDCWD, place, O_RDONLY | O_DIRECTORY);
    });
}

Fd image_mount(const std::vector<std::string>& layers, const std::string& place, const std::string& subpath) {
    return in_own_mounts([&] {
        mount_layers(layers, place);
        Fd part = ConfinedRoot(AT_FDCWD, place).open_strictly(subpath.empty() ? "." : subpath, O_PATH);
        Fd copy = copy_of_mount(part.get(), "", false);
        if (!copy) throw_errno("mount image layers");
        return copy;
    });
}

bool copy_from_image(const Fd& view, const std::string& path, int to) {
    ConfinedRoot root(view.duplicate());
    if (!root.exists(path)) return false;
    Fd found = root.open(path, O_PATH);
    struct stat info {};
    if (::fstat(found.get(), &info) != 0) throw_errno("stat " + path);
    if (!S_ISDIR(info.st_mode)) return false;
    copy_tree(root.open(path, O_RDONLY | O_DIRECTORY).get(), to);
    return true;
}

}  // namespace kedge::runtime

#include "runtime/containers/image_view.h"

#include "base/confined.h"
#include "base/error.h"
#include "runtime/volumes/copy_tree.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <exception>
#include <thread>

namespace kedge::runtime {

namespace {

Fd mount_and_open(const std::vector<std::string>& layers, const std::string& place) {
    if (::unshare(CLONE_NEWNS) != 0) throw_errno("unshare");
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) throw_errno("make mounts private");
    if (layers.size() == 1) {  // overlayfs wants two
        if (::mount(layers[0].c_str(), place.c_str(), nullptr, MS_BIND, nullptr) != 0) throw_errno("bind " + layers[0]);
    } else {
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
    return open_at(AT_FDCWD, place, O_RDONLY | O_DIRECTORY);
}

}  // namespace

Fd open_image_view(const std::vector<std::string>& layers, const std::string& place) {
    if (layers.empty()) throw Error(Code::internal, "an image without layers has no view");
    Fd view;
    std::exception_ptr failure;
    // A thread of its own: leaving a mount namespace again is not possible for a thread with others beside it.
    std::thread([&] {
        try {
            view = mount_and_open(layers, place);
        } catch (...) {
            failure = std::current_exception();
        }
    }).join();
    if (failure) std::rethrow_exception(failure);
    return view;
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

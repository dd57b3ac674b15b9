#include "runtime/containers/bind_source.h"

#include "base/confined.h"
#include "base/durable.h"
#include "base/error.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

namespace kedge::runtime {

namespace {

/// The source as seen from the folder that it is confined to.
std::string inner_path(const Mount& mount) {
    return mount.source.substr(std::min(mount.source.size(), mount.confined_to.size() + 1));
}

}  // namespace

bool bind_source_exists(const Mount& mount) {
    if (mount.confined_to.empty()) return ::access(mount.source.c_str(), F_OK) == 0;
    try {
        (void)ConfinedRoot(AT_FDCWD, mount.confined_to).open_strictly(inner_path(mount), O_PATH);
        return true;
    } catch (const Error& e) {
        if (e.code() == Code::not_found) return false;
        throw Error(Code::invalid_argument, "mount " + mount.target + ": " + mount.source +
                                                " can't be mounted, it is confined to " + mount.confined_to + ": " +
                                                e.what());
    }
}

void make_bind_source(const Mount& mount) {
    if (mount.confined_to.empty()) return make_folders(AT_FDCWD, mount.source, 0755);
    make_folders(AT_FDCWD, mount.confined_to, 0755);
    if (bind_source_exists(mount)) return;  // it may be a file
    (void)ConfinedRoot(AT_FDCWD, mount.confined_to).make_folders(inner_path(mount), 0755);
}

void check_confinement(const Mount& mount) {
    if (mount.confined_to.empty()) return;
    bool below = mount.source == mount.confined_to || mount.source.starts_with(mount.confined_to + "/");
    if (mount.confined_to[0] != '/' || mount.confined_to.ends_with('/') || !below) {
        throw Error(Code::invalid_argument,
                    "mount " + mount.target + ": the source " + mount.source + " is not below " + mount.confined_to);
    }
}

}  // namespace kedge::runtime

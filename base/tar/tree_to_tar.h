#pragma once

#include "base/fd.h"
#include "base/tar/tar_writer.h"

#include <sys/stat.h>

#include <functional>
#include <map>
#include <string>
#include <utility>

namespace kedge {

/// Whether a folder or file lies in one of the kernel's own file systems (proc, sysfs, cgroups, ...), whose files are
/// made up when they are read. `fd` may be O_PATH.
bool in_pseudo_filesystem(int fd);

/// Reads trees into a tar archive. Others may change the tree meanwhile: each entry is opened in the folder that
/// holds it, without following links, and what was opened is what is looked at and read. Sockets are left out, and what
/// lies in pseudo file systems. A file that shrinks meanwhile is filled up with zeros, one that grows is cut.
class TreeToTar {
public:
    struct Options {
        /// Asked for each entry but the top, by its path below the top (`etc/hosts`): true leaves it out.
        std::function<bool(const std::string& path)> leave_out;
        /// The tree is the upper folder of an overlay and becomes a layer: overlayfs' whiteouts and opaque folders are
        /// written as OCI image-spec, layer.md, "Whiteouts" says.
        bool overlay_layer = false;
    };
    TreeToTar(TarWriter& tar, Options options) : tar_(tar), options_(std::move(options)) {}

    /// What `top` (O_PATH, not followed) is, with all below, under the name `as` (`data`, `.`, `/`).
    void add(const Fd& top, const std::string& as);
    /// What lies in the folder, without an entry for itself.
    void add_content(const Fd& folder);

private:
    void entry(const Fd& fd, const struct stat& info, const std::string& as, const std::string& path);
    void content(int folder, const std::string& as, const std::string& path);
    void child(int folder, const std::string& name, const std::string& as, const std::string& path);
    void whiteout(const std::string& as, const std::string& name);
    void file(const Fd& fd, const struct stat& info, TarEntry& made);
    bool is_linked(const struct stat& info, TarEntry& made);

    TarWriter& tar_;
    Options options_;
    int depth_ = 0;
    std::map<std::pair<dev_t, ino_t>, std::string> linked_;
};

}  // namespace kedge

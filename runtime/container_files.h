#pragma once

#include "base/clock.h"
#include "base/digest.h"
#include "runtime/images.h"

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace kedge::runtime {

struct FileStat {
    std::string name;  ///< the last part of the path that was asked for; `.` and `/` stand for themselves
    int64_t size = 0;
    mode_t mode = 0;  ///< st_mode
    WallTime mtime;
    std::string link_target;  ///< of a symbolic link: where it leads inside the container, whether that is there or not
};

/// An archive that can be read once. `write` hands over its bytes; `sink` returns false to give up, which is Error
/// cancelled, as is a requested stop.
struct FileArchive {
    FileStat stat;  ///< of what is in it
    std::function<void(const std::function<bool(std::string_view)>& sink, std::stop_token stop)> write;
};

struct ExtractOptions {
    bool keep_types = false;   ///< refuse to replace a folder by something else, or the other way round
    bool as_own_user = false;  ///< what is written belongs to the container's user, if it has one
};

struct FileChange {
    enum class Kind { modified, added, removed };
    Kind kind = Kind::modified;
    std::string path;  ///< absolute
    bool operator==(const FileChange&) const = default;
};

struct CommitOptions {
    std::string reference;  ///< the new image's tag; may be empty
    std::string author;
    std::string message;
    bool pause = true;                 ///< a running container stands still meanwhile
    ImageConfig config;                ///< over the container's own
    std::vector<std::string> changes;  ///< Dockerfile instructions, over the container's configuration
};

/// The files of containers, whether they run or not: of a running one as its first process sees them, with everything
/// that is mounted there; of another one its root with its volumes and binds over it. Nothing of this shows in the
/// host's mount table. Paths and archives are hostile: links never lead out of the container. Thread-safe. `id` is as
/// for Containers.
class ContainerFiles {
public:
    virtual ~ContainerFiles() = default;

    /// Of the path itself if it is a link, unless it ends with `/` or `/.`. Error not_found: `Could not find the file
    /// x in container y`.
    virtual FileStat stat(const std::string& id, const std::string& path) const = 0;

    /// A file, or a folder with all below it, as a tar whose names begin with FileStat::name.
    virtual FileArchive read(const std::string& id, const std::string& path) const = 0;

    /// Extracts a tar (plain, gzip, zstd, xz, bzip2) into a folder that is there. `open_tar` gives the descriptor to
    /// read it from, once it is known where it goes. Errors: not_found, invalid_argument for the archive,
    /// permission_denied if the folder is mounted read-only.
    virtual void write(const std::string& id, const std::string& path, const std::function<int()>& open_tar,
                       const ExtractOptions& options) = 0;

    /// What differs from the image, sorted, folders before what is in them. Volumes don't count.
    virtual std::vector<FileChange> changes(const std::string& id) const = 0;

    /// The whole root without what is mounted over it, as a tar.
    virtual FileArchive export_root(const std::string& id) const = 0;

    /// Its image with its changes as a further layer becomes a new image. Volumes are no part of it.
    virtual ImageInfo commit(const std::string& id, const CommitOptions& options, std::stop_token stop = {}) = 0;
};

}  // namespace kedge::runtime

#pragma once

#include "base/confined.h"
#include "base/fd.h"
#include "base/tar/tar_reader.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace kedge {

/// Writes a tar archive's entries into a folder that has content already and whose content others may change meanwhile.
/// Entries are hostile: names are taken relative to the folder, and `..` out of it is refused. An entry replaces what
/// has its name; folders stay and get the entry's attributes. Errors name the entry.
class TarToTree {
public:
    struct Options {
        /// An entry may lie behind symbolic links that are there; they are followed inside the root, as its own
        /// programs would. False: a link on the way is in the way.
        bool follow_links = true;
        bool keep_types = false;  ///< refuse to replace a folder by something else, or the other way round
        bool own_owner = true;    ///< with the owners that the archive says; false: the caller's, without set-id bits
        std::optional<std::pair<uid_t, gid_t>> owner;  ///< everything belongs to them instead
        bool lenient = false;                          ///< attributes that this process may not set are left out
        std::function<void(const std::string& path)> no_devices;  ///< if set, called for devices, which are left out
    };
    /// `folder`: a path inside the root, which is there.
    TarToTree(const ConfinedRoot& root, std::string folder, Options options);

    /// `data` stands at the entry's content.
    void add(TarEntry entry, TarReader& data);
    /// After the last entry: the times of folders, which writing into them changed.
    void finish();

private:
    struct Place {
        std::string path;  ///< clean, relative to the folder
        int parent;        ///< valid until the next locate()
        std::string name;
    };
    std::string in_root(const std::string& path) const;
    Fd open_folder(const std::string& path, int flags) const;
    Place locate(const std::string& raw);
    int open_parent(const std::string& path);

    void write(TarEntry& entry, TarReader& data);
    bool make_room(const TarEntry& entry, const Place& place);
    void write_file(const TarEntry& entry, const Place& place, bool in_place, TarReader& data);
    void write_folder(const TarEntry& entry, const Place& place);
    void write_hardlink(const TarEntry& entry, const Place& place);
    void write_special(const TarEntry& entry, const Place& place);
    void attributes(int fd, const TarEntry& entry) const;

    const ConfinedRoot& root_;
    const std::string folder_;
    const Options options_;
    std::string parent_path_;  ///< the parent of the last entry, which most often is the next one's too
    Fd parent_;
    std::map<std::string, timespec> folder_times_;
};

/// All entries of the archive that `next` gives the bytes of (see TarReader).
void extract_tar(const std::function<std::string_view()>& next, TarToTree& to);

}  // namespace kedge

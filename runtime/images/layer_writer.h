#pragma once

#include "base/confined.h"
#include "base/fd.h"
#include "base/tar/tar_reader.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace kedge::runtime {

/// Writes the entries of a layer's tar into an empty folder that nobody else uses yet, whiteouts turned into overlayfs'
/// form. Entries are hostile: names are taken relative to the folder, a `..` that leads out of it is refused, parents
/// that are symbolic links are followed with the folder as root, and no link is ever written through. Errors name the
/// entry: invalid_argument for what it is, resource_exhausted for limits and a full disk.
class LayerWriter {
public:
    LayerWriter(int folder, int64_t size_limit);

    /// `data` stands at the entry's content.
    void add(const TarEntry& entry, TarReader& data);

    /// After the last entry: the times of folders, which writing into them changed.
    void finish();

    int64_t size() const { return size_; }  ///< bytes of the files

private:
    struct Place {
        std::string path;  ///< clean, relative
        int parent;        ///< owned by the writer, valid until the next locate()
        std::string name;  ///< one component; empty for the folder itself
        bool by_link;      ///< a symbolic link leads to the parent: `path` is not its only name
    };
    Place locate(const std::string& raw);
    int open_parent(const std::string& path);
    Fd walk_to(const std::string& path, bool& by_link);

    void write(const TarEntry& entry, TarReader& data);
    void write_file(const TarEntry& entry, const Place& place, TarReader& data);
    void write_folder(const TarEntry& entry, const Place& place);
    void write_special(const TarEntry& entry, const Place& place);
    void write_hardlink(const TarEntry& entry, const Place& place);
    void write_whiteout(const Place& place);
    void remove_existing(const Place& place);

    ConfinedRoot root_;
    const int64_t size_limit_;
    int64_t size_ = 0;
    int64_t entries_ = 0;
    Fd root_folder_;  ///< the same folder, readable: for its attributes
    std::string
        parent_path_;  ///< the parent of the last entry, which most often is the next one's too; empty if unknown
    Fd parent_;
    std::unordered_map<std::string, timespec> folder_times_;
};

}  // namespace kedge::runtime

#pragma once

#include "base/tar/tar_reader.h"

#include <cstdint>
#include <functional>
#include <string>

namespace kedge {

// What those who write a tar's entries into folders share. All throw Error.

/// The entry's extended attributes on `name` in the folder `fd` (not followed), or on `fd` itself if `name` is empty.
/// What the file system has no place for is left out, as Docker does, except for what changes what the file may do.
/// Overlayfs' own are refused. `lenient`: what this process may not set is left out too.
void set_entry_xattrs(int fd, const std::string& name, const TarEntry& entry, bool lenient = false);

/// The owner, the mode and the extended attributes, in the order in which they don't undo each other.
void set_entry_attributes(int fd, const TarEntry& entry);

void set_entry_time(int fd, timespec mtime);

/// The kind of node (S_IFCHR, S_IFBLK or S_IFIFO) that an entry of these types is.
mode_t node_type(TarEntry::Type type);

/// Writes the entry's content into an empty file, gaps as gaps; `count` is told the size of each piece before it is
/// written. More than the size that the entry has said is Error invalid_argument.
void write_entry_content(int file, const TarEntry& entry, TarReader& data, const std::function<void(int64_t)>& count);

}  // namespace kedge

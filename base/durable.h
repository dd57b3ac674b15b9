#pragma once

#include <string>
#include <string_view>

namespace kedge {

/// Replaces `dirfd/name` with `data` so that after a power cut either the old or the new content is there,
/// whole: written to a file without a name, fsynced, named and renamed, and the folder fsynced. Throws Error.
void write_file_durably(int dirfd, const std::string& name, std::string_view data, unsigned mode = 0644);

/// Renames within one file system and fsyncs both folders. Throws Error.
void rename_durably(int from_dirfd, const std::string& from, int to_dirfd, const std::string& to);

/// fsync of a folder or file descriptor. Throws Error.
void sync_fd(int fd);

/// mkdir -p below dirfd; folders that exist are fine. Components are trusted names: for content that others
/// control use base/confined.h. Throws Error.
void make_folders(int dirfd, const std::string& path, unsigned mode = 0755);

/// make_folders for a folder that is nobody else's: 0700, also when it was there before with more rights. Throws Error.
void make_private_folder(const std::string& path);

/// rm -r below dirfd, without following symbolic links and without crossing into other file systems.
/// What is already gone is fine. Throws Error for what can't be removed.
void remove_tree(int dirfd, const std::string& name);

}  // namespace kedge

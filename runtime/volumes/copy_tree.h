#pragma once

namespace kedge::runtime {

/// Copies what is in the folder `from` into the folder `to`, and the folder's own owner, mode, times and attributes:
/// files, folders, links (hard ones stay hard), devices, pipes, with owners, modes, extended attributes and times.
/// Nothing is followed; overlayfs's whiteouts and its own attributes are left out. Throws Error that names the path.
void copy_tree(int from, int to);

/// Gives the folder `to` the owner, mode, extended attributes and times of the folder `from`.
void copy_folder_attributes(int from, int to);

}  // namespace kedge::runtime

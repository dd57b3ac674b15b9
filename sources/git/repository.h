#pragma once

#include "sources/git_source.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

struct git_repository;

namespace kedge::sources {

/// Throws the Error that fits libgit2's last error, with `what` in front, if `result` is negative.
void check_git(int result, const std::string& what);

/// The same for an object that the clone must have: that it isn't there is damage (internal).
void check_object(int result, const std::string& what);

struct RepositoryCloser {
    void operator()(git_repository* repository) const;
};
using Repository = std::unique_ptr<git_repository, RepositoryCloser>;

/// Opens <folder>/<name>, or makes it. One that is damaged is set aside, and a new one begun.
Repository open_repository(const std::string& folder, const std::string& name = "repository.git");

/// Removes what a run that was killed has left in <folder>/repository.git: locks, on which libgit2 would wait in vain,
/// and unfinished packs. No other may be at work there.
void remove_leftovers(const std::string& folder);

/// Renames <folder>/repository.git to repository.git.damaged, in the place of an earlier one.
void set_repository_aside(const std::string& folder);

/// Sets libgit2 up for this process: fsync of what it writes, no configuration files of the machine, the
/// certificates and hosts to trust. `folder` is the source's; a home folder for libgit2 is made in it.
void set_up_libgit2(const GitSettings& settings, const std::string& folder);

/// Asks the remote what there is, chooses the commit that the settings mean, and downloads it if it isn't there.
/// `alive` is called whenever bytes arrive.
Commit fetch_commit(git_repository* repository, const GitSettings& settings, const std::function<void()>& alive);

/// Writes the commit's tree to <folder>/trees/<commit>: whole, synced, files without write permission. One that is
/// there is compared with the commit, and made right where it differs.
void write_tree(git_repository* repository, const GitSettings& settings, const std::string& folder,
                const std::string& commit, const std::function<void()>& alive);

}  // namespace kedge::sources

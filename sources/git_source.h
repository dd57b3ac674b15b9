#pragma once

#include "base/clock.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace kedge::sources {

struct GitAuth {
    std::string username;       ///< with password or token: basic
    std::string password_file;  ///< path of a file that holds the password or token
    std::string ca_file;        ///< for https
    std::string ssh_key_file;
    std::string known_hosts_file;
};

struct GitSettings {
    std::string name;  ///< of the source: its folder below <root>/sources
    std::string url;   ///< file://, https://, http:// (loopback only unless `allow_http`), ssh:// or user@host:path
    std::string branch, tag, commit, semver;  ///< at most one; none: the remote's default branch
    GitAuth auth;
    bool allow_http = false;
    int64_t size_limit = int64_t{1} << 30;  ///< bytes of one commit's tree
};

struct Commit {
    std::string id;               ///< 40 hex digits
    std::string ref;              ///< what it was chosen by: `refs/heads/main`, `refs/tags/v1.2.0`
    std::string author, subject;  ///< first line of the message, at most 200 bytes
    WallTime time;
};

/// One Git repository, kept as a bare clone with immutable trees of the commits that are in use. Not thread-safe: one
/// per thread.
class GitSource {
public:
    /// `folder`: <root>/sources/<name>, made when missing; a damaged clone is set aside and fetched again.
    GitSource(GitSettings settings, std::string folder);
    ~GitSource();

    /// Fetches and resolves. Errors: unavailable (transient: network, name resolution), unauthenticated, not_found
    /// (repository, branch, tag), invalid_argument. Force-pushes are followed. A source that would be moved to an older
    /// commit by its own ref follows the ref all the same.
    Commit fetch(std::stop_token stop = {});

    /// What was resolved by the last successful fetch, also by a former process.
    std::optional<Commit> last() const;

    /// The commit's tree on disk: <folder>/trees/<commit>, complete, synced, files read-only. One that is there already
    /// is compared with the commit and put right: containers of the past may have written to it. Refuses submodules,
    /// LFS pointers, names that leave the tree, too large ones (invalid_argument).
    std::string checkout(const std::string& commit_id, std::stop_token stop = {});

    /// Removes trees of other commits than these.
    void keep(const std::vector<std::string>& commit_ids);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace kedge::sources

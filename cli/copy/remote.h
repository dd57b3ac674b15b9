#pragma once

#include "cli/client.h"

#include <optional>
#include <string>

namespace kedge::cli {

/// What X-Docker-Container-Path-Stat says of a path in a container.
struct RemoteStat {
    uint32_t mode = 0;  ///< as Go's io/fs, FileMode
    std::string link_target;
    bool is_folder() const { return mode >> 31 & 1; }
    bool is_link() const { return mode >> 27 & 1; }
    bool is_file() const;
};

/// `/containers/web/archive?path=...`
std::string archive_url(const std::string& container, const std::string& path);

/// Empty if there is nothing, or no such container: a GET says what is wrong.
std::optional<RemoteStat> remote_stat(const Client& client, const std::string& container, const std::string& path);

}  // namespace kedge::cli

#pragma once

#include "base/clock.h"
#include "base/fd.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace kedge::api {

/// Who sends a request.
struct Peer {
    std::string name;  ///< the user's, or of a certificate; empty: not known
    int64_t uid = -1;  ///< -1: not on this machine
    int64_t pid = 0;
    std::string program;  ///< as the kernel names the process
};
/// The process on the other side of a Unix socket (SO_PEERCRED of unix(7)); nobody for other sockets.
Peer peer_of(int socket);

/// One request that may have changed something.
struct Change {
    WallTime time;
    Peer peer;
    std::string method;
    std::string path;  ///< without the query
    int status = 0;
    std::string object;   ///< the container's name where it is about one
    std::string project;  ///< the project that it belongs to
};
nlohmann::json change_json(const Change& change);

/// Who changed what, when: one JSON object a line in `audit.log` of a folder, which is set aside as `audit.log.1` at a
/// megabyte. The newest are remembered. A power cut may lose the last ones. Thread-safe.
class AuditLog {
public:
    /// Reads what a former agent wrote, as far as it can be read.
    explicit AuditLog(const std::string& folder);

    /// What can't be written (a full disk) is remembered and logged.
    void add(Change change);
    /// Oldest first.
    std::vector<Change> list() const;

private:
    static constexpr size_t kKept = 512;
    static constexpr int64_t kLargest = 1 << 20;
    void open();
    void remember(Change change);

    std::string folder_;
    mutable std::mutex mutex_;
    Fd file_;
    std::deque<Change> changes_;
};

}  // namespace kedge::api

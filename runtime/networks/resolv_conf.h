#pragma once

#include <sys/socket.h>
#include <time.h>

#include <string>
#include <vector>

namespace kedge::runtime {

/// A name server of the host's: an address of either family, port 53.
struct Upstream {
    sockaddr_storage address{};
    socklen_t size = 0;
};

/// At most three of these addresses; what is none is left out.
std::vector<Upstream> upstreams(const std::vector<std::string>& addresses);

/// The name servers in a resolv.conf(5), read again when the file has changed. Not thread-safe.
class ResolvConf {
public:
    explicit ResolvConf(std::string path) : path_(std::move(path)) {}
    /// At most three, as the C library takes; none when there is no such file.
    const std::vector<Upstream>& servers();

private:
    std::string path_;
    timespec changed_{};
    ino_t inode_ = 0;
    std::vector<Upstream> servers_;
};

}  // namespace kedge::runtime

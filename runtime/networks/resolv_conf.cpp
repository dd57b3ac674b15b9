#include "runtime/networks/resolv_conf.h"

#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>
#include <netdb.h>
#include <sys/stat.h>

#include <cstring>
#include <sstream>

namespace kedge::runtime {

namespace {

constexpr size_t kMaximum = 3;

void add(std::vector<Upstream>& servers, const std::string& text) {
    addrinfo hints{};
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    hints.ai_socktype = SOCK_DGRAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(text.c_str(), "53", &hints, &found) != 0)
        return;  // not an address: the line is ignored, as everywhere
    Upstream upstream;
    std::memcpy(&upstream.address, found->ai_addr, found->ai_addrlen);
    upstream.size = found->ai_addrlen;
    ::freeaddrinfo(found);
    servers.push_back(upstream);
}

}  // namespace

std::vector<Upstream> upstreams(const std::vector<std::string>& addresses) {
    std::vector<Upstream> servers;
    for (const std::string& address : addresses) {
        if (servers.size() < kMaximum) add(servers, address);
    }
    return servers;
}

const std::vector<Upstream>& ResolvConf::servers() {
    struct stat now {};
    if (::stat(path_.c_str(), &now) != 0) {
        servers_.clear();
        inode_ = 0;
        return servers_;
    }
    if (now.st_ino == inode_ && now.st_mtim.tv_sec == changed_.tv_sec && now.st_mtim.tv_nsec == changed_.tv_nsec)
        return servers_;
    inode_ = now.st_ino;
    changed_ = now.st_mtim;
    servers_.clear();
    try {
        std::istringstream lines(read_file_at(AT_FDCWD, path_, 65536));
        for (std::string line; std::getline(lines, line) && servers_.size() < kMaximum;) {
            std::istringstream words(line);
            std::string keyword, address;
            if (words >> keyword >> address && keyword == "nameserver") add(servers_, address);
        }
    } catch (const Error&) {
        inode_ = 0;  // unreadable for now: next time again
    }
    return servers_;
}

}  // namespace kedge::runtime

#include "api/http_server.h"
#include "base/error.h"

#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <vector>

namespace kedge::api {

namespace {

constexpr int kBacklog = 128;

sockaddr_un unix_address(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) {
        throw Error(Code::invalid_argument,
                    path + ": a socket's path has 1 to " + std::to_string(sizeof address.sun_path - 1) + " bytes");
    }
    std::memcpy(address.sun_path, path.c_str(), path.size());
    return address;
}

const sockaddr* generic(const sockaddr_un& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}

void refuse_if_taken(const std::string& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) return;
    if (!S_ISSOCK(status.st_mode)) throw Error(Code::conflict, path + ": is there already, and is not a socket");
    Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address = unix_address(path);
    // EAGAIN: somebody listens, and has much to do.
    if (probe && (::connect(probe.get(), generic(address), sizeof address) == 0 || errno == EAGAIN)) {
        throw Error(Code::conflict, path + ": another process listens there already");
    }
}

void give_to_group(const std::string& path, const std::string& group) {
    std::vector<char> buffer(65536);
    ::group entry{};
    ::group* found = nullptr;
    if (::getgrnam_r(group.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || !found) {
        throw Error(Code::not_found, path + ": there is no group " + group);
    }
    if (::chown(path.c_str(), static_cast<uid_t>(-1), found->gr_gid) != 0) throw_errno("chown " + path);
}

uint64_t inode_of(const std::string& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

std::pair<std::string, std::string> split_host_port(const std::string& text) {
    size_t colon = text.rfind(':');
    if (colon == std::string::npos) {
        throw Error(Code::invalid_argument, "\"" + text + "\" is not host:port");
    }
    std::string host = text.substr(0, colon);
    if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    std::string port = text.substr(colon + 1);
    uint16_t number = 0;  // getaddrinfo would take 65537 for 1
    auto [end, failure] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (failure != std::errc() || end != port.data() + port.size()) {
        throw Error(Code::invalid_argument, "\"" + text + "\": \"" + port + "\" is not a port");
    }
    return {host, port};
}

}  // namespace

Listener Listener::on_unix(const std::string& path, unsigned mode, const std::string& group) {
    unix_address(path);  // checks its length
    refuse_if_taken(path);
    // Made under another name, so that nobody meets it before mode and group are right.
    std::string temporary = path + "~";
    sockaddr_un address = unix_address(temporary);
    Listener listener;
    listener.fd_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!listener.fd_) throw_errno("socket");
    if (::unlink(temporary.c_str()) != 0 && errno != ENOENT) throw_errno("remove " + temporary);
    if (::bind(listener.fd(), generic(address), sizeof address) != 0) throw_errno("listen on " + path);
    listener.path_ = temporary;
    listener.inode_ = inode_of(temporary);
    try {
        if (::chmod(temporary.c_str(), mode) != 0) throw_errno("chmod " + temporary);
        if (!group.empty()) give_to_group(temporary, group);
        if (::listen(listener.fd(), kBacklog) != 0 || ::rename(temporary.c_str(), path.c_str()) != 0)
            throw_errno("listen on " + path);
    } catch (const Error&) {
        listener.remove_file();
        throw;
    }
    listener.path_ = path;
    return listener;
}

Listener Listener::on_address(const addrinfo& address, uint16_t port) {
    sockaddr_storage name{};
    std::memcpy(&name, address.ai_addr, address.ai_addrlen);
    if (port != 0 && address.ai_family == AF_INET) reinterpret_cast<sockaddr_in&>(name).sin_port = htons(port);
    if (port != 0 && address.ai_family == AF_INET6) reinterpret_cast<sockaddr_in6&>(name).sin6_port = htons(port);
    Listener listener;
    listener.fd_.reset(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!listener.fd_) return listener;
    int on = 1;
    (void)::setsockopt(listener.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);  // only shortens a restart
    if (address.ai_family == AF_INET6) (void)::setsockopt(listener.fd(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (::bind(listener.fd(), reinterpret_cast<const sockaddr*>(&name), address.ai_addrlen) != 0 ||
        ::listen(listener.fd(), kBacklog) != 0) {
        const int failure = errno;
        listener.fd_.reset();
        errno = failure;
    }
    return listener;
}

std::vector<Listener> Listener::on_tcp(const std::string& host_port) {
    auto [host, port] = split_host_port(host_port);
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    addrinfo* found = nullptr;
    int failure = ::getaddrinfo(host.empty() ? nullptr : host.c_str(), port.c_str(), &hints, &found);
    if (failure != 0) throw Error(Code::invalid_argument, host_port + ": " + ::gai_strerror(failure));
    std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, ::freeaddrinfo);
    std::vector<Listener> listeners;
    int missing = 0;
    for (const addrinfo* address = addresses.get(); address; address = address->ai_next) {
        // A port that the kernel chose for the first is that of all.
        Listener listener = on_address(*address, listeners.empty() ? uint16_t{0} : listeners.front().port());
        if (listener.fd_) {
            listeners.push_back(std::move(listener));
            continue;
        }
        // Of a name with addresses of both kinds, the machine may have only one kind.
        if (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL) throw_errno("listen on " + host_port);
        missing = errno;
    }
    if (listeners.empty()) throw errno_error("listen on " + host_port, missing);
    return listeners;
}

uint16_t Listener::port() const {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (::getsockname(fd(), reinterpret_cast<sockaddr*>(&address), &size) != 0) throw_errno("getsockname");
    if (address.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
    if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
    return 0;
}

void Listener::remove_file() {
    if (!path_.empty() && inode_of(path_) == inode_) (void)::unlink(path_.c_str());  // a stale socket does no harm
    path_.clear();
}

}  // namespace kedge::api

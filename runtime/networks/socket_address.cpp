#include "runtime/networks/socket_address.h"

#include "base/error.h"

#include <cstring>

namespace kedge::runtime {

in6_addr to_wire(Ipv6 address) {
    const Ipv6::Bytes bytes = address.bytes();
    in6_addr result;
    std::memcpy(&result, bytes.data(), bytes.size());
    return result;
}

Ipv6 from_wire(const in6_addr& address) {
    Ipv6::Bytes bytes;
    std::memcpy(bytes.data(), &address, bytes.size());
    return Ipv6::of(bytes);
}

SocketAddress::SocketAddress(const Address& address, uint16_t port) {
    if (const auto* ipv6 = std::get_if<Ipv6>(&address)) {
        auto& to = reinterpret_cast<sockaddr_in6&>(storage_);
        to.sin6_family = AF_INET6;
        to.sin6_port = htons(port);
        to.sin6_addr = to_wire(*ipv6);
        return;
    }
    auto& to = reinterpret_cast<sockaddr_in&>(storage_);
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(std::get<Ipv4>(address).bits);
}

SocketAddress SocketAddress::of_socket(int socket) {
    SocketAddress result;
    socklen_t size = sizeof result.storage_;
    if (::getsockname(socket, reinterpret_cast<sockaddr*>(&result.storage_), &size) != 0) throw_errno("getsockname");
    return result;
}

socklen_t SocketAddress::size() const {
    return storage_.ss_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
}

Address SocketAddress::address() const {
    if (storage_.ss_family == AF_INET6) return from_wire(reinterpret_cast<const sockaddr_in6&>(storage_).sin6_addr);
    return Ipv4{ntohl(reinterpret_cast<const sockaddr_in&>(storage_).sin_addr.s_addr)};
}

uint16_t SocketAddress::port() const {
    return storage_.ss_family == AF_INET6 ? ntohs(reinterpret_cast<const sockaddr_in6&>(storage_).sin6_port)
                                          : ntohs(reinterpret_cast<const sockaddr_in&>(storage_).sin_port);
}

}  // namespace kedge::runtime

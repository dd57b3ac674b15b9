#pragma once

#include "runtime/networks/ipv6.h"

#include <netinet/in.h>
#include <sys/socket.h>

namespace kedge::runtime {

// An IPv6 address as the socket calls take it.
in6_addr to_wire(Ipv6 address);
Ipv6 from_wire(const in6_addr& address);

/// An address and a port as the socket calls take them.
class SocketAddress {
public:
    SocketAddress(const Address& address, uint16_t port);
    /// As the kernel told it.
    explicit SocketAddress(const sockaddr_storage& told) : storage_(told) {}
    /// What a socket is bound to. Throws Error.
    static SocketAddress of_socket(int socket);

    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
    socklen_t size() const;
    int family() const { return storage_.ss_family; }
    Address address() const;
    uint16_t port() const;

private:
    SocketAddress() = default;
    sockaddr_storage storage_{};
};

}  // namespace kedge::runtime

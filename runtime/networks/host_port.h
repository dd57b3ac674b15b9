#pragma once

#include "base/fd.h"
#include "runtime/container_spec.h"
#include "runtime/networks/firewall.h"

namespace kedge::runtime {

/// A port of this host that nobody else can bind while this lives. Nothing is ever received through it: packets
/// are redirected before they reach a socket.
class HeldPort {
public:
    /// Port 0: a free one of the ephemeral range. Error conflict, `Bind for 0.0.0.0:80 failed: port is already
    /// allocated`.
    explicit HeldPort(const HostPort& port);

    const HostPort& port() const { return port_; }

    /// Completes the hold of a TCP port. Only once the port leads somewhere: before, a client must be refused, not kept
    /// waiting. Error conflict as above: a program that also allows the reuse of addresses was faster.
    void listen();

private:
    HostPort port_;
    Fd socket_;
};

/// Where a binding sits. Throws Error (invalid_argument) for addresses that aren't IPv4.
HostPort host_port_of(const PortBinding& binding);

}  // namespace kedge::runtime

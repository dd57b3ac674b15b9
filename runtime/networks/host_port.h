#pragma once

#include "base/error.h"
#include "base/fd.h"
#include "runtime/container_spec.h"
#include "runtime/networks/firewall.h"

#include <vector>

namespace kedge::runtime {

/// A port of this host that nobody else can bind while this lives. Nothing is received through it where packets are
/// translated, before they reach a socket; where they can't be, it is what PortRelay listens on.
class HeldPort {
public:
    /// Port 0: a free one of the ephemeral range. Error conflict, `Bind for 0.0.0.0:80 failed: port is already
    /// allocated`.
    explicit HeldPort(const HostPort& port);

    const HostPort& port() const { return port_; }
    const Fd& socket() const { return socket_; }

    /// Completes the hold of a TCP port. Only once the port leads somewhere: before, a client must be refused, not kept
    /// waiting. Error conflict as above: a program that also allows the reuse of addresses was faster.
    void listen();

private:
    HostPort port_;
    Fd socket_;
};

/// Whether one keeps the other from being held.
bool collide(const HostPort& a, const HostPort& b);
/// `Bind for 0.0.0.0:80 failed: port is already allocated` (conflict).
Error allocated_already(const HostPort& port);

/// Where a binding that names an address sits, or one without over IPv4. Throws Error (invalid_argument).
HostPort host_port_of(const PortBinding& binding);

/// What the bindings of a spec come to: one without an address of the host is published over both families, where the
/// machine has both.
std::vector<PortBinding> by_family(const std::vector<PortBinding>& bindings);

/// Holds a port for each binding, which gets the number that was chosen if it asks for any; bindings of one container
/// port that ask for any get the same one for both families. Throws Error and holds none.
std::vector<HeldPort> hold_ports(std::vector<PortBinding>& bindings);

}  // namespace kedge::runtime

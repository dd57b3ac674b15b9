#pragma once

#include "base/fd.h"
#include "runtime/networks/endpoint_options.h"
#include "runtime/networks/ipv6.h"

#include <memory>
#include <vector>

namespace kedge::runtime {

class NetlinkSocket;

/// What IPv6 addresses need besides being set, in one network namespace.
class Ipv6Arrival {
public:
    Ipv6Arrival();
    Ipv6Arrival(Ipv6Arrival&&) noexcept;
    ~Ipv6Arrival();

    /// Opens its sockets in the namespace of the calling thread. Never throws: what can't be opened is done without.
    void open_here() noexcept;

    /// Returns once the kernel has the addresses, which it takes over in its own time. Not for ever: half a second.
    void wait(std::vector<Ipv6> addresses);
    /// Tells everybody on the link whose the address is now: they may know it as another one's. Best effort.
    void announce(int link, Ipv6 address, const MacAddress& mac) const;

private:
    std::unique_ptr<NetlinkSocket> notices_;
    Fd raw_;
};

}  // namespace kedge::runtime

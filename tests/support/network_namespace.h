#pragma once

#include "base/error.h"
#include "base/fd.h"

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>

namespace kedge::test {

/// Puts this process (and the threads it makes from now on) into a network namespace of its own with lo up. Once per
/// process; call it before any thread is there.
inline void enter_network_namespace() {
    static bool done = false;
    if (done) return;
    done = true;
    if (::unshare(CLONE_NEWNET) != 0) throw_errno("unshare");
    Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP;
    if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) throw_errno("lo");
}

}  // namespace kedge::test

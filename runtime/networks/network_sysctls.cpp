#include "runtime/networks/network_sysctls.h"

#include "base/error.h"
#include "runtime/networks/links.h"

#include <fcntl.h>
#include <unistd.h>

namespace kedge::runtime {

void write_sysctl(const std::string& name, std::string_view value) {
    try {
        write_all(open_at(AT_FDCWD, "/proc/sys/net/" + name, O_WRONLY).get(), value);
    } catch (const Error& e) {
        throw e.with_context("set net/" + name);
    }
}

bool has_ipv6() {
    return ::access("/proc/sys/net/ipv6/conf", F_OK) == 0;
}

void require_ipv6() {
    if (!has_ipv6()) throw Error(Code::invalid_argument, "the kernel of this machine has no IPv6");
}

void enable_forwarding() {
    write_sysctl("ipv4/ip_forward", "1");
}

void enable_ipv6_forwarding() {
    const std::string root = "/proc/sys/net/ipv6/conf/";
    auto is = [&](const std::string& name, char value) {
        return read_file_at(AT_FDCWD, root + name, 16).starts_with(value);
    };
    if (is("all/forwarding", '1')) return;
    for (const Link& link : list_links()) {
        if (link.index == 1 || link.kind == "veth") continue;  // no router is behind these
        try {
            if (is(link.name + "/accept_ra", '1') && is(link.name + "/forwarding", '0'))
                write_sysctl("ipv6/conf/" + link.name + "/accept_ra", "2");
        } catch (const Error&) {
            // It is gone, or has no IPv6.
        }
    }
    write_sysctl("ipv6/conf/all/forwarding", "1");
}

}  // namespace kedge::runtime

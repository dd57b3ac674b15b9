#include "runtime/networks/host_port.h"

#include "base/error.h"
#include "runtime/networks/network_sysctls.h"
#include "runtime/networks/socket_address.h"

#include <linux/filter.h>
#include <sys/socket.h>

#include <cerrno>

namespace kedge::runtime {

namespace {

constexpr int kTries = 16;  // for a number that is free over both families

std::string failed_bind(const HostPort& port) {
    return "Bind for " + to_string(port.address) + ":" + std::to_string(port.port) + " failed";
}

[[noreturn]] void throw_bind_error(const HostPort& port, int error_number) {
    if (error_number == EADDRINUSE) throw allocated_already(port);
    throw errno_error(failed_bind(port), error_number);
}

}  // namespace

bool collide(const HostPort& a, const HostPort& b) {
    return a.protocol == b.protocol && a.port == b.port && is_ipv6(a.address) == is_ipv6(b.address) &&
           (is_any(a.address) || is_any(b.address) || a.address == b.address);
}

Error allocated_already(const HostPort& port) {
    return Error(Code::conflict, failed_bind(port) + ": port is already allocated");
}

HeldPort::HeldPort(const HostPort& port) : port_(port) {
    const bool tcp = port.protocol == Protocol::tcp, ipv6 = is_ipv6(port.address);
    const int type = (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;
    socket_ = Fd(::socket(ipv6 ? AF_INET6 : AF_INET, type, 0));
    if (!socket_) throw_bind_error(port_, errno);
    const int on = 1;
    // The other family has a socket of its own.
    if (ipv6) (void)::setsockopt(socket_.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    // Connections of the host's that happen to use the port as their own don't matter (TCP; with UDP it would allow
    // sharing).
    if (tcp) (void)::setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    // A datagram that comes in nevertheless must not use up memory.
    sock_filter drop{BPF_RET | BPF_K, 0, 0, 0};
    sock_fprog program{1, &drop};
    if (!tcp) (void)::setsockopt(socket_.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);

    SocketAddress address(port.address, port.port);
    if (::bind(socket_.get(), address.get(), address.size()) != 0) throw_bind_error(port_, errno);
    if (port_.port == 0) port_.port = SocketAddress::of_socket(socket_.get()).port();
}

void HeldPort::listen() {
    if (port_.protocol == Protocol::tcp && ::listen(socket_.get(), 1) != 0) throw_bind_error(port_, errno);
}

HostPort host_port_of(const PortBinding& binding) {
    HostPort port;
    port.protocol = binding.protocol;
    port.port = binding.host_port;
    try {
        if (!binding.host_ip.empty()) port.address = parse_address(binding.host_ip);
    } catch (const Error&) {
        throw Error(Code::invalid_argument,
                    "cannot publish a port on \"" + binding.host_ip + "\": it is not an address of the host");
    }
    return port;
}

std::vector<PortBinding> by_family(const std::vector<PortBinding>& bindings) {
    std::vector<PortBinding> result;
    for (const PortBinding& binding : bindings) {
        result.push_back(binding);
        if (!binding.host_ip.empty()) continue;
        result.back().host_ip = Ipv4{}.str();
        if (!has_ipv6()) continue;
        result.push_back(binding);
        result.back().host_ip = Ipv6{}.str();
    }
    return result;
}

namespace {

/// Both families of one container port, whichever number it is.
bool is_pair(const PortBinding& a, const PortBinding& b) {
    return a.host_ip == Ipv4{}.str() && b.host_ip == Ipv6{}.str() && a.container_port == b.container_port &&
           a.protocol == b.protocol && a.host_port == 0 && b.host_port == 0;
}

void hold_pair(PortBinding& first, PortBinding& second, std::vector<HeldPort>& held) {
    for (int tries = 1;; ++tries) {
        HeldPort one(host_port_of(first));
        second.host_port = one.port().port;
        try {
            held.emplace_back(host_port_of(second));
        } catch (const Error& e) {
            if (e.code() != Code::conflict || tries == kTries) throw;
            continue;
        }
        first.host_port = one.port().port;
        held.insert(held.end() - 1, std::move(one));
        return;
    }
}

}  // namespace

std::vector<HeldPort> hold_ports(std::vector<PortBinding>& bindings) {
    std::vector<HeldPort> held;
    for (size_t i = 0; i < bindings.size(); ++i) {
        if (i + 1 < bindings.size() && is_pair(bindings[i], bindings[i + 1])) {
            hold_pair(bindings[i], bindings[i + 1], held);
            ++i;
            continue;
        }
        held.emplace_back(host_port_of(bindings[i]));
        bindings[i].host_port = held.back().port().port;
    }
    return held;
}

}  // namespace kedge::runtime

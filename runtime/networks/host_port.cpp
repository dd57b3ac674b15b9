#include "runtime/networks/host_port.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <sys/socket.h>

#include <cerrno>

namespace kedge::runtime {

namespace {

[[noreturn]] void throw_bind_error(const HostPort& port, int error_number) {
    std::string what = "Bind for " + port.address.str() + ":" + std::to_string(port.port) + " failed";
    if (error_number == EADDRINUSE) throw Error(Code::conflict, what + ": port is already allocated");
    throw errno_error(what, error_number);
}

}  // namespace

HeldPort::HeldPort(const HostPort& port) : port_(port) {
    const bool tcp = port.protocol == Protocol::tcp;
    socket_ = Fd(::socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0));
    if (!socket_) throw_errno("open socket");
    const int on = 1;
    // Connections of the host's that happen to use the port as their own don't matter (TCP; with UDP it would allow
    // sharing).
    if (tcp) (void)::setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    // A datagram that comes in nevertheless must not use up memory.
    sock_filter drop{BPF_RET | BPF_K, 0, 0, 0};
    sock_fprog program{1, &drop};
    if (!tcp) (void)::setsockopt(socket_.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);

    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(port.address.bits);
    address.sin_port = htons(port.port);
    socklen_t size = sizeof address;
    if (::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) throw_bind_error(port_, errno);
    if (::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) throw_errno("getsockname");
    port_.port = ntohs(address.sin_port);
}

void HeldPort::listen() {
    if (port_.protocol == Protocol::tcp && ::listen(socket_.get(), 1) != 0) throw_bind_error(port_, errno);
}

HostPort host_port_of(const PortBinding& binding) {
    HostPort port;
    port.protocol = binding.protocol;
    port.port = binding.host_port;
    try {
        if (!binding.host_ip.empty()) port.address = Ipv4::parse(binding.host_ip);
    } catch (const Error&) {
        throw Error(Code::invalid_argument, "cannot publish a port on \"" + binding.host_ip +
                                                "\": only IPv4 addresses of the host are supported");
    }
    return port;
}

}  // namespace kedge::runtime

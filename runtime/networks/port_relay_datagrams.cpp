// Datagrams that PortRelay passes on.
#include "base/error.h"
#include "runtime/networks/port_relay.h"
#include "runtime/networks/socket_address.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cstring>

namespace kedge::runtime {

namespace {

constexpr int kBurst = 64;  // datagrams read before others get their turn

/// A message of one datagram that tells, or is told, which address of the host it goes to or comes from.
struct Message {
    Message(char* data, size_t size) : part{data, size} {
        head.msg_name = &peer;
        head.msg_namelen = sizeof peer;  // at most
        head.msg_iov = &part;
        head.msg_iovlen = 1;
        head.msg_control = control;
        head.msg_controllen = sizeof control;
    }
    Message(const Message&) = delete;
    Message& operator=(const Message&) = delete;

    /// Which address of the host it came to, of this family if it isn't told.
    Address own(bool ipv6) {
        for (cmsghdr* header = CMSG_FIRSTHDR(&head); header; header = CMSG_NXTHDR(&head, header)) {
            if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO)
                return from_wire(read<in6_pktinfo>(*header).ipi6_addr);
            if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO)
                return Ipv4{ntohl(read<in_pktinfo>(*header).ipi_addr.s_addr)};
        }
        return ipv6 ? Address(Ipv6{}) : Address(Ipv4{});
    }
    void send_from(const Address& address) {
        if (const auto* ipv6 = std::get_if<Ipv6>(&address)) {
            in6_pktinfo info{};
            info.ipi6_addr = to_wire(*ipv6);
            write(IPPROTO_IPV6, IPV6_PKTINFO, info);
        } else {
            in_pktinfo info{};
            info.ipi_spec_dst.s_addr = htonl(std::get<Ipv4>(address).bits);
            write(IPPROTO_IP, IP_PKTINFO, info);
        }
    }
    void send_to(const Address& address, uint16_t port, unsigned interface) {
        const SocketAddress to(address, port);
        std::memcpy(&peer, to.get(), to.size());
        head.msg_namelen = to.size();
        if (to.family() == AF_INET6) reinterpret_cast<sockaddr_in6&>(peer).sin6_scope_id = interface;
    }
    unsigned interface() const {
        return peer.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(peer).sin6_scope_id : 0;
    }

    sockaddr_storage peer{};
    iovec part;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(in6_pktinfo))]{};
    msghdr head{};

private:
    template <typename Info>
    static Info read(const cmsghdr& header) {
        Info info;
        std::memcpy(&info, CMSG_DATA(&header), sizeof info);
        return info;
    }
    template <typename Info>
    void write(int level, int type, const Info& info) {
        head.msg_controllen = CMSG_SPACE(sizeof info);
        cmsghdr* header = CMSG_FIRSTHDR(&head);
        header->cmsg_level = level;
        header->cmsg_type = type;
        header->cmsg_len = CMSG_LEN(sizeof info);
        std::memcpy(CMSG_DATA(header), &info, sizeof info);
    }
};

}  // namespace

void PortRelay::begin_datagrams(int socket, bool ipv6) {
    const int unused = 0, on = 1;
    (void)::setsockopt(socket, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof unused);  // see HeldPort
    (void)(ipv6 ? ::setsockopt(socket, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on)
                : ::setsockopt(socket, IPPROTO_IP, IP_PKTINFO, &on, sizeof on));
}

void PortRelay::read_datagrams(const HostPort& port) {
    Port& to = ports_.at(port);
    for (int i = 0; i < kBurst; ++i) {
        Message message(buffer_.data(), buffer_.size());
        const ssize_t n = ::recvmsg(to.socket.get(), &message.head, 0);
        if (n < 0) return;  // nothing left, or an error that an answer of ours caused
        const SocketAddress peer(message.peer);
        const Sender sender{port, peer.address(), peer.port(), message.interface(), message.own(is_ipv6(port.address))};
        Flow* flow = flow_of(sender, to);
        if (!flow) continue;
        flow->last = EventLoop::Clock::now();
        (void)::send(flow->socket.get(), buffer_.data(), static_cast<size_t>(n),
                     MSG_DONTWAIT);  // lost is lost: it is UDP
    }
}

/// Null when there are too many.
PortRelay::Flow* PortRelay::flow_of(const Sender& sender, Port& port) {
    auto found = flows_.find(sender);
    if (found != flows_.end()) return &found->second;
    if (port.flows >= limits_.of_port || flows_.size() >= limits_.connections) {
        tell(sender.port, port,
             fmt::format("datagrams of further senders are lost: {} are relayed for it, {} for all ports", port.flows,
                         flows_.size()));
        return nullptr;
    }
    const SocketAddress address(port.backend.address, port.backend.port);
    Fd socket(::socket(address.family(), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket || ::connect(socket.get(), address.get(), address.size()) != 0) return nullptr;
    const auto now = EventLoop::Clock::now();
    loop_->watch(socket.get(), EPOLLIN, [this, sender](uint32_t) { read_answers(sender); });
    auto timer = loop_->at(now + kIdle, [this, sender] { forget_if_idle(sender); });
    ++port.flows;
    return &flows_.emplace(sender, Flow{std::move(socket), now, timer}).first->second;
}

void PortRelay::read_answers(const Sender& sender) {
    Flow& flow = flows_.at(sender);
    for (int i = 0; i < kBurst; ++i) {
        const ssize_t n = ::recv(flow.socket.get(), buffer_.data(), buffer_.size(), 0);
        if (n < 0) return;  // nothing left, or nobody listens there
        flow.last = EventLoop::Clock::now();
        Message message(buffer_.data(), static_cast<size_t>(n));
        message.send_to(sender.peer, sender.peer_port, sender.interface);
        message.send_from(sender.own);  // the address that was asked: whoever asked takes no other answer
        (void)::sendmsg(ports_.at(sender.port).socket.get(), &message.head, MSG_DONTWAIT);
    }
}

void PortRelay::forget_if_idle(const Sender& sender) {
    auto found = flows_.find(sender);
    const auto until = found->second.last + kIdle;
    if (until <= EventLoop::Clock::now()) {
        end_flow(found);
    } else {
        found->second.timer = loop_->at(until, [this, sender] { forget_if_idle(sender); });
    }
}

void PortRelay::drop_flows(const HostPort& port) {
    for (auto one = flows_.begin(); one != flows_.end();) {
        const auto next = std::next(one);
        if (one->first.port == port) drop_flow(one);
        one = next;
    }
}

void PortRelay::drop_flow(std::map<Sender, Flow>::iterator flow) {
    loop_->cancel(flow->second.timer);
    end_flow(flow);
}

void PortRelay::end_flow(std::map<Sender, Flow>::iterator flow) {
    loop_->forget(flow->second.socket.get());
    if (auto port = ports_.find(flow->first.port); port != ports_.end()) --port->second.flows;
    flows_.erase(flow);
}

}  // namespace kedge::runtime

// Datagrams that PortRelay passes on.
#include "base/error.h"
#include "runtime/networks/port_relay.h"
#include "runtime/networks/socket_address.h"

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
        head.msg_namelen = sizeof peer;
        head.msg_iov = &part;
        head.msg_iovlen = 1;
        head.msg_control = control;
        head.msg_controllen = sizeof control;
    }
    Message(const Message&) = delete;
    Message& operator=(const Message&) = delete;

    sockaddr_in6 peer{};
    iovec part;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(in6_pktinfo))]{};
    msghdr head{};
};

}  // namespace

void PortRelay::read_datagrams(const HostPort& port) {
    const Port& to = ports_.at(port);
    for (int i = 0; i < kBurst; ++i) {
        Message message(buffer_.data(), buffer_.size());
        const sockaddr_in6& peer = message.peer;
        const ssize_t n = ::recvmsg(to.socket.get(), &message.head, 0);
        if (n < 0) return;  // nothing left, or an error that an answer of ours caused
        Sender sender{port, from_wire(peer.sin6_addr), ntohs(peer.sin6_port), peer.sin6_scope_id, {}};
        for (cmsghdr* header = CMSG_FIRSTHDR(&message.head); header; header = CMSG_NXTHDR(&message.head, header)) {
            if (header->cmsg_level != IPPROTO_IPV6 || header->cmsg_type != IPV6_PKTINFO) continue;
            in6_pktinfo info;
            std::memcpy(&info, CMSG_DATA(header), sizeof info);
            sender.own = from_wire(info.ipi6_addr);
        }
        Flow* flow = flow_of(sender, to.backend);
        if (!flow) continue;
        flow->last = EventLoop::Clock::now();
        (void)::send(flow->socket.get(), buffer_.data(), static_cast<size_t>(n),
                     MSG_DONTWAIT);  // lost is lost: it is UDP
    }
}

/// Null when there are too many.
PortRelay::Flow* PortRelay::flow_of(const Sender& sender, const Backend& backend) {
    auto found = flows_.find(sender);
    if (found != flows_.end()) return &found->second;
    if (flows_.size() >= kFlows) return nullptr;
    const SocketAddress address(backend.address, backend.port);
    Fd socket(::socket(address.family(), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket || ::connect(socket.get(), address.get(), address.size()) != 0) return nullptr;
    const auto now = EventLoop::Clock::now();
    loop_->watch(socket.get(), EPOLLIN, [this, sender](uint32_t) { read_answers(sender); });
    auto timer = loop_->at(now + kIdle, [this, sender] { forget_if_idle(sender); });
    return &flows_.emplace(sender, Flow{std::move(socket), now, timer}).first->second;
}

void PortRelay::read_answers(const Sender& sender) {
    Flow& flow = flows_.at(sender);
    for (int i = 0; i < kBurst; ++i) {
        const ssize_t n = ::recv(flow.socket.get(), buffer_.data(), buffer_.size(), 0);
        if (n < 0) return;  // nothing left, or nobody listens there
        flow.last = EventLoop::Clock::now();
        Message message(buffer_.data(), static_cast<size_t>(n));
        message.peer.sin6_family = AF_INET6;
        message.peer.sin6_port = htons(sender.peer_port);
        message.peer.sin6_addr = to_wire(sender.peer);
        message.peer.sin6_scope_id = sender.interface;
        // From the address that was asked: whoever asked takes no other answer.
        cmsghdr* header = CMSG_FIRSTHDR(&message.head);
        header->cmsg_level = IPPROTO_IPV6;
        header->cmsg_type = IPV6_PKTINFO;
        header->cmsg_len = CMSG_LEN(sizeof(in6_pktinfo));
        in6_pktinfo info{};
        info.ipi6_addr = to_wire(sender.own);
        std::memcpy(CMSG_DATA(header), &info, sizeof info);
        (void)::sendmsg(ports_.at(sender.port).socket.get(), &message.head, MSG_DONTWAIT);
    }
}

void PortRelay::forget_if_idle(const Sender& sender) {
    auto found = flows_.find(sender);
    const auto until = found->second.last + kIdle;
    if (until <= EventLoop::Clock::now()) {
        loop_->forget(found->second.socket.get());
        flows_.erase(found);
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
    loop_->forget(flow->second.socket.get());
    loop_->cancel(flow->second.timer);
    flows_.erase(flow);
}

}  // namespace kedge::runtime

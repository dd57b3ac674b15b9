#include "runtime/networks/netlink.h"

#include "base/error.h"
#include "base/netns.h"

#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <new>

namespace kedge::runtime {

void NetlinkMessage::Free::operator()(nl_msg* message) const {
    nlmsg_free(message);
}

NetlinkMessage::NetlinkMessage(int type, int flags, const void* header, size_t size)
    : message_(nlmsg_alloc_simple(type, NLM_F_REQUEST | flags)) {
    if (!message_ || nlmsg_append(message_.get(), const_cast<void*>(header), size, NLMSG_ALIGNTO) != 0)
        throw std::bad_alloc();
}

NetlinkMessage& NetlinkMessage::put(int attribute, const void* data, size_t size) {
    if (nla_put(message_.get(), attribute, static_cast<int>(size), data) != 0) {
        throw Error(Code::internal, "netlink message too long");
    }
    return *this;
}

NetlinkMessage& NetlinkMessage::nest(int attribute, const std::function<void()>& fill, std::string_view header) {
    nlattr* start = nla_nest_start(message_.get(), attribute);
    if (!start) throw Error(Code::internal, "netlink message too long");
    if (!header.empty() &&
        nlmsg_append(message_.get(), const_cast<char*>(header.data()), header.size(), NLMSG_ALIGNTO) != 0) {
        throw Error(Code::internal, "netlink message too long");
    }
    fill();
    nla_nest_end(message_.get(), start);
    return *this;
}

NetlinkSocket::NetlinkSocket(int protocol)
    : socket_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol)), buffer_(65536) {
    if (!socket_) throw_errno("open netlink socket");
}

NetlinkSocket::NetlinkSocket(int protocol, int netns)
    : socket_(socket_in(netns, AF_NETLINK, SOCK_RAW, protocol)), buffer_(65536) {}

NetlinkSocket::NetlinkSocket(Fd socket) : socket_(std::move(socket)), buffer_(65536) {}

std::string_view NetlinkSocket::receive() {
    while (true) {
        ssize_t n = ::recv(socket_.get(), buffer_.data(), buffer_.size(), 0);
        if (n >= 0) return {buffer_.data(), static_cast<size_t>(n)};
        if (errno != EINTR) throw_errno("receive from netlink");
    }
}

void NetlinkSocket::subscribe(int group) {
    // Without an address of its own, which the first message sent would bring as well, the kernel passes a socket over.
    sockaddr_nl self{};
    self.nl_family = AF_NETLINK;
    socklen_t size = sizeof self;
    if (::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&self), &size) != 0) throw_errno("netlink");
    if (self.nl_pid == 0 && ::bind(socket_.get(), reinterpret_cast<sockaddr*>(&self), sizeof self) != 0)
        throw_errno("bind netlink");
    if (::setsockopt(socket_.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
        throw_errno("subscribe to netlink");
}

bool NetlinkSocket::wait_until(std::chrono::steady_clock::time_point deadline,
                               const std::function<void(const nlmsghdr*)>& sink) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd polled{socket_.get(), POLLIN, 0};
    if (left <= 0 || ::poll(&polled, 1, static_cast<int>(left)) <= 0) return false;
    const std::string_view data = receive();
    int size = static_cast<int>(data.size());
    for (auto* header = reinterpret_cast<const nlmsghdr*>(data.data()); sink && nlmsg_ok(header, size);
         header = nlmsg_next(const_cast<nlmsghdr*>(header), &size))
        sink(header);
    return true;
}

void NetlinkSocket::transmit(std::string_view what, const std::vector<NetlinkMessage>& messages, bool acknowledged) {
    std::vector<iovec> parts;
    for (const NetlinkMessage& message : messages) {
        nlmsghdr* header = nlmsg_hdr(message.get());
        header->nlmsg_seq = ++sequence_;
        if (acknowledged) header->nlmsg_flags |= NLM_F_ACK;
        parts.push_back({header, NLMSG_ALIGN(header->nlmsg_len)});
    }
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    msghdr envelope{};
    envelope.msg_name = &kernel;
    envelope.msg_namelen = sizeof kernel;
    envelope.msg_iov = parts.data();
    envelope.msg_iovlen = parts.size();
    if (::sendmsg(socket_.get(), &envelope, 0) < 0) throw_errno(what);
}

void NetlinkSocket::send(std::string_view what, const std::vector<NetlinkMessage>& messages) {
    if (messages.empty()) return;
    transmit(what, messages, true);
    int failure = 0;
    for (size_t acknowledged = 0; acknowledged < messages.size();) {
        std::string_view data = receive();
        int left = static_cast<int>(data.size());
        for (auto* header = reinterpret_cast<const nlmsghdr*>(data.data()); nlmsg_ok(header, left);
             header = nlmsg_next(const_cast<nlmsghdr*>(header), &left)) {
            if (header->nlmsg_type != NLMSG_ERROR) continue;
            int error = static_cast<const nlmsgerr*>(nlmsg_data(header))->error;
            if (failure == 0) failure = -error;
            ++acknowledged;
        }
    }
    if (failure != 0) throw errno_error(what, failure);
}

void NetlinkSocket::send(std::string_view what, NetlinkMessage message) {
    std::vector<NetlinkMessage> messages;
    messages.push_back(std::move(message));
    send(what, messages);
}

void NetlinkSocket::ask(std::string_view what, NetlinkMessage message,
                        const std::function<void(const nlmsghdr*)>& sink) {
    std::vector<NetlinkMessage> messages;
    messages.push_back(std::move(message));
    // A dump ends with its own NLMSG_DONE; a single answer is followed by the acknowledgement.
    const bool dump = (nlmsg_hdr(messages[0].get())->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
    transmit(what, messages, !dump);
    while (true) {
        std::string_view data = receive();
        int left = static_cast<int>(data.size());
        for (auto* header = reinterpret_cast<const nlmsghdr*>(data.data()); nlmsg_ok(header, left);
             header = nlmsg_next(const_cast<nlmsghdr*>(header), &left)) {
            if (header->nlmsg_type == NLMSG_DONE) return;
            if (header->nlmsg_type == NLMSG_ERROR) {
                int error = static_cast<const nlmsgerr*>(nlmsg_data(header))->error;
                if (error != 0) throw errno_error(what, -error);
                return;
            }
            sink(header);
        }
    }
}

}  // namespace kedge::runtime

#pragma once

#include "base/fd.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct nl_msg;
struct nlmsghdr;

namespace kedge::runtime {

/// One netlink message under construction, by libnl's message functions.
class NetlinkMessage {
public:
    template <typename Header>
    NetlinkMessage(int type, int flags, const Header& header) : NetlinkMessage(type, flags, &header, sizeof header) {}

    nl_msg* get() const { return message_.get(); }
    NetlinkMessage& put(int attribute, const void* data, size_t size);
    NetlinkMessage& put(int attribute, uint32_t value) { return put(attribute, &value, sizeof value); }
    NetlinkMessage& put(int attribute, const std::string& text) {
        return put(attribute, text.c_str(), text.size() + 1);
    }
    /// Attributes that `fill` puts, inside of one; `header` bytes go before them.
    NetlinkMessage& nest(int attribute, const std::function<void()>& fill, std::string_view header = {});

private:
    NetlinkMessage(int type, int flags, const void* header, size_t size);
    struct Free {
        void operator()(nl_msg* message) const;
    };
    std::unique_ptr<nl_msg, Free> message_;
};

/// A netlink socket of the current network namespace, or of another one. For one thread at a time.
class NetlinkSocket {
public:
    explicit NetlinkSocket(int protocol);
    NetlinkSocket(int protocol, int netns);
    /// One that is open.
    explicit NetlinkSocket(Fd socket);

    /// Sends all messages at once and waits until each is acknowledged. Throws the first failure, as `what: ...`.
    void send(std::string_view what, const std::vector<NetlinkMessage>& messages);
    void send(std::string_view what, NetlinkMessage message);
    /// Sends one request and hands every message of the answer to `sink` (a dump's, until its end). Throws Error.
    void ask(std::string_view what, NetlinkMessage message, const std::function<void(const nlmsghdr*)>& sink);

    void subscribe(int group);
    /// Takes the notices that are there, or waits for one. False past the deadline.
    bool wait_until(std::chrono::steady_clock::time_point deadline,
                    const std::function<void(const nlmsghdr*)>& sink = {});

private:
    void transmit(std::string_view what, const std::vector<NetlinkMessage>& messages, bool acknowledged);
    std::string_view receive();

    Fd socket_;
    uint32_t sequence_ = 0;
    std::vector<char> buffer_;
};

}  // namespace kedge::runtime

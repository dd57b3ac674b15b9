#pragma once

#include "runtime/networks/event_loop.h"
#include "runtime/networks/ipv6.h"
#include "runtime/networks/resolv_conf.h"

#include <functional>
#include <map>
#include <optional>
#include <string>

namespace kedge::runtime {

/// Asks name servers, one after the other, without ever waiting for one. Belongs to the loop's thread.
class Forwarder {
public:
    /// The answer, with the asker's id; empty when nobody answered.
    using Reply = std::function<void(std::string answer)>;

    Forwarder(EventLoop& loop, std::string resolv_conf);
    ~Forwarder();

    /// `query` is a well-formed question for these servers (addresses; none: the host's). Over `stream` they are asked
    /// by TCP. Past the bounds (kPending
    /// altogether, kPerAsker for one address) nobody is asked.
    void ask(const std::string& query, const Address& asker, bool stream, const std::vector<std::string>& servers,
             Reply reply);

private:
    static constexpr size_t kPending = 256;
    static constexpr size_t kPerAsker = 64;
    static constexpr std::chrono::seconds kPatience{2};  ///< for each server

    struct Pending {
        std::string query;  // with an id of our own
        Address asker;
        bool stream = false;
        Reply reply;
        std::vector<Upstream> servers;
        bool hosts = true;  // the servers are the host's
        size_t first = 0;   // where in the file the first of them is
        size_t next = 0;
        Fd socket;
        std::optional<EventLoop::Timer> timer;
        std::string out, in;  // of a stream
    };
    using Id = uint64_t;

    void try_next(Id id);
    bool begin(Id id, Pending& pending, const Upstream& server);
    void ready(Id id);
    bool exchange_stream(Pending& pending, std::string& answer);
    void finish(Id id, std::string answer);
    void drop_socket(Pending& pending);

    EventLoop& loop_;
    ResolvConf resolv_conf_;
    std::map<Id, Pending> pending_;
    std::map<Address, size_t> askers_;
    Id last_ = 0;
    size_t first_server_ = 0;  // the one that answered last
};

}  // namespace kedge::runtime

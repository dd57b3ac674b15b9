#pragma once

#include "api/client_limits.h"
#include "api/http.h"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace kedge::api {

/// One accepted socket, with deadlines for whole heads and bodies instead of for single reads. Once `end` is readable,
/// nothing is read any more, and what is still to be written has two seconds.
class Connection {
public:
    /// The sockets stay the caller's. `end`: the server's eventfd. One thread may read while another writes.
    Connection(int socket, int end, const ClientLimits& limits) : socket_(socket), end_(end), limits_(limits) {}
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    enum class Head { whole, none, too_large, late, malformed };
    /// Waits for a request's head and puts all of it, with the empty line at its end, into `head`.
    Head read_head(std::string& head);
    /// The head is read: from here the limits of a body hold.
    void begin_body();
    /// Leaves this much time for all that is still to be read.
    void hurry(std::chrono::milliseconds time);
    /// From now on reads wait without a deadline.
    void take_over();

    /// Up to `size` bytes; 0 when there are none in time, or no more.
    size_t read(char* data, size_t size);
    /// False once the client is gone or takes nothing.
    bool send(std::string_view data);
    /// Waits until the client has read all that was sent, or for so long. Over TCP it is until its kernel has it.
    void wait_until_read(std::chrono::milliseconds patience) const;
    /// Before closing with input unread: says that no more is written, and reads on for a moment; else the kernel
    /// resets the connection and the client may lose the answer.
    void linger();

    int socket() const { return socket_; }

private:
    using Time = std::chrono::steady_clock::time_point;
    bool wait_for_input(Time deadline) const;
    bool wait_for_room(Time deadline);
    ssize_t fill(Time deadline);

    const int socket_;
    const int end_;
    const ClientLimits& limits_;
    std::unique_ptr<char[]> buffer_;  ///< what came in and is not read yet: from taken_ to filled_
    size_t taken_ = 0, filled_ = 0;
    std::chrono::milliseconds stall_ = limits_.stall;
    Time deadline_ = Time::max();    ///< of reads
    Time last_write_ = Time::max();  ///< of writes once the server ends
};

/// The taken over connection as routes see it.
class TakenOver : public Duplex {
public:
    explicit TakenOver(Connection& connection) : connection_(connection) {}
    bool write(std::string_view data) override;
    size_t read(char* data, size_t size) override { return connection_.read(data, size); }
    void end_reading() override;
    void hang_up() override;

private:
    Connection& connection_;
    bool written_ = false;
};

}  // namespace kedge::api

#pragma once

#include "api/http.h"

#include <httplib.h>

#include <chrono>
#include <string>
#include <string_view>

namespace kedge::api {

/// How long and how much a client may take.
struct ClientLimits {
    std::chrono::milliseconds idle{15'000};    ///< between requests
    std::chrono::milliseconds head{15'000};    ///< from a request's first byte to the end of its head
    std::chrono::milliseconds body{0};         ///< from the end of the head to the end of the body; 0: no limit
    std::chrono::milliseconds stall{300'000};  ///< without a byte coming in or going out
    size_t head_size = 64u << 10;              ///< bytes of request line and headers together
};

/// One accepted socket as the stream that httplib reads requests from and writes responses to, with deadlines for the whole
/// head and body instead of for single reads, and a way out of HTTP for connections that are taken over.
class Connection : public httplib::Stream {
public:
    Connection(int socket, const ClientLimits& limits);

    /// Waits for the first byte of a request; false when there will be none in time.
    bool await_request();
    /// The head is read: from here the limits of a body hold.
    void begin_body();
    /// From now on what httplib writes goes nowhere, and reads wait without a deadline.
    void take_over();
    bool taken_over() const { return taken_over_; }

    /// Past httplib, also when taken over; false once the client is gone.
    bool send(std::string_view data);
    size_t receive(char* data, size_t size);

    bool is_readable() const override;
    bool is_writable() const override;
    ssize_t read(char* data, size_t size) override;
    ssize_t write(const char* data, size_t size) override;
    void get_remote_ip_and_port(std::string& ip, int& port) const override;
    void get_local_ip_and_port(std::string& ip, int& port) const override;
    socket_t socket() const override { return socket_; }

private:
    using Time = std::chrono::steady_clock::time_point;
    bool wait(short events, Time deadline) const;
    ssize_t fill(Time deadline);

    int socket_;
    const ClientLimits& limits_;
    std::string buffer_;  ///< what came in and is not read yet: from taken_ on
    size_t taken_ = 0;
    size_t head_left_ = 0;
    bool in_head_ = true;
    bool taken_over_ = false;
    Time deadline_ = Time::max();
};

/// The taken over connection as routes see it.
class TakenOver : public Duplex {
public:
    explicit TakenOver(Connection& connection) : connection_(connection) {}
    bool write(std::string_view data) override { return connection_.send(data); }
    size_t read(char* data, size_t size) override { return connection_.receive(data, size); }
    void end_reading() override;

private:
    Connection& connection_;
};

}  // namespace kedge::api

#pragma once

#include "base/fd.h"

#include <httplib.h>

#include <chrono>
#include <exception>
#include <mutex>
#include <stop_token>
#include <string>

namespace kedge::runtime {

/// One connection below the HTTP library: how it is opened, what another thread ends it with, and the answer's head as
/// it came. The second descriptor of the socket makes shutdown(2) from another thread safe: the library may have closed
/// its own, and the number may be somebody else's by then.
class Line {
public:
    Line(std::string host, int port) : host_(std::move(host)), port_(port) {}

    /// Before each request.
    void begin(std::stop_token stop);
    /// A connected socket, or -1; the reason is rethrown later.
    int open();
    /// From any thread: what reads or writes fails from now on.
    void hang_up();

    int opened() const { return opened_; }  ///< how many times
    void rethrow() const;
    void fail(std::exception_ptr failure) { failure_ = std::move(failure); }

    /// The head of the answer, byte for byte: the library decodes percent signs in header values, which breaks signed
    /// addresses.
    std::string head;

private:
    const std::string host_;
    const int port_;
    std::mutex mutex_;
    Fd socket_;
    std::stop_token stop_;
    std::exception_ptr failure_;
    int opened_ = 0;
};

/// Reads in large pieces, keeps the head, and limits what the library would gather without end.
class Wire : public httplib::Stream {
public:
    Wire(Line& line, int socket, SSL* ssl);

    bool is_readable() const override;
    bool is_writable() const override;
    ssize_t read(char* data, size_t size) override;
    ssize_t write(const char* data, size_t size) override;
    void get_remote_ip_and_port(std::string& ip, int& port) const override;
    void get_local_ip_and_port(std::string& ip, int& port) const override;
    socket_t socket() const override { return socket_; }

private:
    ssize_t fill();
    void keep_head(std::string_view bytes);

    Line& line_;
    const int socket_;
    SSL* const ssl_;
    std::string buffer_;
    size_t used_ = 0, filled_ = 0;
    bool head_done_ = false;
    size_t singles_ = 0;  // bytes taken one by one
};

/// The library's client over our own connections.
template <class Base>
class WireClient : public Base {
public:
    WireClient(Line& line, const std::string& host, int port) : Base(host, port), line_(line) {}

private:
    bool create_and_connect_socket(typename Base::Socket& socket, httplib::Error& error) override {
        socket.sock = line_.open();
        if (socket.sock < 0) error = httplib::Error::Connection;
        return socket.sock >= 0;
    }
    bool process_socket(const typename Base::Socket& socket, std::function<bool(httplib::Stream&)> callback) override {
        Wire wire(line_, socket.sock, socket.ssl);
        return callback(wire);
    }
    Line& line_;
};

inline constexpr std::chrono::seconds kConnectPatience{10};
inline constexpr std::chrono::seconds kIdlePatience{30};

}  // namespace kedge::runtime

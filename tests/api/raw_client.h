#pragma once

#include "api/http_server.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace kedge::test {

/// An HTTP answer as it came over the wire.
struct Answer {
    int status = 0;                              ///< 0: none came
    std::map<std::string, std::string> headers;  ///< names as sent
    std::string body;                            ///< chunks put together
    bool whole = false;                          ///< the body came to its end
};

/// A client that sends whatever bytes a test wants. Nothing waits longer than ten seconds.
class RawClient {
public:
    explicit RawClient(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
        if (::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            throw_errno("connect " + path);
    }
    explicit RawClient(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            throw_errno("connect");
    }

    /// False once the server reads no more.
    bool send(std::string_view data) {
        while (!data.empty()) {
            ssize_t n = ::send(socket_.get(), data.data(), data.size(), MSG_NOSIGNAL);
            if (n <= 0) return false;
            data.remove_prefix(static_cast<size_t>(n));
        }
        return true;
    }

    void end_sending() { (void)::shutdown(socket_.get(), SHUT_WR); }
    void hang_up() { socket_.reset(); }
    int fd() const { return socket_.get(); }

    /// More bytes into the buffer; false when there are none, or the time is up.
    bool receive() {
        pollfd entry{socket_.get(), POLLIN, 0};
        if (::poll(&entry, 1, 10'000) <= 0) {
            late_ = true;
            return false;
        }
        char bytes[65536];
        ssize_t n = ::recv(socket_.get(), bytes, sizeof bytes, 0);
        if (n <= 0) return false;
        buffer_.append(bytes, static_cast<size_t>(n));
        return true;
    }

    /// Everything until the server closes.
    std::string rest() {
        while (receive()) {
        }
        return std::exchange(buffer_, {});
    }
    bool closed_in_time() {
        (void)rest();
        return !late_;
    }

    /// Up to and with this text; what came if it never comes.
    std::string until(std::string_view text) {
        while (buffer_.find(text) == std::string::npos) {
            if (!receive()) return std::exchange(buffer_, {});
        }
        return take(buffer_.find(text) + text.size());
    }

    Answer answer(bool without_body = false) {
        Answer answer;
        std::string head = until("\r\n\r\n");
        if (head.size() < 12 || !head.starts_with("HTTP/1.1 ")) return answer;
        answer.status = std::atoi(head.c_str() + 9);
        for (size_t at = head.find("\r\n") + 2; at + 2 < head.size();) {
            size_t end = head.find("\r\n", at), colon = head.find(": ", at);
            if (colon < end) answer.headers[head.substr(at, colon - at)] = head.substr(colon + 2, end - colon - 2);
            at = end + 2;
        }
        if (without_body || answer.status == 204 || answer.status == 304)
            answer.whole = true;
        else if (answer.headers.contains("Transfer-Encoding"))
            read_chunks(answer);
        else if (answer.headers.contains("Content-Length"))
            read_length(answer);
        else
            answer.body = rest();
        return answer;
    }

    Answer ask(const std::string& request) { return send(request) ? answer() : Answer{}; }

private:
    std::string take(size_t size) {
        std::string part = buffer_.substr(0, size);
        buffer_.erase(0, size);
        return part;
    }
    bool need(size_t size) {
        while (buffer_.size() < size) {
            if (!receive()) return false;
        }
        return true;
    }
    void read_length(Answer& answer) {
        size_t size = std::stoul(answer.headers["Content-Length"]);
        answer.whole = need(size);
        answer.body = take(std::min(size, buffer_.size()));
    }
    void read_chunks(Answer& answer) {
        while (true) {
            std::string line = until("\r\n");
            if (!line.ends_with("\r\n")) return;
            size_t size = std::stoul(line, nullptr, 16);
            if (!need(size + 2)) return;
            answer.body += take(size);
            answer.whole = take(2) == "\r\n" && size == 0;
            if (size == 0) return;
        }
    }

    Fd socket_;
    std::string buffer_;
    bool late_ = false;
};

/// A server on a Unix socket in a folder of its own.
class TestServer {
public:
    explicit TestServer(api::Handler handler, api::ServerOptions options = {}) {
        static int count = 0;
        folder_ = "/tmp/kedge-api-" + std::to_string(::getpid()) + "-" + std::to_string(count++);
        make_folders(AT_FDCWD, folder_, 0700);
        server_ = std::make_unique<api::HttpServer>(options, std::move(handler));
        server_->serve(api::Listener::on_unix(path(), 0600, ""));
    }
    ~TestServer() {
        server_.reset();
        try {
            remove_tree(AT_FDCWD, folder_);
        } catch (const Error&) {  // a folder in /tmp is left
        }
    }
    TestServer(const TestServer&) = delete;
    TestServer& operator=(const TestServer&) = delete;

    std::string path() const { return folder_ + "/api.sock"; }
    const std::string& folder() const { return folder_; }
    RawClient client() const { return RawClient(path()); }
    Answer ask(const std::string& request) const { return client().ask(request); }
    void end() { server_.reset(); }

private:
    std::string folder_;
    std::unique_ptr<api::HttpServer> server_;
};

/// A request of HTTP/1.1 with this body.
inline std::string request(const std::string& method, const std::string& target, const std::string& body = {},
                           const std::string& headers = {}) {
    std::string length = body.empty() ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n";
    return method + " " + target + " HTTP/1.1\r\nHost: kedge\r\n" + headers + length + "\r\n" + body;
}

}  // namespace kedge::test

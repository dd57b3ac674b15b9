#include "cli/hijack.h"

#include "base/error.h"
#include "cli/client.h"
#include "cli/http_reply.h"

#include <nlohmann/json.hpp>

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace kedge::cli {

using nlohmann::json;

namespace {

Fd connect_to(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) throw unreachable(path);
    std::memcpy(address.sun_path, path.data(), path.size());
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) throw_errno("socket");
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) throw unreachable(path);
    return fd;
}

}  // namespace

Hijacked::Hijacked(const std::string& socket, const std::string& path, const json& body) : socket_(connect_to(socket)) {
    std::string text = body.is_null() ? "" : body.dump(-1, ' ', false, json::error_handler_t::replace);
    std::string head = "POST " + path +
                       " HTTP/1.1\r\nHost: kedge\r\nUser-Agent: kedge/" KEDGE_VERSION
                       "\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: " +
                       std::to_string(text.size()) + "\r\n\r\n";
    (void)write(head + text);  // who did not read it all may have answered
    std::string answer = read_reply_head(socket_.get());
    int status = status_of_reply(answer);
    if (status != 101 && status != 200) throw error_of_reply(status, read_reply_body(socket_.get(), answer));
}

std::string_view Hijacked::read() {
    buffer_.resize(65536);
    return std::string_view(buffer_).substr(0, receive(socket_.get(), buffer_.data(), buffer_.size()));
}

bool Hijacked::write(std::string_view data) {
    while (!data.empty()) {
        ssize_t n = ::send(socket_.get(), data.data(), data.size(), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        data.remove_prefix(static_cast<size_t>(n));
    }
    return true;
}

std::optional<size_t> Hijacked::write_some(std::string_view data) {
    ssize_t n = ::send(socket_.get(), data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) return static_cast<size_t>(n);
    if (errno == EAGAIN || errno == EINTR) return 0;
    return std::nullopt;
}

void Hijacked::end_writing() {
    (void)::shutdown(socket_.get(), SHUT_WR);  // fails only when the other side is gone
}

}  // namespace kedge::cli

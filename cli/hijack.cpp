#include "cli/hijack.h"

#include "base/error.h"
#include "cli/client.h"

#include <nlohmann/json.hpp>

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace kedge::cli {

using nlohmann::json;

namespace {

constexpr size_t kLongestHead = 65536;

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

Error broke_off() {
    return Error(Code::unavailable, "the connection to the agent broke off");
}

ssize_t receive(int fd, char* data, size_t size, int flags) {
    ssize_t n = -1;
    do {
        n = ::recv(fd, data, size, flags);
    } while (n < 0 && errno == EINTR);
    return n;
}

int number_after(const std::string& text, std::string_view key) {
    std::string lower = text;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
    size_t at = lower.find(key);
    if (at == std::string::npos) return 0;
    int value = 0;
    (void)std::from_chars(text.data() + at + key.size(), text.data() + text.size(), value);  // what is no number is 0
    return value;
}

}  // namespace

Hijacked::Hijacked(const std::string& socket, const std::string& path, const json& body) : socket_(connect_to(socket)) {
    std::string text = body.is_null() ? "" : body.dump(-1, ' ', false, json::error_handler_t::replace);
    std::string head = "POST " + path +
                       " HTTP/1.1\r\nHost: kedge\r\nUser-Agent: kedge/" KEDGE_VERSION
                       "\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: " +
                       std::to_string(text.size()) + "\r\n\r\n";
    if (!write(head + text)) throw broke_off();
    std::string answer = read_head();
    int status = number_after(answer, " ");
    if (status == 101 || status == 200) return;
    std::string reply(static_cast<size_t>(std::clamp(number_after(answer, "\r\ncontent-length: "), 0, 1 << 20)), '\0');
    ssize_t n = receive(socket_.get(), reply.data(), reply.size(), MSG_WAITALL);
    reply.resize(n > 0 ? static_cast<size_t>(n) : 0);
    throw error_of_reply(status, reply);
}

/// To its empty line and not a byte further: what follows is the pipe's.
std::string Hijacked::read_head() {
    std::string head;
    char piece[4096];
    while (head.size() < kLongestHead) {
        ssize_t n = receive(socket_.get(), piece, sizeof piece, MSG_PEEK);
        if (n <= 0) throw broke_off();
        size_t known = head.size();
        head.append(piece, static_cast<size_t>(n));
        size_t end = head.find("\r\n\r\n", known < 3 ? 0 : known - 3);
        if (end != std::string::npos) head.resize(end + 4);
        (void)receive(socket_.get(), piece, head.size() - known, 0);  // these bytes are there
        if (end != std::string::npos) return head;
    }
    throw Error(Code::internal, "the agent's answer is not HTTP");
}

std::string_view Hijacked::read() {
    buffer_.resize(65536);
    ssize_t n = receive(socket_.get(), buffer_.data(), buffer_.size(), 0);
    if (n < 0 && errno == ECONNRESET) n = 0;  // the end of one who did not read all that was written
    if (n < 0) throw broke_off();
    return std::string_view(buffer_).substr(0, static_cast<size_t>(n));
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

void Hijacked::end_writing() {
    (void)::shutdown(socket_.get(), SHUT_WR);  // fails only when the other side is gone
}

}  // namespace kedge::cli

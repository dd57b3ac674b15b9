#include "cli/http_reply.h"

#include "base/error.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <string_view>

namespace kedge::cli {

namespace {

constexpr size_t kLongestHead = 65536;
constexpr int kLongestBody = 1 << 20;

/// The number behind `key`, which is in lower case; 0 if there is none.
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

size_t receive(int fd, char* data, size_t size, int flags) {
    while (true) {
        ssize_t n = ::recv(fd, data, size, flags);
        if (n >= 0) return static_cast<size_t>(n);
        if (errno == ECONNRESET) return 0;
        if (errno != EINTR) throw Error(Code::unavailable, "the connection to the agent broke off");
    }
}

std::string read_reply_head(int fd) {
    std::string head;
    char piece[4096];
    while (head.size() < kLongestHead) {
        size_t n = receive(fd, piece, sizeof piece, MSG_PEEK);
        if (n == 0) throw Error(Code::unavailable, "the connection to the agent broke off");
        size_t known = head.size();
        head.append(piece, n);
        size_t end = head.find("\r\n\r\n", known < 3 ? 0 : known - 3);
        if (end != std::string::npos) head.resize(end + 4);
        (void)receive(fd, piece, head.size() - known);  // these bytes are there
        if (end != std::string::npos) return head;
    }
    throw Error(Code::internal, "the agent's answer is not HTTP");
}

int status_of_reply(const std::string& head) {
    return number_after(head, " ");
}

std::string read_reply_body(int fd, const std::string& head) {
    std::string body(static_cast<size_t>(std::clamp(number_after(head, "\r\ncontent-length: "), 0, kLongestBody)),
                     '\0');
    body.resize(receive(fd, body.data(), body.size(), MSG_WAITALL));
    return body;
}

}  // namespace kedge::cli

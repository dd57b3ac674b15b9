#include "cli/http_reply.h"

#include "base/error.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

namespace kedge::cli {

namespace {

constexpr size_t kLongestHead = 65536;

Error broken() {
    return Error(Code::unavailable, "the connection to the agent broke off");
}

Error not_http() {
    return Error(Code::internal, "the agent's answer is not HTTP");
}

std::string lower(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(), [](unsigned char c) { return std::tolower(c); });
    return result;
}

uint64_t number(std::string_view text, int base) {
    uint64_t value = 0;
    auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (failure != std::errc() || end != text.data() + text.size()) throw not_http();
    return value;
}

/// A body's bytes, read ahead.
class Input {
public:
    explicit Input(int fd) : fd_(fd) {}

    /// At most `most` of what is there by now; empty at the end.
    std::string_view some(uint64_t most) {
        if (from_ == to_) {
            to_ = receive(fd_, buffer_.data(), buffer_.size());
            from_ = 0;
        }
        size_t size = static_cast<size_t>(std::min<uint64_t>(most, to_ - from_));
        from_ += size;
        return {buffer_.data() + from_ - size, size};
    }

    std::string line() {
        std::string text;
        while (!text.ends_with("\r\n")) {
            std::string_view next = some(1);
            if (next.empty()) throw broken();
            if (text.size() > kLongestHead) throw not_http();
            text += next;
        }
        text.resize(text.size() - 2);
        return text;
    }

    void exactly(uint64_t size, const std::function<void(std::string_view)>& sink) {
        while (size > 0) {
            std::string_view piece = some(size);
            if (piece.empty()) throw broken();
            size -= piece.size();
            sink(piece);
        }
    }

private:
    int fd_;
    size_t from_ = 0, to_ = 0;
    std::array<char, 65536> buffer_;
};

}  // namespace

size_t receive(int fd, char* data, size_t size, int flags) {
    while (true) {
        ssize_t n = ::recv(fd, data, size, flags);
        if (n >= 0) return static_cast<size_t>(n);
        if (errno == ECONNRESET) return 0;
        if (errno != EINTR) throw broken();
    }
}

ReplyHead read_reply_head(int fd) {
    std::string text;
    char piece[4096];
    while (!text.ends_with("\r\n\r\n")) {
        if (text.size() >= kLongestHead) throw not_http();
        size_t n = receive(fd, piece, sizeof piece, MSG_PEEK);
        if (n == 0) throw broken();
        size_t known = text.size();
        text.append(piece, n);
        size_t end = text.find("\r\n\r\n", known < 3 ? 0 : known - 3);
        if (end != std::string::npos) text.resize(end + 4);
        (void)receive(fd, piece, text.size() - known);  // these bytes are there
    }
    if (!text.starts_with("HTTP/1.") || text.size() < 12 || text[8] != ' ') throw not_http();
    ReplyHead head;
    head.status = static_cast<int>(number(std::string_view(text).substr(9, 3), 10));
    for (size_t at = text.find("\r\n") + 2; at + 2 < text.size();) {
        size_t end = text.find("\r\n", at), colon = text.find(':', at);
        if (colon > end) throw not_http();
        std::string name = lower(std::string_view(text).substr(at, colon - at));
        size_t value = text.find_first_not_of(' ', colon + 1);
        std::string_view said = std::string_view(text).substr(value, end - value);
        if (name == "content-length") head.length = number(said, 10);
        if (name == "transfer-encoding") head.chunked = lower(said) == "chunked";
        head.fields[name] = said;
        at = end + 2;
    }
    return head;
}

void read_reply_body(int fd, const ReplyHead& head, const std::function<void(std::string_view)>& sink) {
    if (head.status == 204 || head.status == 304) return;
    Input input(fd);
    if (!head.chunked) {
        if (head.length) return input.exactly(*head.length, sink);
        for (std::string_view piece = input.some(UINT64_MAX); !piece.empty(); piece = input.some(UINT64_MAX))
            sink(piece);
        return;
    }
    while (true) {
        std::string line = input.line();
        uint64_t size = number(std::string_view(line).substr(0, line.find(';')), 16);
        if (size == 0) break;
        input.exactly(size, sink);
        if (!input.line().empty()) throw not_http();
    }
    while (!input.line().empty()) {  // trailers
    }
}

}  // namespace kedge::cli

#include "api/body_reader.h"

#include "base/error.h"

#include <algorithm>
#include <array>

namespace kedge::api {

namespace {

constexpr size_t kMaxLine = 4096;  ///< of a chunk's extensions, and of all trailers
constexpr int kMaxDigits = 15;     ///< of a chunk's size: no overflow
constexpr size_t kDrained = 256u << 10;
constexpr std::chrono::seconds kDrainTime{2};

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

Error malformed() {
    return Error(Code::invalid_argument, "malformed request: its body's chunks");
}

}  // namespace

BodyReader::BodyReader(Connection& connection, const RequestHead& head)
    : connection_(connection),
      chunked_(head.chunked),
      left_(head.length),
      must_tell_(head.expects_continue),
      done_(!chunked_ && left_ == 0) {}

char BodyReader::byte() {
    char c = 0;
    if (connection_.read(&c, 1) == 0) throw Error(Code::unavailable, "the request's body broke off");
    return c;
}

void BodyReader::end_line() {
    if (byte() != '\r' || byte() != '\n') throw malformed();
}

void BodyReader::skip_trailers() {
    size_t skipped = 0, line = 0;
    for (char c = byte();; c = byte()) {
        if (++skipped > kMaxLine) throw malformed();
        if (c != '\r') {
            if (c == '\n') throw malformed();
            ++line;
            continue;
        }
        if (byte() != '\n') throw malformed();
        if (line == 0) return;
        line = 0;
    }
}

/// `1a[;extension]` and the end of the line; after the last chunk, of size 0, also what trails.
void BodyReader::begin_chunk() {
    int digits = 0;
    char c = byte();
    for (int value = hex_digit(c); value >= 0; value = hex_digit(c)) {
        if (++digits > kMaxDigits) throw malformed();
        left_ = left_ << 4 | static_cast<uint64_t>(value);
        c = byte();
    }
    if (digits == 0) throw malformed();
    if (c == ';') {
        for (size_t skipped = 0; c != '\r'; c = byte()) {
            if (c == '\n' || ++skipped > kMaxLine) throw malformed();
        }
    }
    if (c != '\r' || byte() != '\n') throw malformed();
    if (left_ > 0) return;
    skip_trailers();
    done_ = true;
}

size_t BodyReader::next(char* data, size_t size) {
    if (left_ == 0) begin_chunk();
    if (done_) return 0;
    size_t n = connection_.read(data, static_cast<size_t>(std::min<uint64_t>(size, left_)));
    if (n == 0) throw Error(Code::unavailable, "the request's body broke off");
    left_ -= n;
    if (left_ > 0) return n;
    if (chunked_)
        end_line();
    else
        done_ = true;
    return n;
}

void BodyReader::read(const std::function<bool(std::string_view)>& sink) {
    if (done_) return;
    if (broken_) throw Error(Code::unavailable, "the request's body broke off");
    if (std::exchange(must_tell_, false))
        (void)connection_.send("HTTP/1.1 100 Continue\r\n\r\n");  // a client that is gone is found by reading
    std::array<char, 16384> buffer;
    while (!done_) {
        broken_ = true;  // until proven otherwise
        size_t n = next(buffer.data(), buffer.size());
        broken_ = false;
        if (n > 0 && !sink({buffer.data(), n})) return;
    }
}

bool BodyReader::drain() {
    if (done_) return true;
    if (broken_ || must_tell_ || (!chunked_ && left_ > kDrained)) return false;
    connection_.hurry(kDrainTime);
    size_t drained = 0;
    try {
        read([&](std::string_view piece) { return (drained += piece.size()) <= kDrained; });
    } catch (const Error&) {
        return false;  // nobody waits for this body
    }
    return done_;
}

}  // namespace kedge::api

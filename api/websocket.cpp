#include "api/websocket.h"

#include "api/reply.h"
#include "base/error.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

namespace kedge::api {

namespace {

// RFC 6455, 5.2 and 7.4.1
enum Kind : unsigned { kContinuation = 0, kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10 };
constexpr uint16_t kProtocolError = 1002, kTooBig = 1009;
constexpr uint64_t kLongestMessage = 16u << 20;
constexpr size_t kLongestControl = 125;

std::string lower(std::string text) {
    for (char& c : text) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return text;
}

std::string accept_key(const std::string& key) {
    const std::string text = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    std::array<unsigned char, 20> digest{};
    if (EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha1(), nullptr) != 1)
        throw Error(Code::internal, "SHA-1 failed");
    std::array<unsigned char, 29> encoded{};
    EVP_EncodeBlock(encoded.data(), digest.data(), static_cast<int>(digest.size()));
    return reinterpret_cast<const char*>(encoded.data());
}

/// Base64 of sixteen bytes.
bool is_key(const std::string& key) {
    auto digit = [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
    };
    return key.size() == 24 && key.ends_with("==") && std::all_of(key.begin(), key.end() - 2, digit);
}

/// Any page may open a websocket in its visitor's name; browsers say which page it is.
bool is_own_page(const Request& request) {
    const std::string origin = lower(request.header("origin"));
    if (origin.empty()) return true;
    const size_t scheme = origin.find("://");
    return scheme != std::string::npos && origin.substr(scheme + 3) == lower(request.header("host"));
}

}  // namespace

Response accept_websocket(const Request& request) {
    if (lower(request.header("upgrade")) != "websocket" ||
        lower(request.header("connection")).find("upgrade") == std::string::npos)
        throw Error(Code::invalid_argument, "a websocket has to be asked for: Upgrade: websocket");
    if (request.header("sec-websocket-version") != "13") {
        Response response = error_reply(426, "this version of websockets is not understood: use 13");
        response.headers.emplace_back("Sec-WebSocket-Version", "13");
        return response;
    }
    const std::string key = request.header("sec-websocket-key");
    if (!is_key(key)) throw Error(Code::invalid_argument, "Sec-WebSocket-Key: must be sixteen bytes in base64");
    if (!is_own_page(request))
        throw Error(Code::permission_denied, "Origin: " + request.header("origin") + " is another page's");
    Response response;
    response.status = 101;
    response.headers = {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Accept", accept_key(key)}};
    return response;
}

bool WebSocket::send(unsigned kind, std::string_view data) {
    std::string head(1, static_cast<char>(0x80 | kind));
    const size_t bytes = data.size() < 126 ? 0 : data.size() < 65536 ? 2 : 8;
    head += static_cast<char>(bytes == 0 ? data.size() : bytes == 2 ? 126 : 127);
    for (size_t i = bytes; i-- > 0;) head += static_cast<char>(static_cast<uint64_t>(data.size()) >> (8 * i) & 0xff);
    std::lock_guard lock(writing_);
    if (closed_) return false;
    closed_ = kind == kClose;
    return connection_.write(head.append(data));
}

bool WebSocket::write(std::string_view data) {
    return data.empty() || send(kBinary, data);
}

void WebSocket::close(uint16_t code) {
    const char bytes[] = {static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
    (void)send(kClose, {bytes, sizeof bytes});  // the client may be gone
}

void WebSocket::hang_up() {
    close();
    connection_.hang_up();
}

bool WebSocket::read_exactly(char* data, size_t size) {
    while (size > 0) {
        const size_t n = connection_.read(data, size);
        if (n == 0) return false;
        data += n;
        size -= n;
    }
    return true;
}

/// The next frame's head; what breaks the rules is told and ends it all.
std::optional<WebSocket::Frame> WebSocket::next_frame() {
    char head[14];
    if (!read_exactly(head, 2)) return {};
    auto byte = [&](size_t i) { return static_cast<unsigned char>(head[i]); };
    Frame frame;
    frame.last = (byte(0) & 0x80) != 0;
    frame.kind = byte(0) & 0x0f;
    const bool masked = (byte(1) & 0x80) != 0, reserved = (byte(0) & 0x70) != 0;
    const unsigned size = byte(1) & 0x7f;
    const size_t more = size == 127 ? 8 : size == 126 ? 2 : 0;
    const bool control = frame.kind >= kClose;
    const bool known = frame.kind <= kBinary || (frame.kind >= kClose && frame.kind <= kPong);
    // A message's first frame has a kind, the others have none; others may come in between only to control.
    const bool in_turn = control || (frame.kind == kContinuation) == in_message_;
    if (!masked || reserved || !known || !in_turn || (control && (more > 0 || !frame.last))) {
        close(kProtocolError);
        return {};
    }
    if (!read_exactly(head + 2, more + 4)) return {};
    frame.left = more == 0 ? size : 0;
    for (size_t i = 0; i < more; ++i) frame.left = frame.left << 8 | byte(2 + i);
    if (frame.left > kLongestMessage) {
        close(kTooBig);
        return {};
    }
    std::copy(head + 2 + more, head + 6 + more, reinterpret_cast<char*>(frame.mask));
    return frame;
}

/// False at the end.
bool WebSocket::answer_control(Frame& frame) {
    char data[kLongestControl];
    const size_t size = static_cast<size_t>(frame.left);
    if (!read_exactly(data, size)) return false;
    for (size_t i = 0; i < size; ++i) data[i] = static_cast<char>(data[i] ^ frame.mask[i % 4]);
    if (frame.kind == kClose) {
        (void)send(kClose, {data, std::min<size_t>(size, 2)});
        return false;
    }
    return frame.kind != kPing || send(kPong, {data, size});
}

size_t WebSocket::read(char* data, size_t size) {
    while (!over_ && frame_.left == 0) {
        std::optional<Frame> next = next_frame();
        over_ = !next || (next->kind >= kClose && !answer_control(*next));
        if (over_ || next->kind >= kClose) continue;
        in_message_ = !next->last;
        frame_ = *next;
    }
    if (over_) return 0;
    const size_t n = connection_.read(data, static_cast<size_t>(std::min<uint64_t>(size, frame_.left)));
    over_ = n == 0;
    for (size_t i = 0; i < n; ++i) data[i] = static_cast<char>(data[i] ^ frame_.mask[(frame_.at + i) % 4]);
    frame_.at += n;
    frame_.left -= n;
    return n;
}

}  // namespace kedge::api

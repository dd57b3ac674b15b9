#include "health/http_answer.h"

#include "base/error.h"
#include "health/text.h"

#include <strings.h>

#include <algorithm>
#include <charconv>

namespace kedge::health {

namespace {

constexpr std::string_view kProtocol = "HTTP/";

[[noreturn]] void refuse(std::string_view text) {
    throw Error(Code::invalid_argument, "not an HTTP answer: \"" + one_line(text.substr(0, 256), 80) + "\"");
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// `HTTP/1.1 503 Service Unavailable`: where the status begins; the answer is refused if it isn't one.
size_t status_position(std::string_view line) {
    bool version =
        line.size() >= 12 && line.starts_with(kProtocol) && is_digit(line[5]) && line[6] == '.' && is_digit(line[7]);
    bool status =
        version && line[8] == ' ' && line[9] >= '1' && line[9] <= '9' && is_digit(line[10]) && is_digit(line[11]);
    if (!status || (line.size() > 12 && line[12] != ' ')) refuse(line);
    return 9;
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
    return text;
}

bool is_word(std::string_view a, std::string_view b) {
    return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

template <typename Number>
std::optional<Number> read_number(std::string_view text, int base) {
    Number number{};
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    if (error != std::errc() || end == text.data()) return {};
    return number;
}

/// Behind the empty line; npos while that isn't there.
size_t end_of_head(std::string_view text, size_t from) {
    for (size_t line = text.find('\n', from); line != text.npos; line = text.find('\n', line + 1)) {
        std::string_view rest = text.substr(line + 1, 2);
        if (rest.starts_with('\n')) return line + 2;
        if (rest == "\r\n") return line + 3;
    }
    return text.npos;
}

/// As far as they are whole, what is in the chunks; nothing can go wrong, it is only shown.
std::string without_chunks(std::string_view text) {
    std::string body;
    while (true) {
        size_t line = text.find('\n');
        auto size = read_number<size_t>(text.substr(0, line), 16);
        if (line == text.npos || !size || *size == 0) return body;
        text.remove_prefix(line + 1);
        body += text.substr(0, *size);
        if (*size >= text.size()) return body;
        text.remove_prefix(*size);
        if (text.starts_with('\r')) text.remove_prefix(1);
        if (text.starts_with('\n')) text.remove_prefix(1);
    }
}

}  // namespace

void HttpAnswer::take(std::string_view piece) {
    if (is_complete()) return;
    text_ += piece;
    while (!in_body_ && !cut_off_) {
        if (!status_ && !read_status_line()) return;
        if (!read_head()) return;
    }
    if (text_.size() > kBodyLimit) text_.resize(kBodyLimit);
}

/// False while it is not whole.
bool HttpAnswer::read_status_line() {
    size_t end = text_.find('\n');
    std::string_view start = std::string_view(text_).substr(0, kProtocol.size());
    if (start != kProtocol.substr(0, start.size()) || std::min(end, text_.size()) > kLineLimit) refuse(text_);
    if (end == text_.npos) return false;
    std::string_view line = trimmed(std::string_view(text_).substr(0, end));
    size_t position = status_position(line);
    status_ = read_number<int>(line.substr(position, 3), 10);
    status_text_ = line.substr(position);
    scanned_ = 0;
    return true;
}

/// False while it is not whole. An interim answer's is dropped, and the next answer follows.
bool HttpAnswer::read_head() {
    bool interim = *status_ < 200;
    size_t end = end_of_head(text_, scanned_);
    bool too_long = skipped_ + std::min(end, text_.size()) > kHeadLimit;
    if (interim && too_long) refuse(text_);
    if (end == text_.npos) {
        scanned_ = text_.size() - std::min<size_t>(text_.size(), 2);
        return cut_off_ = too_long;
    }
    if (interim) {
        skipped_ += end;
        text_.erase(0, end);
        status_.reset();
        return true;
    }
    for (std::string_view rest = std::string_view(text_).substr(0, end); !rest.empty();) {
        std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        size_t colon = line.find(':');
        if (colon == line.npos) continue;
        std::string_view name = line.substr(0, colon), value = trimmed(line.substr(colon + 1));
        if (is_word(name, "content-length")) length_ = read_number<size_t>(value, 10);
        if (is_word(name, "transfer-encoding")) chunked_ = is_word(value, "chunked");
    }
    text_.erase(0, end);
    return in_body_ = true;
}

bool HttpAnswer::is_complete() const {
    if (cut_off_) return true;
    if (!in_body_) return false;
    if (text_.size() >= kBodyLimit || *status_ == 204 || *status_ == 304) return true;
    // The last chunk is empty. That a body may have these very bytes costs a probe the rest of what it shows.
    if (chunked_) return text_.starts_with("0\r\n") || text_.find("\n0\r\n") != text_.npos;
    return length_ && text_.size() >= *length_;
}

std::string HttpAnswer::body() const {
    if (!in_body_) return {};
    return chunked_ ? without_chunks(text_) : text_;
}

}  // namespace kedge::health

#include "api/request_head.h"

#include "base/error.h"

#include <algorithm>
#include <charconv>

namespace kedge::api {

namespace {

constexpr size_t kMaxHeaders = 200;

Error malformed(const std::string& what) {
    return Error(Code::invalid_argument, "malformed request: " + what);
}

/// RFC 9110, 5.6.2: what methods and header names are made of.
bool is_token(std::string_view text) {
    constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               kMarks.find(c) != kMarks.npos;
    });
}

std::string lower(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return result;
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

/// The text up to `separator`, which is taken off with it; all of it when there is none.
std::string_view cut(std::string_view& text, std::string_view separator) {
    size_t at = text.find(separator);
    std::string_view part = text.substr(0, at);
    text.remove_prefix(at == text.npos ? text.size() : at + separator.size());
    return part;
}

bool has_controls(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; });
}

std::string decoded(std::string_view text, bool plus_is_space) {
    std::string result;
    for (size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '+' && plus_is_space) {
            c = ' ';
        } else if (c == '%') {
            unsigned char value = 0;
            const char* digits = text.data() + i + 1;
            if (text.size() - i < 3 || std::from_chars(digits, digits + 2, value, 16).ptr != digits + 2) {
                throw malformed("a % without two hexadecimal digits");
            }
            c = static_cast<char>(value);
            i += 2;
        }
        if (c == '\0') throw malformed("a zero byte");
        result += c;
    }
    return result;
}

void read_query(std::string_view text, RequestHead& head) {
    while (!text.empty()) {
        std::string_view pair = cut(text, "&");
        std::string name = decoded(cut(pair, "="), true);
        if (!name.empty()) head.query.emplace(std::move(name), decoded(pair, true));
    }
}

void read_target(std::string_view target, RequestHead& head) {
    if (target.empty() ||
        std::any_of(target.begin(), target.end(), [](unsigned char c) { return c <= 0x20 || c == 0x7f; })) {
        throw malformed("the request line");
    }
    if (target.starts_with("http://")) {  // the absolute form; whose host it names doesn't matter here
        size_t slash = target.find('/', 7);
        target = slash == target.npos ? std::string_view("/") : target.substr(slash);
    }
    if (target.front() != '/') throw malformed("the target is not a path");
    target = target.substr(0, target.find('#'));
    head.path = decoded(cut(target, "?"), false);
    if (has_controls(head.path)) throw malformed("control characters in the path");
    read_query(target, head);
}

void read_request_line(std::string_view line, RequestHead& head) {
    std::string_view method = cut(line, " "), target = cut(line, " ");
    if (!is_token(method)) throw malformed("the request line");
    head.method = method;
    read_target(target, head);
    if (line != "HTTP/1.1" && line != "HTTP/1.0") throw malformed("the protocol is neither HTTP/1.1 nor HTTP/1.0");
    head.can_chunk = head.keep_alive = line == "HTTP/1.1";
}

void read_header(std::string_view line, RequestHead& head) {
    std::string_view value = line;
    std::string_view given = cut(value, ":");
    if (given.size() == line.size() || !is_token(given)) throw malformed("a header line");
    std::string name = lower(given);
    value = trimmed(value);
    if (has_controls(value)) throw malformed("control characters in the header " + name);
    auto [entry, added] = head.headers.try_emplace(name, value);
    if (added) return;
    if (name == "host" || name == "content-length" || name == "transfer-encoding")
        throw malformed("the header " + name + " is repeated");
    entry->second.append(", ").append(value);
}

const std::string& header(const RequestHead& head, const char* name) {
    static const std::string none;
    auto found = head.headers.find(name);
    return found == head.headers.end() ? none : found->second;
}

bool lists(const std::string& value, std::string_view word) {
    std::string words = lower(value);
    std::string_view rest = words;
    while (!rest.empty()) {
        if (trimmed(cut(rest, ",")) == word) return true;
    }
    return false;
}

/// RFC 9112, 6.3: where the body ends.
void read_framing(RequestHead& head) {
    if (head.can_chunk && !head.headers.contains("host")) throw malformed("the header host is missing");
    if (lists(header(head, "connection"), "close"))
        head.keep_alive = false;
    else if (lists(header(head, "connection"), "keep-alive"))
        head.keep_alive = true;
    bool has_length = head.headers.contains("content-length");
    if (head.headers.contains("transfer-encoding")) {
        if (has_length || !head.can_chunk) throw malformed("transfer-encoding beside content-length, or of HTTP/1.0");
        if (lower(header(head, "transfer-encoding")) != "chunked")
            throw malformed("the transfer-encoding is not chunked");
        head.chunked = true;
    } else if (has_length) {
        const std::string& text = header(head, "content-length");
        auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), head.length);
        bool digits = !text.empty() && text.find_first_not_of("0123456789") == text.npos;
        if (!digits || failure != std::errc() || head.length > INT64_MAX)
            throw malformed("content-length is not a number");
    }
    head.expects_continue = lower(header(head, "expect")) == "100-continue" && head.can_chunk;
    if (!head.expects_continue && head.headers.contains("expect") && head.can_chunk)
        throw malformed("an unknown expectation");
}

}  // namespace

RequestHead parse_head(std::string_view text) {
    RequestHead head;
    read_request_line(cut(text, "\r\n"), head);
    size_t count = 0;
    while (true) {
        std::string_view line = cut(text, "\r\n");
        if (line.empty()) break;
        if (++count > kMaxHeaders) throw malformed("more than " + std::to_string(kMaxHeaders) + " headers");
        read_header(line, head);
    }
    read_framing(head);
    return head;
}

}  // namespace kedge::api

#include "cli/client.h"

#include "base/error.h"
#include "base/fd.h"
#include "cli/http_reply.h"
#include "cli/socket.h"

#include <nlohmann/json.hpp>

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace kedge::cli {

using nlohmann::json;

std::string socket_path(const std::string& host) {
    std::string address = host;
    if (address.empty()) {
        const char* environment = std::getenv("KEDGE_HOST");
        address = environment && *environment ? environment : "unix:///run/kedge/kedge.sock";
    }
    constexpr std::string_view kScheme = "unix://";
    if (!address.starts_with(kScheme) || address.size() == kScheme.size()) {
        throw Error(Code::invalid_argument, "\"" + address + "\" is not an address of an agent",
                    "write it as unix:///run/kedge/kedge.sock");
    }
    return address.substr(kScheme.size());
}

std::string escape(const std::string& text) {
    constexpr char kDigits[] = "0123456789ABCDEF";
    std::string result;
    for (char c : text) {
        auto byte = static_cast<unsigned char>(c);
        if (std::isalnum(byte) || std::strchr("-_.~/:@", c)) {
            result += c;
        } else {
            result += '%';
            result += kDigits[byte >> 4];
            result += kDigits[byte & 15];
        }
    }
    return result;
}

std::string query(const std::multimap<std::string, std::string>& parameters) {
    std::string result;
    for (const auto& [name, value] : parameters) {
        if (!value.empty()) result += (result.empty() ? "?" : "&") + escape(name) + "=" + escape(value);
    }
    return result;
}

namespace {

Code code_of(int status) {
    switch (status) {
        case 304: return Code::not_modified;
        case 400: return Code::invalid_argument;
        case 401: return Code::unauthenticated;
        case 403: return Code::permission_denied;
        case 404: return Code::not_found;
        case 409: return Code::conflict;
        case 503: return Code::unavailable;
        case 507: return Code::resource_exhausted;
        default: return Code::internal;
    }
}

/// False once the agent reads no more.
bool send_chunks(int fd, const Client::Source& source) {
    char size[24];
    for (std::string_view piece = source(); !piece.empty(); piece = source()) {
        std::snprintf(size, sizeof size, "%zx\r\n", piece.size());
        if (!send_all(fd, size) || !send_all(fd, piece) || !send_all(fd, "\r\n")) return false;
    }
    return send_all(fd, "0\r\n\r\n");
}

}  // namespace

Error error_of_reply(int status, const std::string& body) {
    json reply = json::parse(body, nullptr, false);
    if (!reply.is_object() || !reply.contains("message")) {
        return Error(code_of(status), body.empty() ? "the agent answered with status " + std::to_string(status) : body);
    }
    return Error(code_of(status), reply.value("message", ""), reply.value("hint", ""));
}

Error unreachable(const std::string& socket) {
    return Error(Code::unavailable, "cannot connect to the agent at unix://" + socket,
                 "is kedged running, and may you use its socket? (systemctl status kedged)");
}

std::string Client::request(const std::string& method, const std::string& path, const std::string& body,
                            const Source* source, const Receiver* receiver) const {
    Fd connection = connect_to_agent(socket_);
    std::string head = request_head(method, path) + "Connection: close\r\n";
    if (!body.empty()) head += "Content-Type: application/json\r\n";
    head += source ? "Transfer-Encoding: chunked" : "Content-Length: " + std::to_string(body.size());
    // Who did not read it all may have answered.
    bool sent = send_all(connection.get(), head + "\r\n\r\n" + body);
    if (source && sent) (void)send_chunks(connection.get(), *source);
    ReplyHead reply = read_reply_head(connection.get());
    bool failed = reply.status >= 400 || reply.status == 304;
    std::string kept;
    read_reply_body(connection.get(), reply, [&](std::string_view piece) {
        if (receiver && !failed)
            (*receiver)(piece);
        else
            kept += piece;
    });
    if (failed) throw error_of_reply(reply.status, kept);
    return kept;
}

namespace {

json parse_reply(const std::string& text) {
    if (text.empty()) return nullptr;
    json value = json::parse(text, nullptr, false);
    if (value.is_discarded()) throw Error(Code::internal, "the agent's answer is not JSON");
    return value;
}

}  // namespace

json Client::get(const std::string& path) const {
    return parse_reply(request("GET", path, {}, nullptr, nullptr));
}

std::string Client::get_text(const std::string& path) const {
    return request("GET", path, {}, nullptr, nullptr);
}

json Client::post(const std::string& path, const json& body) const {
    return parse_reply(
        request("POST", path, body.dump(-1, ' ', false, json::error_handler_t::replace), nullptr, nullptr));
}

json Client::post(const std::string& path) const {
    return parse_reply(request("POST", path, {}, nullptr, nullptr));
}

json Client::remove(const std::string& path) const {
    return parse_reply(request("DELETE", path, {}, nullptr, nullptr));
}

void Client::stream(const std::string& method, const std::string& path, const std::string& body,
                    const Receiver& receiver) const {
    request(method, path, body, nullptr, &receiver);
}

void Client::upload(const std::string& path, const Source& source, const Receiver& receiver,
                    const std::string& method) const {
    request(method, path, {}, &source, &receiver);
}

std::string Client::header(const std::string& path, const std::string& name) const {
    Fd connection = connect_to_agent(socket_);
    (void)send_all(connection.get(), request_head("HEAD", path) + "Connection: close\r\n\r\n");
    ReplyHead reply = read_reply_head(connection.get());
    if (reply.status >= 400) throw error_of_reply(reply.status, {});
    return reply.fields[name];
}

void Lines::take(std::string_view data) {
    rest_.append(data);
    size_t from = 0;
    for (size_t end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', from)) {
        std::string line = rest_.substr(from, end - from);
        if (line.ends_with('\r')) line.pop_back();
        from = end + 1;
        if (!line.empty()) sink_(line);
    }
    rest_.erase(0, from);
}

}  // namespace kedge::cli

#include "cli/client.h"

#include "base/error.h"
#include "base/fd.h"
#include "cli/http_reply.h"

#include <httplib.h>
#include <nlohmann/json.hpp>

#include <fcntl.h>

#include <cstdlib>

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

void send_from(const Client::Source& source, httplib::Request& request) {
    request.set_header("Transfer-Encoding", "chunked");
    request.is_chunked_content_provider_ = true;
    request.content_provider_ = [&source](size_t, size_t, httplib::DataSink& sink) {
        std::string_view piece = source();
        if (piece.empty())
            sink.done();
        else
            sink.write(piece.data(), piece.size());
        return true;
    };
}

/// Throws what the agent has answered to an upload that it did not read to its end; returns if that is nothing.
void throw_early_answer(int fd) {
    std::string head;
    try {
        head = read_reply_head(fd);
    } catch (const Error&) {
        return;  // the caller says what happened
    }
    int status = status_of_reply(head);
    if (status >= 400) throw error_of_reply(status, read_reply_body(fd, head));
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
                            const Source* source, const Receiver* receiver, const std::function<void()>& began) const {
    httplib::ClientImpl client(socket_, 80, "", "");
    client.set_address_family(AF_UNIX);
    client.set_read_timeout(std::chrono::hours(24 * 365));  // an answer may take as long as a rollout does
    client.set_write_timeout(std::chrono::minutes(5));
    httplib::Request request;
    request.method = method;
    request.path = path;
    request.set_header("Host", "kedge");
    request.set_header("User-Agent", "kedge/" KEDGE_VERSION);
    if (!body.empty()) request.set_header("Content-Type", "application/json");
    request.body = body;
    Fd spare;  // httplib reads no answer once it could not write all
    if (source) {
        send_from(*source, request);
        client.set_socket_options([&](socket_t fd) { spare.reset(::fcntl(fd, F_DUPFD_CLOEXEC, 3)); });
    }
    int status = 0;
    std::string kept;
    request.response_handler = [&](const httplib::Response& response) {
        status = response.status;
        if (began) began();
        return true;
    };
    request.content_receiver = [&](const char* data, size_t size, uint64_t, uint64_t) {
        if (receiver && status < 400)
            (*receiver)({data, size});
        else
            kept.append(data, size);
        return true;
    };
    httplib::Response response;
    httplib::Error failure = httplib::Error::Success;
    bool answered = client.send(request, response, failure);
    if (status == 0) status = response.status;
    if (status >= 400 || status == 304) throw error_of_reply(status, kept);
    if (!answered && failure == httplib::Error::Connection) throw unreachable(socket_);
    if (!answered && status <= 0 && spare) throw_early_answer(spare.get());
    if (!answered)
        throw Error(Code::unavailable, "the connection to the agent broke off (" + httplib::to_string(failure) + ")");
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
                    const Receiver& receiver, const std::function<void()>& began) const {
    request(method, path, body, nullptr, &receiver, began);
}

void Client::upload(const std::string& path, const Source& source, const Receiver& receiver) const {
    request("POST", path, {}, &source, &receiver);
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

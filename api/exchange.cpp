#include "api/exchange.h"

#include "api/audit.h"
#include "api/body_reader.h"
#include "api/peer_watch.h"
#include "api/reply.h"
#include "api/request_head.h"
#include "base/error.h"
#include "base/log.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace kedge::api {

namespace {

std::string_view reason(int status) {
    switch (status) {
        case 200: return "OK";
        case 201: return "Created";
        case 202: return "Accepted";
        case 204: return "No Content";
        case 304: return "Not Modified";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 408: return "Request Timeout";
        case 409: return "Conflict";
        case 413: return "Content Too Large";
        case 426: return "Upgrade Required";
        case 415: return "Unsupported Media Type";
        case 431: return "Request Header Fields Too Large";
        case 501: return "Not Implemented";
        case 503: return "Service Unavailable";
        case 507: return "Insufficient Storage";
        default: return status < 500 ? "Error" : "Internal Server Error";
    }
}

/// No value can end its line: what a header must not have is a question mark.
std::string header_line(std::string_view name, std::string value) {
    std::replace_if(
        value.begin(), value.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
    return fmt::format("{}: {}\r\n", name, value);
}

std::string answer_head(const Response& response, bool keep) {
    std::string head = fmt::format("HTTP/1.1 {} {}\r\n", response.status, reason(response.status));
    for (const auto& [name, value] : response.headers) head += header_line(name, value);
    if (!keep) head += "Connection: close\r\n";
    return head;
}

bool send_body(Connection& connection, const Response& response, bool without_body, bool keep) {
    std::string text = answer_head(response, keep);
    bool never = response.status == 204 || response.status == 304;
    if (!response.body.empty()) text += header_line("Content-Type", response.content_type);
    if (!never) text += fmt::format("Content-Length: {}\r\n", response.body.size());
    text += "\r\n";
    if (!never && !without_body) text += response.body;
    return connection.send(text);
}

/// Each piece is a chunk (RFC 9112, 7.1) that goes out at once; to clients of HTTP/1.0 it goes as it is.
class StreamWriter : public Writer {
public:
    StreamWriter(Connection& connection, bool chunks) : connection_(connection), chunks_(chunks) {}
    bool write(std::string_view data) override {
        if (data.empty()) return !broken_;
        broken_ = broken_ || !(chunks_ ? connection_.send(fmt::format("{:x}\r\n{}\r\n", data.size(), data))
                                       : connection_.send(data));
        return !broken_;
    }
    void break_off() override { broken_ = true; }
    bool finish() { return !broken_ && chunks_ && connection_.send("0\r\n\r\n"); }

private:
    Connection& connection_;
    bool chunks_;
    bool broken_ = false;
};

std::string stream_head(const Response& response, const RequestHead& asked, bool keep) {
    std::string text = answer_head(response, keep) + header_line("Content-Type", response.content_type);
    return text + (asked.can_chunk ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n");
}

bool send_stream(Connection& connection, const Response& response, const RequestHead& asked, bool keep) {
    if (!connection.send(stream_head(response, asked, keep))) return false;
    if (asked.method == "HEAD") return true;
    StreamWriter writer(connection, asked.can_chunk);
    try {
        response.stream(writer);
    } catch (const std::exception& error) {
        log(LogLevel::warning, asked.method + " " + asked.path + ": the answer was broken off: " + error.what());
        return false;
    }
    return writer.finish();
}

void send_taken_over(Connection& connection, const Response& response, const Request& request) {
    std::string type = header_line("Content-Type", response.content_type);
    bool upgraded = !request.header("upgrade").empty();
    std::string head = upgraded ? "HTTP/1.1 101 UPGRADED\r\n" + type + "Connection: Upgrade\r\nUpgrade: tcp\r\n"
                                : "HTTP/1.1 200 OK\r\n" + type;
    // To another protocol than Docker's, which its headers name.
    if (response.status == 101) head = "HTTP/1.1 101 Switching Protocols\r\n";
    for (const auto& [name, value] : response.headers) head += header_line(name, value);
    connection.take_over();
    (void)connection.send(head + "\r\n");  // what takes over finds out itself that nobody is there
    TakenOver duplex(connection);
    response.take_over(duplex);
}

/// A request that can't be understood: where it ends isn't known, so it is the connection's last.
Served refuse(Connection& connection, int status, const std::string& message) {
    (void)send_body(connection, error_reply(status, message), false, false);  // the client may be gone
    if (status != 408) connection.linger();
    return {};
}

Response answer(const Handler& handler, Request& request) {
    try {
        return handler(request);
    } catch (const Error& error) {
        return error_reply(error);
    } catch (const std::exception& error) {
        log(LogLevel::error, request.method + " " + request.path + ": " + error.what());
        return error_reply(Error(Code::internal, error.what()));
    }
}

/// What is watched of the connection is forgotten with the request.
class Watched {
public:
    Watched(PeerWatch& watch, int socket) : watch_(watch), socket_(socket) {}
    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;
    ~Watched() { watch_.forget(socket_); }

private:
    PeerWatch& watch_;
    int socket_;
};

Request make_request(const RequestHead& head, BodyReader& body, PeerWatch& watch, int socket) {
    Request request;
    request.method = head.method;
    request.path = head.path;
    request.query = head.query;
    request.headers = head.headers;
    request.read_body = [&body](const std::function<bool(std::string_view)>& sink) { body.read(sink); };
    request.watch_client = [&watch, socket] { return watch.watch(socket, false); };
    request.watch_connection = [&watch, socket] { return watch.watch(socket, true); };
    return request;
}

bool is_encoded(const RequestHead& head) {
    auto encoding = head.headers.find("content-encoding");
    return encoding != head.headers.end() && encoding->second != "identity";
}

Served serve(Connection& connection, const Serving& with, const RequestHead& head) {
    BodyReader body(connection, head);
    if (!body.empty() && is_encoded(head))
        return refuse(connection, 415, "encoded bodies are not understood: leave out Content-Encoding");
    Watched watched(with.watch, connection.socket());
    Request request = make_request(head, body, with.watch, connection.socket());
    request.peer = with.peer;
    Response response = answer(with.handler, request);
    bool drained = body.drain();
    if (response.take_over && drained) {
        with.taken_over();
        send_taken_over(connection, response, request);
        return {};
    }
    if ((response.take_over || response.feed) && !drained)
        return refuse(connection, 400, "malformed request: its body");
    if (response.feed && head.method != "HEAD") {
        if (!connection.send(stream_head(response, head, false))) return {};
        return {.feed = response.feed, .chunked = head.can_chunk};
    }
    bool keep = drained && head.keep_alive && !with.last;
    bool sent = response.stream || response.feed ? send_stream(connection, response, head, keep)
                                                 : send_body(connection, response, head.method == "HEAD", keep);
    if (sent && !drained) connection.linger();
    return {.next = sent && keep};
}

}  // namespace

Served serve_request(Connection& connection, const Serving& with) {
    std::string text;
    switch (connection.read_head(text)) {
        case Connection::Head::none: return {};
        case Connection::Head::late: return refuse(connection, 408, "the request did not arrive in time");
        case Connection::Head::too_large: return refuse(connection, 431, "the request's head is too large");
        case Connection::Head::malformed: return refuse(connection, 400, "malformed request: its lines");
        case Connection::Head::whole: break;
    }
    RequestHead head;
    try {
        head = parse_head(text);
    } catch (const Error& error) {
        return refuse(connection, 400, error.what());
    }
    connection.begin_body();
    return serve(connection, with, head);
}

}  // namespace kedge::api

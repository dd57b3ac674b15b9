#include "cli/hijack.h"

#include "base/error.h"
#include "cli/client.h"
#include "cli/socket.h"

#include <nlohmann/json.hpp>

#include <sys/socket.h>

#include <cerrno>

namespace kedge::cli {

using nlohmann::json;

Hijacked::Hijacked(const std::string& socket, const std::string& path, const json& body)
    : socket_(connect_to_agent(socket)) {
    std::string text = body.is_null() ? "" : body.dump(-1, ' ', false, json::error_handler_t::replace);
    std::string head = request_head("POST", path) +
                       "Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: " +
                       std::to_string(text.size()) + "\r\n\r\n";
    (void)send_all(socket_.get(), head + text);  // who did not read it all may have answered
    answer_ = read_reply_head(socket_.get());
    if (answer_.status == 101 || answer_.status == 200) return;
    std::string said;
    read_reply_body(socket_.get(), answer_, [&](std::string_view piece) { said += piece; });
    throw error_of_reply(answer_.status, said);
}

std::string Hijacked::header(const std::string& name) const {
    auto field = answer_.fields.find(name);
    return field == answer_.fields.end() ? "" : field->second;
}

std::string_view Hijacked::read() {
    return {buffer_, receive(socket_.get(), buffer_, sizeof buffer_)};
}

std::optional<size_t> Hijacked::write_some(std::string_view data) {
    ssize_t n = ::send(socket_.get(), data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) return static_cast<size_t>(n);
    if (errno == EAGAIN || errno == EINTR) return 0;
    return std::nullopt;
}

void Hijacked::end_writing() {
    (void)::shutdown(socket_.get(), SHUT_WR);  // fails only when the other side is gone
}

}  // namespace kedge::cli

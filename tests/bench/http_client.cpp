#include "tests/bench/http_client.h"

#include "tests/bench/command.h"

#include <httplib.h>

#include <nlohmann/json.hpp>

namespace kedge::bench {

namespace {

using nlohmann::json;

struct Answer {
    int status = 0;
    std::string body;
};

Answer send(httplib::Client& client, const std::string& method, const std::string& path, const std::string& body = {}) {
    httplib::Request request;
    request.method = method;
    request.path = path;
    request.set_header("Host", "localhost");
    if (!body.empty()) {
        request.body = body;
        request.set_header("Content-Type", "application/json");
    }
    auto result = client.send(request);
    if (!result) fail(method + " " + path + ": " + httplib::to_string(result.error()));
    return {result->status, result->body};
}

std::string must(httplib::Client& client, const std::string& method, const std::string& path,
                 const std::string& body = {}) {
    Answer answer = send(client, method, path, body);
    if (answer.status >= 300) fail(method + " " + path + ": " + std::to_string(answer.status) + " " + answer.body);
    return answer.body;
}

}  // namespace

HttpClient::HttpClient(const std::string& socket) : client_(std::make_unique<httplib::Client>(socket)) {
    client_->set_address_family(AF_UNIX);
    client_->set_keep_alive(true);
    client_->set_read_timeout(600);
}
HttpClient::~HttpClient() = default;
HttpClient::HttpClient(HttpClient&&) noexcept = default;

json HttpClient::get(const std::string& path) {
    return json::parse(must(*client_, "GET", path), nullptr, false);
}
json HttpClient::post(const std::string& path) {
    return json::parse(must(*client_, "POST", path), nullptr, false);
}
json HttpClient::post(const std::string& path, const json& body) {
    return json::parse(must(*client_, "POST", path, body.dump()), nullptr, false);
}
void HttpClient::remove(const std::string& path) {
    (void)must(*client_, "DELETE", path);
}
int HttpClient::try_remove(const std::string& path) {
    return send(*client_, "DELETE", path).status;
}

std::string HttpClient::post_stream(const std::string& path) {
    std::string text = must(*client_, "POST", path);
    if (text.find("\"error\":\"") != std::string::npos) fail("POST " + path + ": " + text);
    return text;
}

}  // namespace kedge::bench

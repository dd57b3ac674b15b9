#pragma once

#include <nlohmann/json_fwd.hpp>

#include <memory>
#include <string>

namespace httplib {
class Client;
}

namespace kedge::bench {

/// Speaks HTTP to an engine's socket, on one connection that stays open. Whatever is not a success ends the program
/// with the engine's words.
class HttpClient {
public:
    explicit HttpClient(const std::string& socket);
    ~HttpClient();
    HttpClient(HttpClient&&) noexcept;

    nlohmann::json get(const std::string& path);
    nlohmann::json post(const std::string& path);
    nlohmann::json post(const std::string& path, const nlohmann::json& body);
    void remove(const std::string& path);
    /// The text of a streamed answer, whole. A line that reports an error ends the program as well.
    std::string post_stream(const std::string& path);
    /// The status alone, whatever it is.
    int try_remove(const std::string& path);

private:
    std::unique_ptr<httplib::Client> client_;
};

}  // namespace kedge::bench

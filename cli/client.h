#pragma once

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace kedge::cli {

/// Where the agent listens: the option, KEDGE_HOST, or the usual place. Only unix:// addresses. Throws Error.
std::string socket_path(const std::string& host);

/// `a=b&c=d`, escaped; empty values are left out.
std::string query(const std::multimap<std::string, std::string>& parameters);
std::string escape(const std::string& text);

/// Talks to the agent over its socket. Error replies are thrown as Error with the agent's message, code and hint; an
/// agent that isn't there is Error unavailable.
class Client {
public:
    using Receiver = std::function<void(std::string_view)>;
    /// Gives the next bytes of a body; empty at its end.
    using Source = std::function<std::string_view()>;

    explicit Client(std::string socket) : socket_(std::move(socket)) {}
    const std::string& socket() const { return socket_; }

    nlohmann::json get(const std::string& path) const;
    std::string get_text(const std::string& path) const;
    /// The reply's JSON; null if it has none.
    nlohmann::json post(const std::string& path, const nlohmann::json& body) const;
    nlohmann::json post(const std::string& path) const;
    nlohmann::json remove(const std::string& path) const;

    /// Hands over the reply as it arrives, however long it takes.
    void stream(const std::string& method, const std::string& path, const std::string& body,
                const Receiver& receiver) const;
    void upload(const std::string& path, const Source& source, const Receiver& receiver,
                const std::string& method = "POST") const;
    /// One header, its name in lower case, of what GET would answer. Why there is none, such an answer doesn't say.
    std::string header(const std::string& path, const std::string& name) const;

private:
    std::string request(const std::string& method, const std::string& path, const std::string& body,
                        const Source* source, const Receiver* receiver) const;
    std::string socket_;
};

/// What an error reply says.
Error error_of_reply(int status, const std::string& body);
/// Nobody answers at that socket.
Error unreachable(const std::string& socket);

/// Cuts a stream of bytes into lines.
class Lines {
public:
    explicit Lines(std::function<void(const std::string&)> sink) : sink_(std::move(sink)) {}
    void take(std::string_view data);

private:
    std::function<void(const std::string&)> sink_;
    std::string rest_;
};

}  // namespace kedge::cli

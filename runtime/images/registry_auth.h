#pragma once

#include "runtime/images.h"
#include "runtime/images/registry_url.h"

#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace kedge::runtime {

class HttpTransport;
struct HttpResponse;
struct RegistrySettings;

/// One challenge of a WWW-Authenticate header (RFC 9110, 11.6.1); names in lower case.
struct AuthChallenge {
    std::string scheme;
    std::map<std::string, std::string> parameters;
};

/// Every challenge in one header's value; what is malformed is left out.
std::vector<AuthChallenge> parse_challenges(std::string_view header);

/// How one registry wants to be asked: nothing at first, then what its 401 says. Shared by the connections of a pull;
/// thread-safe.
class RegistryAuth {
public:
    /// `base`: the registry; `scope`: what is asked for if the registry doesn't say
    /// (`repository:library/busybox:pull`).
    RegistryAuth(Url base, std::string scope, std::optional<Credentials> credentials);

    /// The value of the Authorization header; empty: none.
    std::string header() const;

    /// Answers a 401 that came for a request with the header `rejected`. False: there is nothing further to try.
    /// Bearer tokens: distribution-spec's token authentication (GET with service and scope). Errors as HttpTransport,
    /// and invalid_argument.
    bool renew(const std::string& rejected, const HttpResponse& refusal, const RegistrySettings& settings,
               HttpTransport& transport, std::stop_token stop);

    /// `text` from a server for a message: printable, at most 200 bytes, and nothing if it repeats a secret.
    std::string presentable(std::string_view text) const;

private:
    std::string fetch_token(const AuthChallenge& challenge, const RegistrySettings& settings, HttpTransport& transport,
                            std::stop_token stop) const;
    std::string basic() const;
    bool leaks(std::string_view text) const;

    const Url base_;
    const std::string scope_;
    const std::optional<Credentials> credentials_;
    mutable std::mutex mutex_;
    std::string header_;
};

}  // namespace kedge::runtime

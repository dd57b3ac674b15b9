#pragma once

#include <string>
#include <string_view>

namespace kedge::runtime {

struct RegistrySettings;

/// An http or https address as registries use them: base addresses, token endpoints, redirects.
struct Url {
    bool tls = true;
    std::string host;  ///< without the brackets of an IPv6 address
    int port = 443;
    std::string target = "/";  ///< path and query

    /// Throws Error (invalid_argument) that doesn't repeat the address: it may be signed. User names in it are refused.
    static Url parse(std::string_view text);

    /// What a `Location` of an answer to this request means: absolute, `//host/path`, `/path` or relative.
    Url resolve(std::string_view location) const;

    /// host[:port] without the scheme's own port; what settings name and messages show.
    std::string authority() const;
    bool same_origin(const Url& other) const;
};

/// Whether this host[:port] is configured as one that may be spoken to without TLS.
bool is_insecure(const RegistrySettings& settings, const std::string& authority);

/// The base address of a registry or mirror by its configured name: host[:port], or (mirrors) an http or https address.
/// Https unless the host is loopback or configured as insecure; a configured CA file means https in any case. Throws
/// Error (invalid_argument).
Url registry_base(const RegistrySettings& settings, const std::string& name);

/// `text` as the value of a query parameter.
std::string query_escape(std::string_view text);

}  // namespace kedge::runtime

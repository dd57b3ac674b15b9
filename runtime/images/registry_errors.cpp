#include "runtime/images/registry_errors.h"

#include "runtime/images/registry_auth.h"
#include "runtime/images/registry_http.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace kedge::runtime {

namespace {

/// `: manifest unknown`, from the distribution-spec's error document; empty if there is none.
std::string said(const HttpResponse& response, const RegistryAuth& auth) {
    nlohmann::json json = nlohmann::json::parse(response.body, nullptr, false);
    if (!json.is_object() || !json.contains("errors") || !json["errors"].is_array() || json["errors"].empty())
        return {};
    const nlohmann::json& first = json["errors"].front();
    if (!first.is_object() || !first.contains("message") || !first["message"].is_string()) return {};
    std::string message = auth.presentable(first["message"].get_ref<const std::string&>());
    return message.empty() ? message : ": " + message;
}

/// Retry-After is a number of seconds or a date (RFC 9110, 10.2.3).
std::string retry_hint(const HttpResponse& response, const RegistryAuth& auth) {
    std::string value = auth.presentable(response.header("retry-after"));
    if (value.empty()) return {};
    bool seconds = std::all_of(value.begin(), value.end(), [](unsigned char c) { return std::isdigit(c); });
    return seconds ? fmt::format("retry after {} s", value) : fmt::format("retry after {}", value);
}

}  // namespace

std::string repository_name(const Reference& reference) {
    Reference bare = reference;
    bare.tag.clear();
    bare.digest = {};
    return bare.familiar();
}

Error error_of(const HttpResponse& response, const Asked& asked, const Url& registry, const Url& answered,
               const RegistryAuth& auth) {
    const int status = response.status;
    std::string host = registry.authority();
    std::string detail = said(response, auth);
    if (status == 429) {
        return Error(Code::resource_exhausted,
                     fmt::format("{}: registry {} limits the rate of requests{}", asked.repository, host, detail),
                     retry_hint(response, auth));
    }
    if (status >= 500) {
        return Error(Code::unavailable, fmt::format("{}: registry {} answered {}{}", asked.what, host, status, detail),
                     retry_hint(response, auth));
    }
    if (!answered.same_origin(registry)) {
        // A signed address that has run out, or a clock that is wrong: asking the registry again gives a new one.
        return Error(Code::unavailable, fmt::format("{}: {}, where registry {} redirects to, answered {}", asked.what,
                                                    answered.authority(), host, status));
    }
    switch (status) {
        case 401:
            return Error(
                Code::unauthenticated,
                fmt::format("pull access denied for {}, repository does not exist or may require authorization{}",
                            asked.repository, detail));
        case 403:
            return Error(Code::permission_denied,
                         fmt::format("registry {} forbids access to {}{}", host, asked.repository, detail));
        case 404: return Error(Code::not_found, fmt::format("{} not found{}", asked.what, detail));
        default:
            return Error(Code::invalid_argument,
                         fmt::format("{}: registry {} answered {}{}", asked.what, host, status, detail));
    }
}

}  // namespace kedge::runtime

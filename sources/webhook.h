#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace kedge::sources {

/// A push event as the forge says it; used only to wake the poll of the sources whose repository it names.
struct PushEvent {
    std::string forge;     ///< github, gitlab, gitea
    std::string delivery;  ///< the forge's id of this delivery, for the log
    std::string ref;
    std::vector<std::string> urls;  ///< every clone url of the repository that the event names
    bool ping = false;              ///< the forge only tries the hook
};

inline constexpr size_t kWebhookBodyLimit = 1u << 20;

/// Checks the signature or token in constant time (GitHub and Gitea: HMAC-SHA256 of the body; GitLab: the token) and
/// reads the event. `headers` have lower-case names. Errors: unauthenticated (missing or wrong signature),
/// invalid_argument (malformed or another event).
PushEvent verify_webhook(const std::map<std::string, std::string>& headers, const std::string& body,
                         const std::string& secret);

/// Whether a clone url names the same repository as another, whatever the scheme, user, port's default and `.git`.
bool same_repository(const std::string& url, const std::string& other);

}  // namespace kedge::sources

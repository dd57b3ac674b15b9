#include "sources/webhook.h"

#include "base/error.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace kedge::sources {

namespace {

using Json = nlohmann::json;
using Headers = std::map<std::string, std::string>;

constexpr int kMaxDepth = 32;
constexpr size_t kMaxUrl = 2048;
constexpr size_t kMaxName = 256;

using Mac = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

Error unauthenticated(const std::string& why) {
    return Error(Code::unauthenticated, "webhook: " + why);
}

Error invalid(const std::string& why) {
    return Error(Code::invalid_argument, "webhook: " + why);
}

std::string header(const Headers& headers, const char* name) {
    auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
}

Mac hmac(const std::string& key, const std::string& data) {
    Mac mac{};
    unsigned size = 0;
    if (!::HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                reinterpret_cast<const unsigned char*>(data.data()), data.size(), mac.data(), &size)) {
        throw Error(Code::internal, "webhook: HMAC-SHA256 is not available");
    }
    return mac;
}

/// Compares in a time that depends on nothing but what the sender knows: both sides are hashed to the same length
/// first.
bool same_secret(const std::string& given, const std::string& secret) {
    Mac a = hmac("kedge", given), b = hmac("kedge", secret);
    return ::CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

void check_signature(const std::string& hex, const std::string& body, const std::string& secret) {
    Mac given{};
    bool well_formed = hex.size() == given.size() * 2;
    for (size_t i = 0; well_formed && i < given.size(); ++i) {
        int high = hex_value(hex[2 * i]), low = hex_value(hex[2 * i + 1]);
        well_formed = high >= 0 && low >= 0;
        given[i] = static_cast<unsigned char>((high << 4) | low);
    }
    Mac right = hmac(secret, body);
    if (!well_formed || ::CRYPTO_memcmp(given.data(), right.data(), right.size()) != 0)
        throw unauthenticated("wrong signature");
}

Json parse(const std::string& body) {
    if (body.starts_with("payload=")) {
        throw Error(Code::invalid_argument, "webhook: the body is a form",
                    "choose application/json as the hook's content type");
    }
    bool too_deep = false;
    Json json = Json::parse(
        body,
        [&](int depth, Json::parse_event_t, Json&) {
            too_deep = too_deep || depth > kMaxDepth;
            return !too_deep;  // what lies deeper isn't kept
        },
        false);
    if (too_deep) throw invalid("the body is nested too deeply");
    if (!json.is_object()) throw invalid("the body is not a JSON object");
    return json;
}

std::string text(const Json& object, const char* name, size_t limit) {
    if (!object.is_object()) return {};
    auto found = object.find(name);
    if (found == object.end() || !found->is_string()) return {};
    const auto& value = found->get_ref<const std::string&>();
    return value.size() > limit ? std::string() : value;
}

void add_urls(PushEvent& event, const Json& body, const char* object, std::initializer_list<const char*> names) {
    auto found = body.find(object);
    if (found == body.end()) return;
    for (const char* name : names) {
        std::string url = text(*found, name, kMaxUrl);
        if (!url.empty() && std::find(event.urls.begin(), event.urls.end(), url) == event.urls.end())
            event.urls.push_back(url);
    }
}

/// For the log: printable, short.
std::string delivery_id(const std::string& value) {
    std::string id = value.substr(0, 64);
    std::replace_if(
        id.begin(), id.end(), [](unsigned char c) { return c <= 0x20 || c > 0x7e; }, '?');
    return id;
}

void read_push(PushEvent& event, const Json& body) {
    event.ref = text(body, "ref", kMaxName);
    if (!event.ref.starts_with("refs/")) throw invalid("the event names no ref");
    add_urls(
        event, body, "repository",
        {"clone_url", "ssh_url", "git_url", "svn_url", "html_url", "git_http_url", "git_ssh_url", "homepage", "url"});
    add_urls(event, body, "project", {"git_http_url", "git_ssh_url", "http_url", "ssh_url", "web_url", "url"});
    if (event.urls.empty()) throw invalid("the event names no repository");
}

/// GitHub's and Gitea's words for events are the same.
void read_event(PushEvent& event, const std::string& name, const std::string& body) {
    if (name == "ping") {
        event.ping = true;
        return;
    }
    if (name != "push") throw invalid("\"" + delivery_id(name) + "\" is not a push event");
    read_push(event, parse(body));
}

PushEvent from_github(const Headers& headers, const std::string& body, const std::string& secret) {
    PushEvent event;
    event.forge = "github";
    event.delivery = delivery_id(header(headers, "x-github-delivery"));
    std::string signature = header(headers, "x-hub-signature-256");
    constexpr std::string_view kPrefix = "sha256=";
    if (!signature.starts_with(kPrefix)) throw unauthenticated("the signature (X-Hub-Signature-256) is missing");
    check_signature(signature.substr(kPrefix.size()), body, secret);
    read_event(event, header(headers, "x-github-event"), body);
    return event;
}

PushEvent from_gitea(const Headers& headers, const std::string& body, const std::string& secret) {
    PushEvent event;
    event.forge = "gitea";
    event.delivery = delivery_id(header(headers, "x-gitea-delivery"));
    std::string signature = header(headers, "x-gitea-signature");
    if (signature.empty()) throw unauthenticated("the signature (X-Gitea-Signature) is missing");
    check_signature(signature, body, secret);
    read_event(event, header(headers, "x-gitea-event"), body);
    return event;
}

PushEvent from_gitlab(const Headers& headers, const std::string& body, const std::string& secret) {
    PushEvent event;
    event.forge = "gitlab";
    event.delivery = delivery_id(header(headers, "x-gitlab-event-uuid"));
    if (!headers.contains("x-gitlab-token")) throw unauthenticated("the token (X-Gitlab-Token) is missing");
    if (!same_secret(header(headers, "x-gitlab-token"), secret)) throw unauthenticated("wrong token");
    std::string name = header(headers, "x-gitlab-event");
    if (name != "Push Hook" && name != "Tag Push Hook")
        throw invalid("\"" + delivery_id(name) + "\" is not a push event");
    read_push(event, parse(body));
    return event;
}

}  // namespace

PushEvent verify_webhook(const Headers& headers, const std::string& body, const std::string& secret) {
    // An empty key would let everybody sign.
    if (secret.empty()) throw unauthenticated("no secret is configured");
    if (body.size() > kWebhookBodyLimit)
        throw invalid("the body is larger than " + std::to_string(kWebhookBodyLimit) + " bytes");
    // Gitea sends GitHub's headers beside its own.
    if (headers.contains("x-gitea-event")) return from_gitea(headers, body, secret);
    if (headers.contains("x-gitlab-event")) return from_gitlab(headers, body, secret);
    if (headers.contains("x-github-event")) return from_github(headers, body, secret);
    throw invalid("neither GitHub's, GitLab's nor Gitea's event header is there");
}

namespace {

/// A repository's place, whatever way leads there.
struct Place {
    std::string host;  ///< lower case; with a port that isn't the scheme's own
    std::string path;
    bool operator==(const Place&) const = default;
};

std::string lower(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(),
                   [](unsigned char c) { return c < 0x80 ? std::tolower(c) : c; });
    return result;
}

std::string_view default_port(std::string_view scheme) {
    if (scheme == "https") return "443";
    if (scheme == "http") return "80";
    if (scheme == "ssh" || scheme == "git+ssh" || scheme == "ssh+git") return "22";
    if (scheme == "git") return "9418";
    return {};
}

std::string clean_path(std::string_view path) {
    path = path.substr(0, path.find_first_of("?#"));
    while (path.starts_with('/')) path.remove_prefix(1);
    while (path.ends_with('/')) path.remove_suffix(1);
    if (path.ends_with(".git")) path.remove_suffix(4);
    while (path.ends_with('/')) path.remove_suffix(1);
    return std::string(path);
}

std::string_view without_user(std::string_view authority) {
    return authority.substr(authority.rfind('@') == std::string_view::npos ? 0 : authority.rfind('@') + 1);
}

Place place_of(std::string_view url) {
    Place place;
    size_t scheme_end = url.find("://");
    if (scheme_end != std::string_view::npos) {
        std::string scheme = lower(url.substr(0, scheme_end));
        std::string_view rest = url.substr(scheme_end + 3);
        size_t slash = std::min(rest.find('/'), rest.size());
        std::string_view host = without_user(rest.substr(0, slash));
        size_t colon = host.rfind(':');
        bool has_port = colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos;
        if (has_port && (host.substr(colon + 1) == default_port(scheme) || colon + 1 == host.size()))
            host = host.substr(0, colon);
        if (host.ends_with('.')) host.remove_suffix(1);
        place.host = lower(host);
        place.path = clean_path(rest.substr(slash));
        return place;
    }
    // The form of scp(1): [user@]host:path, where the colon comes before any slash.
    size_t from = url.find('[') < url.find(':') ? url.find(']') : 0;
    size_t colon = url.find(':', from == std::string_view::npos ? 0 : from);
    if (colon == std::string_view::npos || url.find('/') < colon) {
        place.path = clean_path(url);  // a folder
        return place;
    }
    place.host = lower(without_user(url.substr(0, colon)));
    if (!place.host.empty()) place.path = clean_path(url.substr(colon + 1));
    return place;
}

}  // namespace

bool same_repository(const std::string& url, const std::string& other) {
    Place place = place_of(url);
    return !place.path.empty() && place == place_of(other);
}

}  // namespace kedge::sources

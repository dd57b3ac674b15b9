#include "runtime/images/registry_auth.h"

#include "base/error.h"
#include "base/loopback.h"
#include "runtime/engine.h"
#include "runtime/images/registry_http.h"

#include <openssl/evp.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace kedge::runtime {

namespace {

constexpr size_t kMaxMessage = 200;

std::string base64(std::string_view data) {
    std::string text(4 * ((data.size() + 2) / 3) + 1, '\0');
    int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                 reinterpret_cast<const unsigned char*>(data.data()), static_cast<int>(data.size()));
    text.resize(static_cast<size_t>(length));
    return text;
}

std::string lower(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(), [](unsigned char c) { return std::tolower(c); });
    return result;
}

bool is_token_character(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

std::string take_token(std::string_view& rest) {
    size_t end = 0;
    while (end < rest.size() && is_token_character(rest[end])) ++end;
    std::string token(rest.substr(0, end));
    rest.remove_prefix(end);
    return token;
}

void skip(std::string_view& rest, std::string_view characters) {
    rest.remove_prefix(std::min(rest.find_first_not_of(characters), rest.size()));
}

std::string take_value(std::string_view& rest) {
    if (!rest.starts_with('"')) return take_token(rest);
    rest.remove_prefix(1);
    std::string value;
    while (!rest.empty() && rest.front() != '"') {
        if (rest.front() == '\\' && rest.size() > 1) rest.remove_prefix(1);
        value += rest.front();
        rest.remove_prefix(1);
    }
    if (!rest.empty()) rest.remove_prefix(1);
    return value;
}

/// A token goes into a header as it is.
bool is_header_safe(const std::string& token) {
    return std::all_of(token.begin(), token.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

const AuthChallenge* find_scheme(const std::vector<AuthChallenge>& challenges, std::string_view scheme) {
    auto found = std::find_if(challenges.begin(), challenges.end(), [&](const auto& c) { return c.scheme == scheme; });
    return found == challenges.end() ? nullptr : &*found;
}

}  // namespace

std::vector<AuthChallenge> parse_challenges(std::string_view header) {
    std::vector<AuthChallenge> challenges;
    while (true) {
        skip(header, " \t,");
        if (header.empty()) return challenges;
        std::string word = take_token(header);
        if (word.empty()) return challenges;
        skip(header, " \t");
        if (!header.starts_with('=')) {
            challenges.push_back({lower(word), {}});
            continue;
        }
        header.remove_prefix(1);
        skip(header, " \t");
        std::string value = take_value(header);
        if (!challenges.empty()) challenges.back().parameters[lower(word)] = value;
    }
}

RegistryAuth::RegistryAuth(Url base, std::string scope, std::optional<Credentials> credentials)
    : base_(std::move(base)), scope_(std::move(scope)), credentials_(std::move(credentials)) {
    if (credentials_ && !is_header_safe(credentials_->token)) {
        throw Error(Code::invalid_argument,
                    "registry " + base_.authority() + ": its token holds a character that no token has");
    }
    if (credentials_ && !credentials_->token.empty()) header_ = "Bearer " + credentials_->token;
}

std::string RegistryAuth::header() const {
    std::lock_guard lock(mutex_);
    return header_;
}

std::string RegistryAuth::basic() const {
    if (!credentials_ || credentials_->username.empty()) return {};
    return "Basic " + base64(credentials_->username + ":" + credentials_->password);
}

bool RegistryAuth::renew(const std::string& rejected, const HttpResponse& refusal, const RegistrySettings& settings,
                         HttpTransport& transport, std::stop_token stop) {
    std::lock_guard lock(mutex_);
    if (header_ != rejected) return true;  // another connection has renewed it meanwhile
    if (credentials_ && !credentials_->token.empty()) return false;
    std::vector<AuthChallenge> challenges;
    auto [first, last] = refusal.headers.equal_range("www-authenticate");
    for (; first != last; ++first) {
        for (AuthChallenge& challenge : parse_challenges(first->second)) challenges.push_back(std::move(challenge));
    }
    if (const AuthChallenge* bearer = find_scheme(challenges, "bearer")) {
        header_ = "Bearer " + fetch_token(*bearer, settings, transport, std::move(stop));
        return true;
    }
    std::string header = basic();
    if (!find_scheme(challenges, "basic") || header.empty() || header == rejected) return false;
    header_ = header;
    return true;
}

std::string RegistryAuth::fetch_token(const AuthChallenge& challenge, const RegistrySettings& settings,
                                      HttpTransport& transport, std::stop_token stop) const {
    auto parameter = [&](const char* name) {
        auto found = challenge.parameters.find(name);
        return found == challenge.parameters.end() ? std::string() : found->second;
    };
    HttpRequest request;
    std::string context = "registry " + base_.authority() + ": its token server";
    try {
        request.url = Url::parse(parameter("realm"));
    } catch (const Error& e) {
        throw e.with_context(context);
    }
    const Url& realm = request.url;
    bool plain_allowed = is_insecure(settings, realm.authority()) || (!base_.tls && is_loopback(realm.host));
    if (!realm.tls && !plain_allowed) {
        throw Error(Code::permission_denied, context + " " + realm.authority() + " would take credentials without TLS",
                    "list it under the insecure registries if that is meant");
    }
    std::string scope = parameter("scope").empty() ? scope_ : parameter("scope");
    request.url.target += (realm.target.find('?') == std::string::npos ? "?scope=" : "&scope=") + query_escape(scope);
    if (std::string service = parameter("service"); !service.empty())
        request.url.target += "&service=" + query_escape(service);
    if (std::string header = basic(); !header.empty()) {
        request.url.target += "&account=" + query_escape(credentials_->username);
        request.headers.emplace_back("Authorization", header);
    }
    request.headers.emplace_back("Accept", "application/json");
    request.body_limit = 1u << 20;
    HttpResponse response = transport.send(request, nullptr, std::move(stop));
    if (response.status == 401 || response.status == 403) {
        throw Error(Code::unauthenticated, context + " " + realm.authority() + " doesn't accept the credentials");
    }
    if (response.status != 200) {
        Code code = response.status == 429 ? Code::resource_exhausted : Code::unavailable;
        throw Error(code, context + " " + realm.authority() + " answered " + std::to_string(response.status));
    }
    nlohmann::json json = nlohmann::json::parse(response.body, nullptr, false);
    for (const char* name : {"token", "access_token"}) {
        if (!json.is_object() || !json.contains(name) || !json[name].is_string()) continue;
        std::string token = json[name].get<std::string>();
        if (!token.empty() && is_header_safe(token)) return token;
    }
    throw Error(Code::unavailable, context + " " + realm.authority() + " sent no token");
}

bool RegistryAuth::leaks(std::string_view text) const {
    std::lock_guard lock(mutex_);
    auto holds = [&](std::string_view secret) {
        return secret.size() > 3 && text.find(secret) != std::string_view::npos;
    };
    if (size_t space = header_.find(' ');
        space != std::string::npos && holds(std::string_view(header_).substr(space + 1)))
        return true;
    return credentials_ && (holds(credentials_->password) || holds(credentials_->token) ||
                            holds(base64(credentials_->username + ":" + credentials_->password)));
}

std::string RegistryAuth::presentable(std::string_view text) const {
    if (leaks(text)) return {};
    std::string clean(text.substr(0, kMaxMessage));
    std::replace_if(
        clean.begin(), clean.end(), [](unsigned char c) { return c < 0x20 || c > 0x7e; }, '?');
    return clean;
}

}  // namespace kedge::runtime

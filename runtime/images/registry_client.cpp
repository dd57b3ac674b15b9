#include "runtime/images/registry_client.h"

#include "base/error.h"
#include "runtime/images/registry_auth.h"
#include "runtime/images/registry_errors.h"
#include "runtime/images/registry_http.h"
#include "runtime/images/registry_media.h"

#include <fmt/format.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <vector>

namespace kedge::runtime {

namespace {

using namespace std::chrono_literals;

constexpr size_t kManifestLimit = 4u << 20;
constexpr int kMaxRedirects = 10;
constexpr std::chrono::milliseconds kRetryPauses[] = {200ms, 1000ms};

/// The default registry's name isn't the host that serves its API.
std::string api_host(const std::string& registry) {
    return registry == kDefaultRegistry ? "registry-1." + registry : registry;
}

bool is_redirect(int status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

template <class Map>
auto find_in(const Map& map, const std::string& key) -> std::optional<typename Map::mapped_type> {
    auto found = map.find(key);
    if (found == map.end()) return std::nullopt;
    return found->second;
}

}  // namespace

bool wait_unless_stopped(std::chrono::milliseconds duration, const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    (void)never.wait_for(lock, stop, duration, [] { return false; });
    return !stop.stop_requested();
}

struct RegistryClient::Endpoint {
    Url base;
    bool mirror;
    RegistryAuth auth;
    std::atomic<bool> down = false;  // a mirror that isn't worth asking again

    Endpoint(Url url, bool is_mirror, const std::string& path, std::optional<Credentials> credentials)
        : base(std::move(url)), mirror(is_mirror), auth(base, "repository:" + path + ":pull", std::move(credentials)) {}
};

/// What the connections of one pull have in common.
struct RegistryClient::Shared {
    std::shared_ptr<const RegistrySettings> settings;
    Reference repository;
    std::vector<std::unique_ptr<Endpoint>> endpoints;  // the registry itself is the last
};

struct RegistryClient::State {
    std::shared_ptr<Shared> shared;
    HttpTransport transport;
    Endpoint* last_blob = nullptr;

    explicit State(std::shared_ptr<Shared> from) : shared(std::move(from)), transport(shared->settings) {}

    struct Answer {
        HttpResponse response;
        Url url;  // who gave it, after redirects
    };
    Answer follow(const Endpoint& endpoint, HttpRequest request, const HttpSink* sink, std::stop_token stop);
    Answer authorized(Endpoint& endpoint, const HttpRequest& request, const HttpSink* sink, std::stop_token stop);
    HttpResponse ask(Endpoint& endpoint, HttpRequest request, const std::string& path, const Asked& asked,
                     const HttpSink* sink, std::stop_token stop);

    /// Calls `attempt` for each endpoint until one succeeds. The registry's own error is the one reported.
    /// `*final` set: the error isn't the endpoint's.
    template <class Attempt>
    auto from_any(const std::stop_token& stop, Attempt attempt, const bool* final = nullptr) {
        for (auto& endpoint : shared->endpoints) {
            if (!endpoint->mirror) break;
            if (endpoint->down) continue;
            try {
                return attempt(*endpoint);
            } catch (const Error& e) {
                if (stop.stop_requested() || (final && *final)) throw;
                if (e.code() == Code::unavailable || e.code() == Code::invalid_argument) endpoint->down = true;
            }
        }
        return attempt(*shared->endpoints.back());
    }
    Manifest manifest_from(Endpoint& endpoint, const std::string& tag_or_digest, const std::stop_token& stop);
};

RegistryClient::State::Answer RegistryClient::State::follow(const Endpoint& endpoint, HttpRequest request,
                                                            const HttpSink* sink, std::stop_token stop) {
    for (int hops = 0; hops <= kMaxRedirects; ++hops) {
        HttpResponse response = transport.send(request, sink, stop);
        std::string location = is_redirect(response.status) ? response.header("location") : std::string();
        if (location.empty()) return {std::move(response), request.url};
        Url next;
        try {
            next = request.url.resolve(location);
        } catch (const Error& e) {
            throw e.with_context("registry " + endpoint.base.authority() + ": its redirect");
        }
        if (request.url.tls && !next.tls && !is_insecure(*shared->settings, next.authority())) {
            throw Error(Code::permission_denied, fmt::format("registry {} redirects to {} without TLS",
                                                             endpoint.base.authority(), next.authority()));
        }
        if (!next.same_origin(request.url))
            std::erase_if(request.headers, [](const auto& header) { return header.first == "Authorization"; });
        request.url = std::move(next);
    }
    throw Error(Code::unavailable,
                fmt::format("registry {} redirects more than {} times", endpoint.base.authority(), kMaxRedirects));
}

RegistryClient::State::Answer RegistryClient::State::authorized(Endpoint& endpoint, const HttpRequest& request,
                                                                const HttpSink* sink, std::stop_token stop) {
    for (bool again = false;; again = true) {
        HttpRequest attempt = request;
        std::string header = endpoint.auth.header();
        if (!header.empty()) attempt.headers.emplace_back("Authorization", header);
        Answer answer = follow(endpoint, std::move(attempt), sink, stop);
        if (answer.response.status != 401 || again || !answer.url.same_origin(endpoint.base)) return answer;
        if (!endpoint.auth.renew(header, answer.response, *shared->settings, transport, stop)) return answer;
    }
}

HttpResponse RegistryClient::State::ask(Endpoint& endpoint, HttpRequest request, const std::string& path,
                                        const Asked& asked, const HttpSink* sink, std::stop_token stop) {
    request.url = endpoint.base;
    std::string prefix = endpoint.base.target;
    while (prefix.ends_with('/')) prefix.pop_back();
    request.url.target = prefix + "/v2/" + shared->repository.path + path;
    const auto* pause = std::begin(kRetryPauses);
    while (true) {
        Answer answer = authorized(endpoint, request, sink, stop);
        const int status = answer.response.status;
        if (status >= 200 && status < 300) return std::move(answer.response);
        // A registry under load; blobs are tried again by those who know how far they came.
        bool again = status >= 500 && !sink && pause != std::end(kRetryPauses) && wait_unless_stopped(*pause++, stop);
        if (!again) throw error_of(answer.response, asked, endpoint.base, answer.url, endpoint.auth);
    }
}

namespace {

Asked asked_for_manifest(const Reference& repository, const std::string& tag_or_digest) {
    std::string name = repository_name(repository);
    bool digest = tag_or_digest.find(':') != std::string::npos;
    return {name, "manifest for " + name + (digest ? "@" : ":") + tag_or_digest};
}

HttpRequest manifest_request() {
    HttpRequest request;
    request.headers.emplace_back("Accept",
                                 fmt::format("{}, {}, {}, {}", kOciIndex, kOciManifest, kDockerIndex, kDockerManifest));
    request.body_limit = kManifestLimit;
    return request;
}

/// Docker-Content-Digest, or empty if the registry doesn't send it (or not in sha256).
Digest digest_header(const HttpResponse& response) {
    std::string value = response.header("docker-content-digest");
    if (!value.starts_with("sha256:")) return {};
    return Digest::parse(value);
}

}  // namespace

RegistryClient::Manifest RegistryClient::State::manifest_from(Endpoint& endpoint, const std::string& tag_or_digest,
                                                              const std::stop_token& stop) {
    Asked asked = asked_for_manifest(shared->repository, tag_or_digest);
    HttpResponse response = ask(endpoint, manifest_request(), "/manifests/" + tag_or_digest, asked, nullptr, stop);
    Manifest manifest;
    manifest.media_type = manifest_media_type(response.header("content-type"), response.body, asked.what);
    manifest.digest = Digest::of(response.body);
    Digest announced = digest_header(response);
    bool by_digest = tag_or_digest.find(':') != std::string::npos;
    if ((by_digest && manifest.digest.str() != tag_or_digest) || (!announced.empty() && announced != manifest.digest)) {
        throw Error(Code::invalid_argument,
                    fmt::format("{}: registry {} sent content with the digest {}, which is not the {} one", asked.what,
                                endpoint.base.authority(), manifest.digest.str(), by_digest ? "asked" : "announced"))
            .set_transient(true);
    }
    manifest.body = std::move(response.body);
    return manifest;
}

RegistryClient::RegistryClient(const RegistrySettings& settings, const Reference& repository,
                               std::optional<Credentials> credentials) {
    auto shared = std::make_shared<Shared>();
    shared->settings = std::make_shared<const RegistrySettings>(settings);
    shared->repository = repository;
    const std::string& registry = repository.registry;
    for (const std::string& mirror : find_in(settings.mirrors, registry).value_or(std::vector<std::string>{})) {
        Url base = registry_base(settings, mirror);
        std::optional<Credentials> own = find_in(settings.credentials, base.authority());
        shared->endpoints.push_back(std::make_unique<Endpoint>(std::move(base), true, repository.path, std::move(own)));
    }
    if (!credentials) credentials = find_in(settings.credentials, registry);
    shared->endpoints.push_back(std::make_unique<Endpoint>(registry_base(settings, api_host(registry)), false,
                                                           repository.path, std::move(credentials)));
    state_ = std::make_unique<State>(std::move(shared));
}

RegistryClient::RegistryClient(std::unique_ptr<State> state) : state_(std::move(state)) {}
RegistryClient::RegistryClient(RegistryClient&&) noexcept = default;
RegistryClient::~RegistryClient() = default;

RegistryClient RegistryClient::another() const {
    return RegistryClient(std::make_unique<State>(state_->shared));
}

RegistryClient::Manifest RegistryClient::manifest(const std::string& tag_or_digest, std::stop_token stop) {
    return state_->from_any(stop,
                            [&](Endpoint& endpoint) { return state_->manifest_from(endpoint, tag_or_digest, stop); });
}

Digest RegistryClient::resolve(const std::string& tag, std::stop_token stop) {
    return state_->from_any(stop, [&](Endpoint& endpoint) {
        HttpRequest request = manifest_request();
        request.method = "HEAD";
        Asked asked = asked_for_manifest(state_->shared->repository, tag);
        Digest digest =
            digest_header(state_->ask(endpoint, std::move(request), "/manifests/" + tag, asked, nullptr, stop));
        return digest.empty() ? state_->manifest_from(endpoint, tag, stop).digest : digest;
    });
}

void RegistryClient::blob(const Digest& digest, int64_t offset, const std::function<void()>& restarted,
                          const std::function<void(std::string_view)>& sink, std::stop_token stop) {
    std::string name = repository_name(state_->shared->repository);
    Asked asked{name, "blob " + digest.str() + " of " + name};
    bool refused = false;  // by the sink: no other endpoint can help
    HttpSink body;
    body.begin = [&](const HttpResponse& head) {
        if (offset == 0) return;
        if (head.status != 206) {
            offset = 0;
            restarted();
        } else if (!head.header("content-range").starts_with(fmt::format("bytes {}-", offset))) {
            throw Error(Code::invalid_argument, asked.what + ": the registry sent another range than asked for");
        }
    };
    body.data = [&](std::string_view bytes) {
        refused = true;
        sink(bytes);
        refused = false;
        offset += static_cast<int64_t>(bytes.size());
    };
    state_->from_any(
        stop,
        [&](Endpoint& endpoint) {
            HttpRequest request;
            if (offset > 0) request.headers.emplace_back("Range", fmt::format("bytes={}-", offset));
            state_->last_blob = &endpoint;
            (void)state_->ask(endpoint, std::move(request), "/blobs/" + digest.str(), asked, &body, stop);
        },
        &refused);
}

bool RegistryClient::distrust_mirror() {
    if (!state_->last_blob || !state_->last_blob->mirror) return false;
    state_->last_blob->down = true;
    return true;
}

}  // namespace kedge::runtime

#pragma once

#include "base/digest.h"
#include "runtime/engine.h"
#include "runtime/images.h"

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

namespace kedge::runtime {

/// One registry's repository by the OCI distribution-spec. Https, or http for loopback addresses and for registries
/// configured as insecure; bearer tokens and basic authentication as the registry asks for; redirects followed without
/// taking credentials to another host; `Retry-After` becomes a transient Error's hint. The registry's mirrors are asked
/// first, in order; one that can't be reached or sends wrong content isn't asked again. Not thread-safe: one per
/// thread.
///
/// Errors: unauthenticated, permission_denied, not_found, resource_exhausted (429), unavailable (network, 5xx; names
/// the host), invalid_argument (what the registry sent can't be used), cancelled. No message holds a credential.
class RegistryClient {
public:
    RegistryClient(const RegistrySettings& settings, const Reference& repository,
                   std::optional<Credentials> credentials);
    RegistryClient(RegistryClient&&) noexcept;
    ~RegistryClient();

    /// Another connection to the same repository, for another thread; tokens and what is known of the mirrors are
    /// shared.
    RegistryClient another() const;

    struct Manifest {
        Digest digest;  ///< of `body`, checked against the asked one and against Docker-Content-Digest
        std::string media_type;
        std::string body;  ///< at most 4 MiB
    };
    /// `tag_or_digest` as in the reference. An answer of 5xx is asked for again twice.
    Manifest manifest(const std::string& tag_or_digest, std::stop_token stop = {});
    /// HEAD: the digest a tag points to now, without fetching it.
    Digest resolve(const std::string& tag, std::stop_token stop = {});

    /// Streams a blob from byte `offset` on (Range); `restarted` is called if the registry sends it from the start
    /// instead. The content isn't checked. What `sink` throws ends the transfer.
    void blob(const Digest& digest, int64_t offset, const std::function<void()>& restarted,
              const std::function<void(std::string_view)>& sink, std::stop_token stop = {});

    /// The last blob had wrong content. True if it came from a mirror, which isn't asked again: trying once more makes
    /// sense.
    bool distrust_mirror();

private:
    struct Shared;
    struct Endpoint;
    struct State;
    explicit RegistryClient(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

/// Waits `duration`, but not longer than until `stop` is requested; false then.
bool wait_unless_stopped(std::chrono::milliseconds duration, const std::stop_token& stop);

}  // namespace kedge::runtime

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

/// One registry's repository by the OCI distribution-spec. Https, or http for loopback addresses and for registries configured as
/// insecure; bearer tokens and basic authentication as the registry asks for; redirects followed without taking credentials to another host;
/// `Retry-After` becomes a transient Error. Not thread-safe: one per thread.
class RegistryClient {
public:
    RegistryClient(const RegistrySettings& settings, const Reference& repository, std::optional<Credentials> credentials);
    ~RegistryClient();

    struct Manifest {
        Digest digest;  ///< of `body`, checked against the asked one and against Docker-Content-Digest
        std::string media_type;
        std::string body;  ///< at most 4 MiB
    };
    /// `tag_or_digest` as in the reference.
    Manifest manifest(const std::string& tag_or_digest, std::stop_token stop = {});
    /// HEAD: the digest a tag points to now, without fetching it.
    Digest resolve(const std::string& tag, std::stop_token stop = {});

    /// Streams a blob from byte `offset` on (Range); `restarted` is called if the registry sends it from the start instead.
    void blob(const Digest& digest, int64_t offset, const std::function<void()>& restarted,
              const std::function<void(std::string_view)>& sink, std::stop_token stop = {});

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace kedge::runtime

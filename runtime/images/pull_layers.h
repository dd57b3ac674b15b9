#pragma once

#include "runtime/images/pull_manifest.h"
#include "runtime/images/stored_image.h"

#include <chrono>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

namespace kedge::runtime {

class BlobStore;
class LayerStore;
class RegistryClient;

/// Hands progress to the caller's sink, one thread at a time. Thread-safe.
class PullProgress {
public:
    explicit PullProgress(const ProgressSink& sink) : sink_(sink) {}
    void say(const std::string& id, const std::string& status, int64_t current = 0, int64_t total = 0);

private:
    const ProgressSink& sink_;
    std::mutex mutex_;
};

/// Lets only one pull at a time fetch a blob; the others wait and find it done.
class BlobTurn {
public:
    /// Throws Error (cancelled) when stopped while waiting.
    BlobTurn(const BlobStore& store, const Digest& digest, const std::stop_token& stop);
    ~BlobTurn();
    BlobTurn(const BlobTurn&) = delete;
    BlobTurn& operator=(const BlobTurn&) = delete;

private:
    const BlobStore& store_;
    const Digest digest_;
};

/// Whether the blob is stored with the size that its descriptor says.
bool is_stored(const BlobStore& blobs, const Descriptor& descriptor);

/// Brings one blob into the store, from where an earlier try stopped. A broken connection is taken up again up to 5
/// times. `again`: also if there is a blob of that name.
void fetch_blob(BlobStore& blobs, RegistryClient& client, const Descriptor& blob, bool again, PullProgress& progress,
                std::stop_token stop);

/// A small blob, checked, into memory.
std::string fetch_document(RegistryClient& client, const Descriptor& document, const std::string& what,
                           std::stop_token stop);

/// Fetches `connections` layers side by side and unpacks each as soon as it is there, or checks that it is the layer
/// that is unpacked already. When one fails, all end, and the
/// first error is thrown.
void pull_layers(BlobStore& blobs, LayerStore& layers, const RegistryClient& client, int connections,
                 const std::vector<LayerDescriptor>& wanted, const KnownLayers& known, PullProgress& progress,
                 std::stop_token stop);

}  // namespace kedge::runtime

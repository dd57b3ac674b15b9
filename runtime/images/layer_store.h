#pragma once

#include "base/clock.h"
#include "base/digest.h"
#include "base/fd.h"
#include "runtime/images/leases.h"

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

namespace kedge::runtime {

/// Unpacked layers in <root>/layers, ready to be overlayfs lower folders. A layer's folder is there
/// under its name only once it was unpacked whole, its diff id was checked, and it was synced (syncfs). Thread-safe:
/// two callers of the same layer unpack it once.
///
/// On disk: layers/<26 hex digits of the diff id>/fs is the content, .../meta.json the whole diff id and the size. The
/// short name is for mount options, which have one page: with the layers folder as working directory, 127 times `<26
/// digits>/fs:` fits.
class LayerStore {
public:
    LayerStore(const std::string& folder, int64_t size_limit);

    bool has(const Digest& diff_id) const;

    struct Unpacked {
        Digest diff_id;
        int64_t size = 0;  ///< bytes of its files
    };
    /// Unpacks a layer blob (tar; gzip, zstd, xz, bzip2 or none; told by its first bytes). `expected` may be empty (an
    /// import). If the expected layer is there already, the blob is only checked to be that one. Hostile entries
    /// (`..`, links out of the layer, parents that are links) never touch
    /// anything outside; whiteouts become overlayfs'. Errors: invalid_argument (names the entry, truncated, wrong diff
    /// id), resource_exhausted (over the limit, disk full).
    Unpacked unpack(int blob_fd, const Digest& expected, std::stop_token stop = {});

    std::string folder(const Digest& diff_id) const;  ///< absolute
    int64_t size(const Digest& diff_id) const;
    /// Returns the bytes freed: none if it isn't there, or stays because an operation in progress (Lease) came across
    /// it.
    int64_t remove(const Digest& diff_id);
    /// All, or those unpacked before a point in time.
    std::vector<Digest> list(WallTime before = WallTime::max()) const;

    /// While one lives, layers that has() or unpack() found or made can't be removed.
    class Lease {
    public:
        explicit Lease(LayerStore& store);
        ~Lease();
        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;

    private:
        LayerStore& store_;
    };

private:
    void adopt();
    void check(int blob_fd, const Digest& expected, std::stop_token stop) const;
    Unpacked unpack_new(int blob_fd, const Digest& expected, std::stop_token stop);
    void keep(const std::string& temporary, const Unpacked& layer);
    bool has_locked(const Digest& diff_id) const;

    std::string folder_;
    int64_t size_limit_;
    Fd root_;
    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    std::map<Digest, int64_t> sizes_;
    std::set<Digest> unpacking_;
    mutable Leases leases_;
};

}  // namespace kedge::runtime

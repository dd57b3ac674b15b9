#pragma once

#include "base/digest.h"
#include "base/fd.h"

#include <cstdint>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

namespace kedge::runtime {

/// Unpacked layers in <root>/layers, one folder per diff id, ready to be an overlayfs lower folder. A layer's folder is there
/// under its name only once it was unpacked whole, its diff id was checked, and it was synced (syncfs). Thread-safe: two callers of the
/// same layer unpack it once.
class LayerStore {
public:
    LayerStore(const std::string& folder, int64_t size_limit);

    bool has(const Digest& diff_id) const;

    struct Unpacked {
        Digest diff_id;
        int64_t size = 0;  ///< bytes of its files
    };
    /// Unpacks a layer blob (tar; gzip, zstd, xz, bzip2 or none; told by its first bytes). `expected` may be empty (an import). Hostile entries
    /// (`..`, absolute names, links out of the layer, parents that are links, devices where they may not be) never touch
    /// anything outside; whiteouts become overlayfs'. Errors: invalid_argument (names the entry, truncated, wrong diff id), resource_exhausted (over the limit, disk full).
    Unpacked unpack(int blob_fd, const Digest& expected, std::stop_token stop = {});

    std::string folder(const Digest& diff_id) const;  ///< absolute
    int64_t size(const Digest& diff_id) const;
    void remove(const Digest& diff_id);
    std::vector<Digest> list() const;
};

}  // namespace kedge::runtime

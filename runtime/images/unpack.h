#pragma once

#include "base/digest.h"

#include <cstdint>
#include <stop_token>

namespace kedge::runtime {

struct UnpackedTar {
    Digest diff_id;    ///< of the whole uncompressed stream
    int64_t size = 0;  ///< bytes of the files
};

/// Unpacks a layer (tar; gzip, zstd, xz, bzip2 or none) into the empty folder `folder`. Not synced. On an Error what
/// was unpacked so far is left for the caller to remove.
UnpackedTar unpack_tar(int blob_fd, int folder, int64_t size_limit, std::stop_token stop);

/// The diff id of a layer, of which nothing is unpacked.
Digest diff_id_of(int blob_fd, int64_t size_limit, std::stop_token stop);

}  // namespace kedge::runtime

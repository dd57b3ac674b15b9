#include "runtime/images/unpack.h"

#include "base/tar/tar_reader.h"
#include "runtime/images/decompress.h"
#include "runtime/images/layer_writer.h"
#include "runtime/images/pipeline.h"

namespace kedge::runtime {

namespace {

/// The tar of a layer has headers and padding beside the files: at most this much on top of the limit for them.
constexpr int64_t kOverhead = int64_t{4} << 30;

}  // namespace

UnpackedTar unpack_tar(int blob_fd, int folder, int64_t size_limit, std::stop_token stop) {
    Pipeline pipeline(open_compressed(blob_fd), size_limit + kOverhead, std::move(stop));
    LayerWriter writer(folder, size_limit);
    {
        TarReader reader([&] { return pipeline.next(); });
        TarEntry entry;
        while (reader.next(entry)) writer.add(entry, reader);
    }
    Digest diff_id = pipeline.finish();
    writer.finish();
    return {diff_id, writer.size()};
}

Digest diff_id_of(int blob_fd, int64_t size_limit, std::stop_token stop) {
    return Pipeline(open_compressed(blob_fd), size_limit + kOverhead, std::move(stop)).finish();
}

}  // namespace kedge::runtime

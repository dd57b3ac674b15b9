#pragma once

#include "base/digest.h"
#include "base/fd.h"

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace kedge::runtime {

/// The content of images: an OCI image layout (image-spec, image-layout.md) in <root>/images that other tools can read.
/// A blob is there under its digest only once all of it was verified and synced. Thread-safe.
class BlobStore {
public:
    /// Opens or makes the layout. Left-over downloads stay for resuming.
    explicit BlobStore(const std::string& folder);

    bool has(const Digest& digest) const;
    int64_t size(const Digest& digest) const;
    Fd open(const Digest& digest) const;  ///< Error not_found
    std::string read(const Digest& digest, size_t limit = 16u << 20) const;  ///< a manifest or config, checked against its digest again

    /// Stores bytes that are already in memory.
    Digest put(std::string_view data);
    void remove(const Digest& digest);
    std::vector<Digest> list() const;

    /// A blob that arrives in pieces. Its file, blobs/sha256/<hex>.partial, survives the process, so that a download goes on where it broke off.
    class Writer {
    public:
        /// `expected` empty: unknown before commit (imports), never resumed.
        Writer(BlobStore& store, const Digest& expected);
        ~Writer();
        int64_t offset() const { return offset_; }  ///< bytes already there from an earlier try
        void write(std::string_view data);
        void restart();  ///< throws away what is there
        /// Checks the digest, syncs, renames. A wrong digest removes the partial file and is an Error (invalid_argument,
        /// transient: another try may bring the right bytes).
        Digest commit();

    private:
        BlobStore& store_;
        Digest expected_;
        std::string name_;
        Fd file_;
        Hasher hasher_;
        int64_t offset_ = 0;
        bool committed_ = false;
    };

    /// index.json: the names. Whole-file replacement, durable.
    struct Named {
        std::string name;  ///< Reference::full()
        std::string media_type;
        Digest digest;  ///< of the manifest, or of the index it came from
        int64_t size = 0;
        std::string platform;  ///< for an index: which of its manifests is unpacked here
        bool operator==(const Named&) const = default;
    };
    std::vector<Named> names() const;
    void set_name(const Named& named);
    bool remove_name(const std::string& name);

private:
    friend class Writer;
    std::string folder_;
    Fd root_;
    Fd blobs_;
    mutable std::mutex mutex_;
    std::vector<Named> names_;
};

}  // namespace kedge::runtime

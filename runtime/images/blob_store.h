#pragma once

#include "base/clock.h"
#include "base/digest.h"
#include "base/fd.h"
#include "runtime/images/leases.h"

#include <condition_variable>
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
    /// A manifest or config, checked against its digest again; one that no longer matches is removed, to be fetched
    /// anew.
    std::string read(const Digest& digest, size_t limit = 16u << 20) const;

    /// Stores bytes that are already in memory.
    Digest put(std::string_view data);
    /// Returns the bytes freed: none if it isn't there, or stays because an operation in progress (Lease) came across
    /// it.
    int64_t remove(const Digest& digest);
    /// All, or those stored before a point in time.
    std::vector<Digest> list(WallTime before = WallTime::max()) const;

    /// Removes unfinished downloads that nobody wrote to since. Returns the bytes freed.
    int64_t remove_partials(WallTime before);

    /// While one lives, whatever has(), open() or read() found or was stored can't be removed: an operation that
    /// skips what is there already relies on it until it has named its image.
    class Lease {
    public:
        explicit Lease(BlobStore& store);
        ~Lease();
        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;

    private:
        BlobStore& store_;
    };

    /// A blob that arrives in pieces. Its file, blobs/sha256/<hex>.partial, survives the process, so that a download
    /// goes on where it broke off. A second writer of the same digest waits for the first to end: ask has() afterwards.
    class Writer {
    public:
        /// `expected` empty: unknown before commit (imports), never resumed.
        Writer(BlobStore& store, const Digest& expected);
        ~Writer();
        Writer(const Writer&) = delete;
        Writer& operator=(const Writer&) = delete;

        int64_t offset() const { return offset_; }  ///< bytes already there from an earlier try
        void write(std::string_view data);
        void restart();  ///< throws away what is there
        /// Checks the digest, syncs, renames. A wrong digest removes the partial file and is an Error
        /// (invalid_argument, transient: another try may bring the right bytes).
        Digest commit();

    private:
        void resume();

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
        std::string
            name;  ///< Reference::full(); empty for an image without a name, of which there is one entry per manifest
        std::string media_type;
        Digest digest;  ///< of the manifest, or of the index it came from
        int64_t size = 0;
        Digest manifest;         ///< the one that is unpacked here: `digest`, or one of the index's
        std::string repository;  ///< registry/path that it was pulled from; empty if it was not
        bool operator==(const Named&) const = default;
    };
    std::vector<Named> names() const;
    void set_name(const Named& named);
    bool remove_name(const std::string& name);
    /// Several changes as one.
    void set_names(std::vector<Named> names);

    /// Where a damaged index.json of before was put; empty if there was none.
    const std::string& damaged() const { return damaged_; }

private:
    friend class Writer;
    void read_index();
    // with mutex_ held:
    void replace_names(std::vector<Named> names);
    void write_index();

    std::string folder_;
    Fd root_;
    Fd blobs_;
    std::string damaged_;
    mutable std::mutex mutex_;
    std::condition_variable writer_ended_;
    std::vector<Named> names_;
    std::set<std::string> writing_;  ///< files that writers hold
    mutable Leases leases_;
};

}  // namespace kedge::runtime

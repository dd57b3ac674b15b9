#include "base/error.h"
#include "runtime/images/blob_store.h"
#include "runtime/images/pull_layers.h"
#include "runtime/images/registry_client.h"

#include <fmt/format.h>

#include <condition_variable>
#include <set>
#include <utility>

namespace kedge::runtime {

namespace {

using namespace std::chrono_literals;

constexpr int kRetries = 5;
constexpr auto kFirstPause = 100ms;
constexpr auto kProgressInterval = 100ms;
constexpr size_t kPiece = 256u << 10;

struct Turns {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::set<std::pair<const BlobStore*, Digest>> taken;
};

Turns& turns() {
    static Turns all;
    return all;
}

std::string short_id(const Digest& digest) {
    return digest.hex().substr(0, 12);
}

/// Gathers what the network brings in small pieces, and watches over its length.
class Intake {
public:
    Intake(BlobStore::Writer& writer, const Descriptor& blob, PullProgress& progress)
        : writer_(writer), blob_(blob), progress_(progress) {
        pending_.reserve(kPiece);
    }
    void take(std::string_view data) {
        int64_t arrived = writer_.offset() + static_cast<int64_t>(pending_.size() + data.size());
        if (arrived > blob_.size) {
            restart();
            throw Error(Code::invalid_argument,
                        fmt::format("blob {}: the registry sends more than the {} bytes that it has",
                                    blob_.digest.str(), blob_.size))
                .set_transient(true);
        }
        pending_ += data;
        if (pending_.size() < kPiece) return;
        flush();
        report();
    }
    void flush() {
        if (pending_.empty()) return;
        writer_.write(pending_);
        pending_.clear();
    }
    void restart() {
        pending_.clear();
        writer_.restart();
    }

private:
    void report() {
        auto now = std::chrono::steady_clock::now();
        if (now - reported_ < kProgressInterval) return;
        reported_ = now;
        progress_.say(short_id(blob_.digest), "Downloading", writer_.offset(), blob_.size);
    }

    BlobStore::Writer& writer_;
    const Descriptor& blob_;
    PullProgress& progress_;
    std::string pending_;
    std::chrono::steady_clock::time_point reported_ = std::chrono::steady_clock::now();
};

/// One try. `offset` tells where it began.
void fetch_once(BlobStore& blobs, RegistryClient& client, const Descriptor& blob, int64_t& offset, bool from_start,
                PullProgress& progress, std::stop_token stop) {
    BlobStore::Writer writer(blobs, blob.digest);
    if (from_start || writer.offset() > blob.size) writer.restart();
    offset = writer.offset();
    progress.say(short_id(blob.digest), "Downloading", offset, blob.size);
    if (offset < blob.size || blob.size == 0) {
        Intake intake(writer, blob, progress);
        try {
            client.blob(
                blob.digest, offset, [&] { intake.restart(); }, [&](std::string_view data) { intake.take(data); },
                stop);
        } catch (...) {
            intake.flush();  // what came is what the next try needn't fetch
            throw;
        }
        intake.flush();
    }
    if (writer.offset() < blob.size) {
        throw Error(Code::unavailable,
                    fmt::format("blob {}: truncated: {} of {} bytes", blob.digest.str(), writer.offset(), blob.size));
    }
    progress.say(short_id(blob.digest), "Verifying Checksum");
    (void)writer.commit();
}

}  // namespace

void PullProgress::say(const std::string& id, const std::string& status, int64_t current, int64_t total) {
    if (!sink_) return;
    std::lock_guard lock(mutex_);
    sink_({id, status, current, total});
}

BlobTurn::BlobTurn(const BlobStore& store, const Digest& digest, const std::stop_token& stop)
    : store_(store), digest_(digest) {
    std::unique_lock lock(turns().mutex);
    bool mine = turns().changed.wait(lock, stop, [&] { return !turns().taken.contains({&store_, digest_}); });
    if (!mine) throw Error(Code::cancelled, "cancelled");
    turns().taken.insert({&store_, digest_});
}

BlobTurn::~BlobTurn() {
    std::lock_guard lock(turns().mutex);
    turns().taken.erase({&store_, digest_});
    turns().changed.notify_all();
}

bool is_stored(const BlobStore& blobs, const Descriptor& descriptor) {
    return blobs.has(descriptor.digest) && blobs.size(descriptor.digest) == descriptor.size;
}

void fetch_blob(BlobStore& blobs, RegistryClient& client, const Descriptor& blob, bool again, PullProgress& progress,
                std::stop_token stop) {
    BlobTurn turn(blobs, blob.digest, stop);
    if (!again && is_stored(blobs, blob)) return;
    bool from_start = false;
    auto pause = std::chrono::milliseconds(kFirstPause);
    for (int retries = 0;; ++retries) {
        int64_t offset = 0;
        try {
            fetch_once(blobs, client, blob, offset, from_start, progress, stop);
            progress.say(short_id(blob.digest), "Download complete");
            return;
        } catch (const Error& e) {
            if (stop.stop_requested()) throw Error(Code::cancelled, "cancelled");
            // Bytes of an earlier try may have been the wrong ones, and so may a mirror's.
            bool wrong = e.code() == Code::invalid_argument;
            bool worthwhile = e.code() == Code::unavailable || (wrong && (client.distrust_mirror() || offset > 0));
            if (!worthwhile || retries == kRetries) throw;
            from_start = wrong;
            if (!wrong && !wait_unless_stopped(pause, stop)) throw Error(Code::cancelled, "cancelled");
            pause *= 2;
        }
    }
}

std::string fetch_document(RegistryClient& client, const Descriptor& document, const std::string& what,
                           std::stop_token stop) {
    auto pause = std::chrono::milliseconds(kFirstPause);
    for (int retries = 0;; ++retries) {
        std::string body;
        try {
            auto take = [&](std::string_view data) {
                body += data;
                if (static_cast<int64_t>(body.size()) > document.size)
                    throw Error(Code::invalid_argument, "the registry sends more bytes than it has");
            };
            client.blob(
                document.digest, 0, [] {}, take, stop);
            if (static_cast<int64_t>(body.size()) < document.size) throw Error(Code::unavailable, "truncated");
            if (Digest::of(body) == document.digest) return body;
            throw Error(Code::invalid_argument, "wrong content: its digest is " + Digest::of(body).str())
                .set_transient(true);
        } catch (const Error& e) {
            if (stop.stop_requested()) throw Error(Code::cancelled, "cancelled");
            bool worthwhile =
                e.code() == Code::unavailable || (e.code() == Code::invalid_argument && client.distrust_mirror());
            if (!worthwhile || retries == kRetries) throw e.with_context(what);
            if (!wait_unless_stopped(pause, stop)) throw Error(Code::cancelled, "cancelled");
            pause *= 2;
        }
    }
}

}  // namespace kedge::runtime

#include "runtime/images/pull_layers.h"

#include "base/error.h"
#include "runtime/images/blob_store.h"
#include "runtime/images/layer_store.h"
#include "runtime/images/registry_client.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

namespace kedge::runtime {

namespace {

struct Job {
    LayerDescriptor layer;
    bool unpacked = false;  ///< already: only to be checked
    bool fetched = false;   ///< by this pull, so that what is stored is surely what its digest says
    std::string id;
};

/// The layers on their way: fetched by some threads, unpacked by others, as the one waits for the network and the other
/// for the processor.
class Layers {
public:
    Layers(BlobStore& blobs, LayerStore& layers, const RegistryClient& client, PullProgress& progress,
           std::stop_token stop)
        : blobs_(blobs), layers_(layers), client_(client), progress_(progress), outer_(stop), forward_(stop, [this] {
              stop_.request_stop();
          }) {}

    void run(std::deque<Job> jobs, int connections) {
        size_t fetchers = std::min<size_t>(static_cast<size_t>(std::max(connections, 1)), jobs.size());
        size_t unpackers = std::min<size_t>(std::max(std::thread::hardware_concurrency(), 1u), jobs.size());
        for (size_t i = fetchers; i < jobs.size(); ++i) progress_.say(jobs[i].id, "Waiting");
        to_fetch_ = std::move(jobs);
        fetching_ = fetchers;
        {
            std::vector<std::jthread> threads;
            try {
                for (size_t i = 0; i < fetchers; ++i) threads.emplace_back([this] { guard([this] { fetch(); }); });
                for (size_t i = 0; i < unpackers; ++i) threads.emplace_back([this] { guard([this] { unpack(); }); });
            } catch (...) {
                fail(std::current_exception());
            }
        }
        if (outer_.stop_requested()) throw Error(Code::cancelled, "cancelled");
        if (failure_) std::rethrow_exception(failure_);
    }

private:
    template <class Work>
    void guard(Work work) {
        try {
            work();
        } catch (...) {
            fail(std::current_exception());
        }
    }

    void fail(std::exception_ptr failure) {
        {
            std::lock_guard lock(mutex_);
            if (!failure_) failure_ = std::move(failure);  // what fails after it was only told to stop
        }
        stop_.request_stop();
    }

    void fetch() {
        struct Done {
            Layers& all;
            ~Done() {
                std::lock_guard lock(all.mutex_);
                --all.fetching_;
                all.changed_.notify_all();
            }
        } done{*this};
        RegistryClient client = client_.another();
        while (std::optional<Job> job = take_fetch()) {
            if (!is_stored(blobs_, job->layer)) {
                fetch_blob(blobs_, client, job->layer, false, progress_, stop_.get_token());
                job->fetched = true;
            }
            std::lock_guard lock(mutex_);
            to_unpack_.push_back(std::move(*job));
            changed_.notify_all();
        }
    }

    std::optional<Job> take_fetch() {
        std::lock_guard lock(mutex_);
        if (to_fetch_.empty() || stop_.stop_requested()) return std::nullopt;
        Job job = std::move(to_fetch_.front());
        to_fetch_.pop_front();
        return job;
    }

    std::optional<Job> take_unpack() {
        std::unique_lock lock(mutex_);
        bool ready = changed_.wait(lock, stop_.get_token(), [this] { return !to_unpack_.empty() || fetching_ == 0; });
        if (!ready || stop_.stop_requested() || to_unpack_.empty()) return std::nullopt;
        Job job = std::move(to_unpack_.front());
        to_unpack_.pop_front();
        return job;
    }

    void unpack() {
        while (std::optional<Job> job = take_unpack()) {
            if (!job->unpacked) progress_.say(job->id, "Extracting", job->layer.size, job->layer.size);
            try {
                unpack_stored(*job);
            } catch (const Error& e) {
                if (e.code() != Code::invalid_argument || job->fetched || stop_.stop_requested()) throw;
                // The blob of an earlier pull may have been damaged on disk since.
                RegistryClient client = client_.another();
                fetch_blob(blobs_, client, job->layer, true, progress_, stop_.get_token());
                unpack_stored(*job);
            }
            progress_.say(job->id, job->unpacked && !job->fetched ? "Already exists" : "Pull complete");
        }
    }

    void unpack_stored(const Job& job) {
        Fd blob = blobs_.open(job.layer.digest);
        try {
            (void)layers_.unpack(blob.get(), job.layer.diff_id, stop_.get_token());
        } catch (const Error& e) {
            throw e.with_context("layer " + job.layer.digest.str());
        }
    }

    BlobStore& blobs_;
    LayerStore& layers_;
    const RegistryClient& client_;
    PullProgress& progress_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::deque<Job> to_fetch_;
    std::deque<Job> to_unpack_;
    size_t fetching_ = 0;
    std::exception_ptr failure_;
    std::stop_source stop_;
    std::stop_token outer_;
    std::stop_callback<std::function<void()>> forward_;
};

}  // namespace

void pull_layers(BlobStore& blobs, LayerStore& layers, const RegistryClient& client, int connections,
                 const std::vector<LayerDescriptor>& wanted, const KnownLayers& known, PullProgress& progress,
                 std::stop_token stop) {
    std::deque<Job> jobs;
    for (const LayerDescriptor& layer : wanted) {
        std::string id = layer.digest.hex().substr(0, 12);
        bool unpacked = layers.has(layer.diff_id);
        bool there = unpacked && is_stored(blobs, layer);
        if (there && known.contains({layer.digest, layer.diff_id})) {
            progress.say(id, "Already exists");
            continue;
        }
        if (!there) progress.say(id, "Pulling fs layer");
        jobs.push_back({layer, unpacked, false, id});
    }
    if (!jobs.empty()) Layers(blobs, layers, client, progress, stop).run(std::move(jobs), connections);
}

}  // namespace kedge::runtime

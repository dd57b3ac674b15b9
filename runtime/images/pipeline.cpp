#include "runtime/images/pipeline.h"

#include "base/error.h"

namespace kedge::runtime {

namespace {

constexpr size_t kBufferSize = 256u << 10;
constexpr size_t kBuffers = 6;

}  // namespace

Pipeline::Pipeline(std::unique_ptr<ByteStream> source, int64_t limit, std::stop_token stop)
    : source_(std::move(source)), limit_(limit), stop_(std::move(stop)), free_(kBuffers) {
    thread_ = std::jthread([this](std::stop_token end) { run(std::move(end)); });
}

Pipeline::~Pipeline() = default;

void Pipeline::run(std::stop_token end) {
    std::exception_ptr error;
    Digest digest;
    try {
        Hasher hasher;
        int64_t total = 0;
        while (produce(end, hasher, total)) {
        }
        digest = hasher.finish();
    } catch (...) {
        error = std::current_exception();
    }
    std::lock_guard lock(mutex_);
    error_ = error;
    digest_ = digest;
    ended_ = true;
    changed_.notify_all();
}

bool Pipeline::produce(std::stop_token end, Hasher& hasher, int64_t& total) {
    std::vector<char> buffer;
    {
        std::unique_lock lock(mutex_);
        if (!changed_.wait(lock, end, [&] { return !free_.empty(); })) return false;
        buffer = std::move(free_.back());
        free_.pop_back();
    }
    if (stop_.stop_requested()) throw Error(Code::cancelled, "unpacking was cancelled");
    buffer.resize(kBufferSize);
    // Filled up, since a decompressor may give a few bytes at a time.
    size_t size = 0;
    while (size < buffer.size()) {
        size_t n = source_->read(buffer.data() + size, buffer.size() - size);
        if (n == 0) break;
        size += n;
    }
    total += static_cast<int64_t>(size);
    if (total > limit_) {
        throw Error(Code::resource_exhausted, "the unpacked layer is larger than " + std::to_string(limit_) + " bytes")
            .set_transient(false);
    }
    if (size == 0) return false;
    buffer.resize(size);
    hasher.update({buffer.data(), size});
    std::lock_guard lock(mutex_);
    filled_.push_back(std::move(buffer));
    changed_.notify_all();
    return true;
}

std::string_view Pipeline::next() {
    std::unique_lock lock(mutex_);
    if (current_.capacity() > 0) {
        free_.push_back(std::move(current_));
        current_ = {};
        changed_.notify_all();
    }
    changed_.wait(lock, [&] { return !filled_.empty() || ended_; });
    if (filled_.empty()) {
        if (error_) std::rethrow_exception(error_);
        return {};
    }
    current_ = std::move(filled_.front());
    filled_.pop_front();
    return {current_.data(), current_.size()};
}

Digest Pipeline::finish() {
    while (!next().empty()) {
    }
    return digest_;
}

}  // namespace kedge::runtime

#pragma once

#include "base/digest.h"
#include "runtime/images/decompress.h"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace kedge::runtime {

/// Reads (and so decompresses) and hashes a stream on a thread of its own, a few buffers ahead of the one who uses the
/// bytes: writing files and decompressing take about the same time.
class Pipeline {
public:
    /// More than `limit` bytes are Error resource_exhausted.
    Pipeline(std::unique_ptr<ByteStream> source, int64_t limit, std::stop_token stop);
    ~Pipeline();

    /// The next bytes, valid until the next call; empty at the end. Throws what reading threw.
    std::string_view next();

    /// Takes what is left; the digest of the whole stream.
    Digest finish();

private:
    void run(std::stop_token end);
    bool produce(std::stop_token end, Hasher& hasher, int64_t& total);

    std::unique_ptr<ByteStream> source_;
    const int64_t limit_;
    std::stop_token stop_;

    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::deque<std::vector<char>> filled_;
    std::vector<std::vector<char>> free_;
    std::exception_ptr error_;
    Digest digest_;
    bool ended_ = false;

    std::vector<char> current_;
    std::jthread thread_;  // last: it uses all of the above
};

}  // namespace kedge::runtime

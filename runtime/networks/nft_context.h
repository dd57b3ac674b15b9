#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

struct nft_ctx;

namespace kedge::runtime {

/// libnftables, in the network namespace of the threads that call it. Opened when it is needed, and closed when it has
/// not been for a while: an open one remembers every table of the host that it has seen, each in half a megabyte, and
/// closing one waits for the kernel (10 ms), which no start of a container shall. Thread-safe.
class NftContext {
public:
    NftContext() = default;
    ~NftContext();
    NftContext(const NftContext&) = delete;
    NftContext& operator=(const NftContext&) = delete;

    /// Runs commands in one transaction and returns what they print. Throws Error.
    std::string run(const std::string& commands, unsigned output_flags = 0);

private:
    static constexpr std::chrono::seconds kIdle{1};
    struct Free {
        void operator()(nft_ctx* context) const;
    };
    void close_when_idle(const std::stop_token& stop);

    std::mutex mutex_;
    std::condition_variable_any used_;
    std::unique_ptr<nft_ctx, Free> context_;
    std::chrono::steady_clock::time_point last_use_;
    std::jthread closer_;  ///< begun with the first use; asleep while nothing is open
};

}  // namespace kedge::runtime

#include "runtime/networks/nft_context.h"

#include "base/error.h"

#include <malloc.h>
#include <nftables/libnftables.h>

namespace kedge::runtime {

void NftContext::Free::operator()(nft_ctx* context) const {
    nft_ctx_free(context);
}

NftContext::~NftContext() {
    closer_ = {};  // before what it uses
}

std::string NftContext::run(const std::string& commands, unsigned output_flags) {
    std::lock_guard lock(mutex_);
    if (!context_) {
        context_.reset(nft_ctx_new(NFT_CTX_DEFAULT));
        if (!context_ || nft_ctx_buffer_error(context_.get()) != 0 || nft_ctx_buffer_output(context_.get()) != 0) {
            context_.reset();
            throw Error(Code::internal, "cannot open nftables");
        }
        if (!closer_.joinable()) closer_ = std::jthread([this](std::stop_token stop) { close_when_idle(stop); });
        used_.notify_all();
    }
    last_use_ = std::chrono::steady_clock::now();
    nft_ctx_output_set_flags(context_.get(), output_flags);
    if (nft_run_cmd_from_buffer(context_.get(), commands.c_str()) != 0) {
        const std::string complaint = nft_ctx_get_error_buffer(context_.get());
        throw Error(Code::internal, "nftables: " + complaint.substr(0, complaint.find('\n')));
    }
    return nft_ctx_get_output_buffer(context_.get());
}

void NftContext::close_when_idle(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
        if (!context_) {
            (void)used_.wait(lock, stop, [this] { return context_ != nullptr; });
            continue;
        }
        const auto due = last_use_ + kIdle;
        if (std::chrono::steady_clock::now() < due) {
            (void)used_.wait_until(lock, stop, due, [] { return false; });
            continue;
        }
        std::unique_ptr<nft_ctx, Free> idle = std::move(context_);
        lock.unlock();
        idle.reset();
        (void)::malloc_trim(0);  // what it had goes back to the kernel
        lock.lock();
    }
}

}  // namespace kedge::runtime

#include "base/piped.h"

#include "base/error.h"
#include "base/pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace kedge {

Piped::Piped(std::function<void(const Write& write)> make) {
    Pipe ends = make_pipe();
    read_ = std::move(ends.read);
    write_ = std::move(ends.write);
    (void)::fcntl(write_.get(), F_SETPIPE_SZ, 1 << 20);  // fewer turns; the usual size does as well
    thread_ = std::thread([this, make = std::move(make)] {
        // A reader that is gone is seen by write(2).
        sigset_t pipe;
        sigemptyset(&pipe);
        sigaddset(&pipe, SIGPIPE);
        (void)::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
        try {
            make([this](std::string_view piece) { write(piece); });
        } catch (...) {
            failure_ = std::current_exception();
        }
        write_.reset();
    });
}

Piped::~Piped() {
    read_.reset();
    if (thread_.joinable()) thread_.join();
}

void Piped::write(std::string_view piece) {
    while (!piece.empty()) {
        ssize_t size = ::write(write_.get(), piece.data(), piece.size());
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) {
            given_up_ = errno == EPIPE;
            throw_errno("pipe");
        }
        piece.remove_prefix(static_cast<size_t>(size));
    }
}

void Piped::finish() {
    read_.reset();
    if (thread_.joinable()) thread_.join();
    if (failure_ && !given_up_) std::rethrow_exception(failure_);
}

}  // namespace kedge

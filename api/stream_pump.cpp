#include "api/stream_pump.h"

#include "api/frames.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace kedge::api {

namespace {

constexpr size_t kChunk = 16384;

/// One of the two ends on its way to the client.
class Source {
public:
    Source(int fd, StreamKind kind, bool raw, Writer& to, const std::atomic<bool>* quiet)
        : fd_(fd), kind_(kind), raw_(raw), to_(to), quiet_(quiet) {}

    int fd() const { return fd_; }

    /// Forwards some of what is there, at most `limit` bytes. How many; 0 at the end, after which fd() is -1.
    size_t forward(size_t limit = kChunk) {
        std::array<char, kChunk> buffer;
        ssize_t n = -1;
        do n = ::read(fd_, buffer.data(), std::min(limit, buffer.size()));
        while (n < 0 && errno == EINTR);
        if (n < 0 && errno == EAGAIN) return limit;
        if (n <= 0) {  // a terminal that nobody has open any more fails with EIO
            fd_ = -1;
            return 0;
        }
        std::string_view data(buffer.data(), static_cast<size_t>(n));
        // A client that is gone is somebody else's to notice.
        if (!quiet_ || !*quiet_) (void)to_.write(raw_ ? data : std::string_view(frame(kind_, data)));
        return data.size();
    }

    /// What is there now, and no more.
    void forward_rest() {
        int rest = 0;
        if (fd_ < 0 || ::ioctl(fd_, FIONREAD, &rest) != 0) return;
        for (size_t left = static_cast<size_t>(rest); left > 0;) {
            size_t n = forward(left);
            if (n == 0) return;
            left -= n;
        }
    }

private:
    int fd_;
    StreamKind kind_;
    bool raw_;
    Writer& to_;
    const std::atomic<bool>* quiet_;
};

/// False when nobody reads it, or it is done.
bool write_whole(int to, int done, std::string_view data) {
    while (!data.empty()) {
        ssize_t n = ::write(to, data.data(), data.size());
        if (n > 0) data.remove_prefix(static_cast<size_t>(n));
        if (n >= 0 || errno == EINTR) continue;
        if (errno != EAGAIN) return false;
        pollfd entries[] = {{to, POLLOUT, 0}, {done, POLLIN, 0}};
        if (::poll(entries, 2, -1) < 0 && errno != EINTR) return false;
        if (entries[1].revents) return false;
    }
    return true;
}

}  // namespace

void pump_output(const OutputEnds& ends, std::array<int, 2> done, Writer& to, const std::atomic<bool>* quiet) {
    Source sources[] = {{ends.out, StreamKind::out, ends.raw, to, quiet},
                        {ends.err, StreamKind::err, ends.raw, to, quiet}};
    while (sources[0].fd() >= 0 || sources[1].fd() >= 0) {
        pollfd entries[] = {
            {sources[0].fd(), POLLIN, 0}, {sources[1].fd(), POLLIN, 0}, {done[0], POLLIN, 0}, {done[1], POLLIN, 0}};
        if (::poll(entries, 4, -1) < 0) {
            if (errno == EINTR) continue;
            return;
        }
        if (entries[2].revents || entries[3].revents) break;
        for (int i = 0; i < 2; ++i)
            if (entries[i].revents) (void)sources[i].forward();
    }
    for (Source& source : sources) source.forward_rest();
}

bool pump_input(Duplex& from, Fd to, int done, DetachKeys* keys) {
    std::array<char, kChunk> buffer;
    while (size_t n = from.read(buffer.data(), buffer.size())) {
        std::string_view data(buffer.data(), n);
        std::string passed;
        if (keys) data = passed = keys->pass(data);
        if (!write_whole(to.get(), done, data)) return false;
        if (keys && keys->detached()) return true;
    }
    return false;
}

}  // namespace kedge::api

#include "api/execs.h"
#include "api/frames.h"
#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace kedge::api {

namespace {

struct Pipe {
    Fd read, write;
};

Pipe make_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("pipe");
    return {Fd(ends[0]), Fd(ends[1])};
}

/// At most `limit` bytes of a readable pipe become a frame. How many; 0 at its end.
size_t forward(const Fd& from, StreamKind kind, Writer& writer, size_t limit = 16384) {
    std::array<char, 16384> buffer;
    ssize_t n = -1;
    do n = ::read(from.get(), buffer.data(), std::min(limit, buffer.size()));
    while (n < 0 && errno == EINTR);
    if (n <= 0) return 0;
    // A client that is gone ends the command by its stop token.
    (void)writer.write(frame(kind, {buffer.data(), static_cast<size_t>(n)}));
    return static_cast<size_t>(n);
}

/// What the pipe holds now, and no more: children that the command left behind may write for ever.
void forward_rest(const Fd& from, StreamKind kind, Writer& writer) {
    int rest = 0;
    if (::ioctl(from.get(), FIONREAD, &rest) != 0) return;
    for (size_t left = static_cast<size_t>(rest); left > 0;) {
        size_t n = forward(from, kind, writer, left);
        if (n == 0) return;
        left -= n;
    }
}

/// Forwards both streams until they end, or until `done` is readable.
void pump_output(const Fd& out, const Fd& err, const Fd& done, Writer& writer) {
    struct Stream {
        const Fd& fd;
        StreamKind kind;
    };
    const Stream streams[] = {{out, StreamKind::out}, {err, StreamKind::err}};
    pollfd entries[] = {{out.get(), POLLIN, 0}, {err.get(), POLLIN, 0}, {done.get(), POLLIN, 0}};
    while ((entries[0].fd >= 0 || entries[1].fd >= 0) && !entries[2].revents) {
        if (::poll(entries, 3, -1) < 0 && errno != EINTR) return;
        for (int i = 0; i < 2; ++i) {
            if (entries[i].fd < 0 || !(entries[i].revents & (POLLIN | POLLHUP))) continue;
            if (forward(streams[i].fd, streams[i].kind, writer) == 0) entries[i].fd = -1;
        }
    }
    for (int i = 0; i < 2; ++i) {
        if (entries[i].fd >= 0) forward_rest(streams[i].fd, streams[i].kind, writer);
    }
}

void pump_input(Duplex& from, Fd to) {
    std::array<char, 16384> buffer;
    while (size_t n = from.read(buffer.data(), buffer.size())) {
        try {
            write_all(to.get(), {buffer.data(), n});
        } catch (const Error&) {
            return;  // the command reads no more
        }
    }
}

}  // namespace

int run_exec(runtime::Containers& containers, const std::string& id, const runtime::ExecSpec& spec, Writer& writer,
             Duplex* input, std::stop_token stop) {
    Pipe out = make_pipe(), err = make_pipe(), in;
    if (input) in = make_pipe();
    Fd done(::eventfd(0, EFD_CLOEXEC));
    if (!done) throw_errno("eventfd");
    std::jthread output([&] { pump_output(out.read, err.read, done, writer); });
    std::jthread feeder;
    if (input) feeder = std::jthread([&, to = std::move(in.write)]() mutable { pump_input(*input, std::move(to)); });
    auto finish = [&] {
        in.read.reset();  // a feeder that writes fails now
        out.write.reset();
        err.write.reset();
        uint64_t one = 1;
        (void)!::write(done.get(), &one, sizeof one);  // an eventfd at 0 takes a 1
        output.join();
        if (input) input->end_reading();
    };
    try {
        int code = containers.exec_with(id, spec, input ? in.read.get() : -1, out.write.get(), err.write.get(), stop);
        finish();
        return code;
    } catch (...) {
        finish();
        throw;
    }
}

}  // namespace kedge::api

#include "api/execs.h"
#include "api/frames.h"
#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

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

/// One readable pipe end whose bytes become frames. False at its end.
bool forward(const Fd& from, StreamKind kind, Writer& writer) {
    std::array<char, 16384> buffer;
    ssize_t n = ::read(from.get(), buffer.data(), buffer.size());
    if (n <= 0) return n < 0 && (errno == EINTR || errno == EAGAIN);
    (void)writer.write(frame(
        kind, {buffer.data(), static_cast<size_t>(n)}));  // a client that is gone ends the command by its stop token
    return true;
}

/// Forwards both streams until they end; or, once `done` is readable, until they are empty: children that
/// the command left behind may hold them open for ever.
void pump_output(const Fd& out, const Fd& err, const Fd& done, Writer& writer) {
    pollfd entries[] = {{out.get(), POLLIN, 0}, {err.get(), POLLIN, 0}, {done.get(), POLLIN, 0}};
    while (entries[0].fd >= 0 || entries[1].fd >= 0) {
        if (::poll(entries, 3, entries[2].fd < 0 ? 0 : -1) < 0 && errno != EINTR) return;
        bool any = false;
        for (int i = 0; i < 2; ++i) {
            if (entries[i].fd < 0 || !(entries[i].revents & (POLLIN | POLLHUP))) continue;
            any = true;
            if (!forward(i == 0 ? out : err, i == 0 ? StreamKind::out : StreamKind::err, writer)) entries[i].fd = -1;
        }
        if (!any && entries[2].fd < 0) return;
        if (entries[2].revents) entries[2].fd = -1;
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

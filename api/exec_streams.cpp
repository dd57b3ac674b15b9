#include "api/execs.h"
#include "api/stream_pump.h"
#include "base/error.h"
#include "base/pipe.h"
#include "base/stop_fd.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace kedge::api {

namespace {

/// An eventfd that the command's end makes readable.
class Flag {
public:
    Flag() : fd_(::eventfd(0, EFD_CLOEXEC)) {
        if (!fd_) throw_errno("eventfd");
    }
    int get() const { return fd_.get(); }
    void raise() {
        uint64_t one = 1;
        (void)!::write(fd_.get(), &one, sizeof one);  // an eventfd at 0 takes a 1
    }

private:
    Fd fd_;
};

/// The streams of one command and the threads that carry them.
class Streams {
public:
    Streams(const Execs::Exec& exec, Duplex& client) : exec_(exec), client_(client) {
        bool tty = exec.spec.tty;
        if (exec.attach_out || tty) out_ = make_pipe();  // of a terminal: for why nothing was executed
        if (exec.attach_err && !tty) err_ = make_pipe();
        if (exec.attach_in && !tty) in_ = make_pipe();
    }
    ~Streams() { finish(); }
    Streams(const Streams&) = delete;
    Streams& operator=(const Streams&) = delete;

    int in() const { return in_.read.get(); }
    int out() const { return out_.write.get(); }
    int err() const { return err_.write.get(); }
    bool detached() const { return detached_; }

    /// With the terminal, if it has one.
    void begin(std::shared_ptr<const Fd> terminal) {
        terminal_ = std::move(terminal);
        OutputEnds ends{terminal_ ? terminal_->get() : out_.read.get(), err_.read.get(),
                        exec_.spec.tty && !exec_.framed};
        quiet_ = exec_.spec.tty && !exec_.attach_out && !exec_.attach_err;
        if (ends.out >= 0 || ends.err >= 0)
            output_ = std::jthread([this, ends] { pump_output(ends, done_.get(), client_, &quiet_); });
        if (!exec_.attach_in || (exec_.spec.tty && !terminal_)) return;
        Fd to = terminal_ ? terminal_->duplicate() : std::move(in_.write);
        if (!terminal_ && ::fcntl(to.get(), F_SETFL, O_WRONLY | O_NONBLOCK) != 0) throw_errno("fcntl");
        input_ = std::jthread([this, to = std::move(to)]() mutable {
            DetachKeys keys(exec_.detach_keys);
            if (!pump_input(client_, std::move(to), done_.get(), terminal_ ? &keys : nullptr)) return;
            quiet_ = detached_ = true;
            client_.hang_up();
        });
    }

    /// All of the output is on its way.
    void finish() {
        in_ = {};
        out_.write.reset();
        err_.write.reset();
        done_.raise();
        if (output_.joinable()) output_.join();
        client_.end_reading();
    }

private:
    const Execs::Exec& exec_;
    Duplex& client_;
    Pipe in_, out_, err_;
    Flag done_;
    std::shared_ptr<const Fd> terminal_;
    std::atomic<bool> quiet_ = false;  ///< the output is read, as the command would stand still else, and dropped
    std::atomic<bool> detached_ = false;
    std::jthread output_, input_;  // last: they use the others
};

}  // namespace

int Execs::run_attached(const Exec& exec, Duplex& client, std::stop_token stop) {
    Streams streams(exec, client);
    // Who detaches is gone without the command being ended for it.
    std::stop_source end;
    std::stop_callback gone(stop, [&] {
        if (!streams.detached()) end.request_stop();
    });
    bool begun = false;
    auto begin = [&](runtime::ExecStarted started) {
        std::shared_ptr<const Fd> terminal;
        if (started.terminal) terminal = std::make_shared<const Fd>(std::move(started.terminal));
        set_started(exec.id, started.pid, terminal);
        streams.begin(terminal);
        begun = true;
    };
    int code = containers_.exec_with(exec.container, exec.spec, streams.in(), streams.out(), streams.err(),
                                     end.get_token(), begin);
    if (!begun) streams.begin(nullptr);  // nothing was executed, which the error stream tells
    streams.finish();
    return code;
}

int Execs::run_without_client(Exec exec, std::stop_token stop) {
    struct Nobody : Duplex {
        bool write(std::string_view) override { return true; }
        size_t read(char*, size_t) override { return 0; }
        void end_reading() override {}
        void hang_up() override {}
    } nobody;
    exec.attach_in = exec.attach_out = exec.attach_err = false;
    return run_attached(exec, nobody, stop);
}

}  // namespace kedge::api

#include "api/execs.h"
#include "api/stream_pump.h"
#include "base/error.h"
#include "base/pipe.h"
#include "base/stop_fd.h"

#include <fcntl.h>

#include <atomic>
#include <optional>

namespace kedge::api {

namespace {

/// The ends of a command's streams that are not the command's own.
struct Streams {
    Streams(const Execs::Exec& exec) {
        const bool tty = exec.spec.tty;
        if (exec.attach_out || tty) out = make_pipe();  // of a terminal: for why nothing was executed
        if (exec.attach_err && !tty) err = make_pipe();
        if (exec.attach_in && !tty) in = make_pipe();
    }
    /// The command has copies of its ends.
    void begun() {
        in.read.reset();
        out.write.reset();
        err.write.reset();
    }
    Pipe in, out, err;
};

/// What the client sends goes to a command, until either has ended.
class Feeder {
public:
    /// `to`: the command's standard input or terminal, non-blocking. `ended`: readable once it has ended. `detach`:
    /// called once the detach keys were pressed.
    Feeder(const Execs::Exec& exec, Duplex& client, Fd to, int ended, std::function<void()> detach)
        : client_(client),
          thread_([=, &client, to = std::move(to), keys = exec.detach_keys, tty = exec.spec.tty]() mutable {
              DetachKeys detach_keys(keys);
              if (pump_input(client, std::move(to), ended, tty ? &detach_keys : nullptr)) detach();
          }) {}
    ~Feeder() { client_.end_reading(); }
    Feeder(const Feeder&) = delete;
    Feeder& operator=(const Feeder&) = delete;

private:
    Duplex& client_;
    std::jthread thread_;
};

}  // namespace

void Execs::run_attached(const Exec& exec, Duplex& client, std::stop_token stop,
                         const std::function<void(int)>& ended) {
    Streams streams(exec);
    auto command = containers_.begin_exec(exec.container, exec.spec, streams.in.read.get(), streams.out.write.get(),
                                          streams.err.write.get());
    streams.begun();
    // Who detaches is gone without the command being ended for it; its output is read on, as it would stand still else.
    std::atomic<bool> quiet = exec.spec.tty && !exec.attach_out && !exec.attach_err, detached = false;
    std::stop_source end;
    std::stop_callback gone(stop, [&] {
        if (!detached) end.request_stop();
    });
    std::shared_ptr<const Fd> terminal;
    if (command->failure().empty()) {
        if (Fd own = command->take_terminal()) terminal = std::make_shared<const Fd>(std::move(own));
        set_started(exec.id, command->pid(), terminal);
    }
    std::optional<Feeder> feeder;
    if (Fd to = terminal ? terminal->duplicate() : std::move(streams.in.write); exec.attach_in && to) {
        if (!terminal && ::fcntl(to.get(), F_SETFL, O_WRONLY | O_NONBLOCK) != 0) throw_errno("fcntl");
        feeder.emplace(exec, client, std::move(to), command->ended_fd(), [&] {
            quiet = detached = true;
            client.hang_up();
        });
    }
    StopFd stopped(end.get_token());
    const int out = terminal ? terminal->get() : streams.out.read.get();
    pump_output({out, streams.err.read.get(), exec.spec.tty && !exec.framed}, {command->ended_fd(), stopped.get()},
                client, &quiet);
    ended(command->wait(end.get_token()));
}

int Execs::run_without_client(Exec exec, std::stop_token stop) {
    struct Nobody : Duplex {
        bool write(std::string_view) override { return true; }
        size_t read(char*, size_t) override { return 0; }
        void end_reading() override {}
        void hang_up() override {}
    } nobody;
    exec.attach_in = exec.attach_out = exec.attach_err = false;
    int exit_code = 0;
    run_attached(exec, nobody, stop, [&](int code) { exit_code = code; });
    return exit_code;
}

}  // namespace kedge::api

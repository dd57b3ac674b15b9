#include "runtime/containers/container_engine.h"

#include "base/error.h"
#include "base/pipe.h"
#include "base/stop_fd.h"
#include "runtime/containers/command.h"
#include "runtime/containers/resolve.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

namespace kedge::runtime {

namespace {

using Clock = std::chrono::steady_clock;

/// What the command's own words would have been if there were one: whoever reads its streams is told why there is none.
void tell_failure(const Launcher::Exec& process, int out, int err) {
    int to = err >= 0 ? err : out;
    pollfd ready{to, POLLOUT, 0};
    if (process.error.empty() || to < 0 || ::poll(&ready, 1, 0) <= 0 || (ready.revents & POLLERR)) return;
    std::string line = process.error + "\n";
    (void)!::write(to, line.data(), line.size());
}

/// As events show it: the program, a blank, and its arguments.
std::string command_text(const std::vector<std::string>& arguments) {
    if (arguments.empty()) return {};
    return fmt::format("{} {}", arguments.front(), fmt::join(arguments.begin() + 1, arguments.end(), " "));
}

Launcher::ExecRequest exec_request(const ContainerInfo& info, const ExecSpec& spec, const std::string& hostname) {
    if (spec.arguments.empty()) throw Error(Code::invalid_argument, "No exec command specified");
    Launcher::ExecRequest request;
    request.arguments = spec.arguments;
    request.environment = overlay_environment(process_environment(info, hostname, spec.tty), spec.environment);
    std::erase_if(request.environment,
                  [](const std::string& variable) { return variable.find('=') == std::string::npos; });
    request.user = spec.user.empty() ? info.user : spec.user;
    request.working_dir = !spec.working_dir.empty()  ? spec.working_dir
                          : info.working_dir.empty() ? "/"
                                                     : info.working_dir;
    if (request.working_dir[0] != '/') {
        throw Error(Code::invalid_argument, "Cwd must be an absolute path: " + request.working_dir);
    }
    request.privileged = spec.privileged;
    request.tty = spec.tty;
    request.rows = spec.rows;
    request.columns = spec.columns;
    return request;
}

/// What comes out of a process, up to a limit; the rest is read and dropped, so that the process is never stuck on a
/// full pipe.
class Output {
public:
    Output(size_t limit) : limit_(limit) {
        if (::fcntl(pipe_.read.get(), F_SETFL, O_NONBLOCK) != 0) throw_errno("pipe");
    }
    int write_end() const { return pipe_.write.get(); }
    void started() { pipe_.write.reset(); }
    int get() const { return pipe_.read.get(); }

    /// Takes some of what is there. False at the end of the stream.
    bool take() { return take(sizeof buffer_); }

    /// Takes what is there by now, and no more: a writer may be faster than this.
    void take_rest() {
        int there = 0;
        if (::ioctl(get(), FIONREAD, &there) == 0) (void)take(static_cast<size_t>(there));
    }

    std::string text;

private:
    bool take(size_t most) {
        for (size_t taken = 0; taken < most;) {
            ssize_t n = ::read(get(), buffer_, sizeof buffer_);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return true;
            if (n == 0) return false;
            taken += static_cast<size_t>(n);
            text.append(buffer_, std::min(static_cast<size_t>(n), limit_ - std::min(limit_, text.size())));
        }
        return true;
    }

    size_t limit_;
    char buffer_[16384];
    Pipe pipe_ = make_pipe();
};

}  // namespace

/// The name that its first process has seen: another container's, or the host's, if it shares that one's network.
std::string ContainerEngine::hostname_of(const ContainerInfo& info) const {
    std::string name = read_file_at(AT_FDCWD, folder_of(info.id) + "/hostname", 4096);
    return name.substr(0, name.find('\n'));
}

std::unique_ptr<Execution> ContainerEngine::begin_exec(const std::string& id, const ExecSpec& spec, int in, int out,
                                                       int err) {
    Entered entered = enter(id);
    const Snapshot& record = entered.record;
    Launcher::ExecRequest request = exec_request(record->info, spec, hostname_of(record->info));
    request.in = in;
    request.out = out;
    request.err = err;
    auto tell = [this, record, exec_id = random_hex(32)](const std::string& action,
                                                         std::map<std::string, std::string> more) {
        more["execID"] = exec_id;
        publish(*record, action, more);
    };
    const std::string text = command_text(spec.arguments);
    tell("exec_create: " + text, {});
    const std::shared_ptr<const Launched> run = run_of(record->info.id);
    if (!run) throw Error(Code::conflict, "the container is not running");
    Launcher::Exec process = launcher_.exec(record->info.id, *run, record->info.spec, request);
    // A client that takes no output must not keep it, and so its process namespace, from going.
    supervisor_->watch(process.process->pidfd().duplicate(), [child = process.process] { (void)child->exit_code(); });
    entered.lock.unlock();
    tell_failure(process, out, err);
    const int terminal = process.terminal.get();
    auto command = std::make_unique<Command>(std::move(process), record->info.name, tell);
    if (terminal >= 0 && ::fcntl(terminal, F_SETFL, O_RDWR | O_NONBLOCK) != 0) throw_errno("fcntl");
    tell("exec_start: " + text, {});
    return command;
}

ExecResult ContainerEngine::exec(const std::string& id, const ExecSpec& spec, Nanoseconds timeout, size_t output_limit,
                                 std::stop_token stop) {
    Output output(output_limit);
    std::unique_ptr<Execution> command = begin_exec(id, spec, -1, output.write_end(), output.write_end());
    output.started();
    ExecResult result;
    StopFd stopped(stop);
    auto deadline = Clock::now() + timeout;
    bool open = true;
    while (true) {
        auto rest = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
        int wait = timeout.count() <= 0 ? -1 : static_cast<int>(std::clamp<int64_t>(rest.count(), 0, 1 << 30));
        pollfd fds[3] = {
            {command->ended_fd(), POLLIN, 0}, {stopped.get(), POLLIN, 0}, {open ? output.get() : -1, POLLIN, 0}};
        int ready = ::poll(fds, 3, wait);
        if (ready < 0 && errno == EINTR) continue;
        if (fds[2].revents) open = output.take();
        if (fds[0].revents || fds[1].revents) break;
        result.timed_out = timeout.count() > 0 && Clock::now() >= deadline;
        if (!result.timed_out) continue;
        command->end();
        break;
    }
    result.exit_code = command->wait(stop);
    // What its children may still write is not waited for: they can go on for ever.
    if (open) output.take_rest();
    result.output = std::move(output.text);
    result.error = command->failure();
    if (!result.error.empty()) result.output = result.error.substr(0, output_limit);
    return result;
}

}  // namespace kedge::runtime

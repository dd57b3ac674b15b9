#pragma once

#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace kedge::test {

/// A program that a test starts: ended by its id and reaped when this goes out of scope.
class Process {
public:
    struct Options {
        std::map<std::string, std::string> environment;  ///< over this process' own
        int in = -1, out = -1, err = -1;                 ///< -1: in /dev/null, out and err this process' own
    };

    explicit Process(std::vector<std::string> arguments, const Options& options = no_options()) {
        std::vector<std::string> variables;
        for (char** entry = environ; *entry; ++entry) {
            std::string text = *entry;
            if (!options.environment.contains(text.substr(0, text.find('=')))) variables.push_back(text);
        }
        for (const auto& [name, value] : options.environment) variables.push_back(name + "=" + value);
        Fd null = open_at(AT_FDCWD, "/dev/null", O_RDWR);
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, options.in >= 0 ? options.in : null.get(), 0);
        if (options.out >= 0) ::posix_spawn_file_actions_adddup2(&actions, options.out, 1);
        if (options.err >= 0) ::posix_spawn_file_actions_adddup2(&actions, options.err, 2);
        int error = ::posix_spawnp(&pid_, arguments.at(0).c_str(), &actions, nullptr, pointers(arguments).data(),
                                   pointers(variables).data());
        ::posix_spawn_file_actions_destroy(&actions);
        if (error != 0) throw errno_error("start " + arguments[0], error);
        pidfd_ = Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    }
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    ~Process() {
        if (status_) return;
        signal(SIGKILL);
        (void)wait(std::chrono::seconds(30));
    }

    pid_t pid() const { return pid_; }
    void signal(int number) const { (void)::kill(pid_, number); }

    /// The status as of waitpid(2), or nothing if it still runs after that time.
    std::optional<int> wait(std::chrono::milliseconds patience) {
        if (status_) return status_;
        pollfd ended{pidfd_.get(), POLLIN, 0};
        int ready;
        do {
            ready = ::poll(&ended, 1, static_cast<int>(patience.count()));
        } while (ready < 0 && errno == EINTR);
        if (ready <= 0) return {};
        int status = 0;
        if (::waitpid(pid_, &status, 0) != pid_) throw_errno("waitpid");
        status_ = status;
        return status_;
    }

private:
    static const Options& no_options() {
        static const Options none;
        return none;
    }
    static std::vector<char*> pointers(std::vector<std::string>& texts) {
        std::vector<char*> result;
        for (std::string& text : texts) result.push_back(text.data());
        result.push_back(nullptr);
        return result;
    }

    pid_t pid_ = -1;
    Fd pidfd_;
    std::optional<int> status_;
};

struct Finished {
    int code = 0;     ///< 128 + signal if killed
    std::string out;  ///< standard output and error
};

/// Runs a program to its end and gives what it said.
inline Finished run(std::vector<std::string> arguments, std::map<std::string, std::string> environment = {}) {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) throw_errno("pipe");
    Fd read_end(fds[0]), write_end(fds[1]);
    Process process(std::move(arguments), {std::move(environment), -1, write_end.get(), write_end.get()});
    write_end.reset();
    Finished finished;
    finished.out = read_all(read_end.get(), 64u << 20);
    int status = process.wait(std::chrono::minutes(5)).value();
    finished.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return finished;
}

}  // namespace kedge::test

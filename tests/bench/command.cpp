#include "tests/bench/command.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>

namespace kedge::bench {

namespace {

/// Spawns with these as standard input and output; standard error is ours.
int spawn(const std::vector<std::string>& words, int in, int out) {
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, in, 0);
    ::posix_spawn_file_actions_adddup2(&actions, out, 1);
    pid_t pid = -1;
    int error = ::posix_spawnp(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (error != 0) fail(words[0] + ": " + std::strerror(error));
    return pid;
}

/// This thread, the only one, is in another network namespace for as long as this lives.
class InNamespace {
public:
    explicit InNamespace(const std::string& path) {
        if (path.empty()) return;
        home_ = Fd(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
        Fd there(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        if (!there || ::setns(there.get(), CLONE_NEWNET) != 0) fail(path + ": " + std::strerror(errno));
    }
    ~InNamespace() {
        if (home_ && ::setns(home_.get(), CLONE_NEWNET) != 0) fail("the network namespace is lost");
    }
    InNamespace(const InNamespace&) = delete;

private:
    Fd home_;
};

}  // namespace

void fail(const std::string& what) {
    std::fflush(stdout);
    std::fprintf(stderr, "%s\n", what.c_str());
    std::exit(1);
}

double timed(const std::function<void()>& work) {
    auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

void wait_for(const std::string& what, std::chrono::seconds patience, const std::function<bool()>& holds) {
    auto deadline = std::chrono::steady_clock::now() + patience;
    while (!holds()) {
        if (std::chrono::steady_clock::now() > deadline) fail("waited in vain: " + what);
        (void)::poll(nullptr, 0, 10);
    }
}

Command Command::from(const std::string& text, std::string network_namespace) {
    Command command{{}, std::move(network_namespace)};
    std::istringstream words(text);
    for (std::string word; words >> word;) command.words.push_back(word);
    if (command.words.empty()) fail("a command is empty");
    return command;
}

void Command::run() const {
    Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    int pid;
    {
        InNamespace there(network_namespace);
        pid = spawn(words, null.get(), null.get());
    }
    int status = 0;
    (void)::waitpid(pid, &status, 0);
    if (status != 0)
        fail(words[0] + " failed: " + std::to_string(WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status)));
}

Floor::Floor(const Command& command) {
    int in[2], out[2];
    if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) fail("pipe");
    Fd theirs_in(in[0]), theirs_out(out[1]);
    to_ = Fd(in[1]);
    from_ = Fd(out[0]);
    InNamespace there(command.network_namespace);
    pid_ = spawn(command.words, theirs_in.get(), theirs_out.get());
}

Floor::~Floor() {
    to_.reset();
    (void)::waitpid(pid_, nullptr, 0);
}

double Floor::once() {
    if (::write(to_.get(), "\n", 1) != 1) fail("the floor has ended");
    std::string line;
    for (char byte = 0; byte != '\n'; line += byte) {
        if (::read(from_.get(), &byte, 1) != 1) fail("the floor has ended");
    }
    return std::strtod(line.c_str(), nullptr);
}

}  // namespace kedge::bench

#include "sources/git_source.h"

#include "base/durable.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/folder.h"
#include "base/pipe.h"
#include "base/programs.h"
#include "sources/git_request.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

namespace kedge::sources {

namespace {

/// A repository that sends nothing for this long is taken for gone; it may be slow for as long as it likes.
constexpr int kSilenceLimitMs = 60'000;
constexpr size_t kAnswerLimit = 1u << 20;

/// One run of kedge-git: ended and reaped when this goes out of scope, whatever state it is in.
class GitProcess {
public:
    GitProcess() {
        auto [request_read, request_write] = make_pipe();
        auto [answer_read, answer_write] = make_pipe();
        std::string path = find_program("kedge-git");
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, request_read.get(), 0);
        ::posix_spawn_file_actions_adddup2(&actions, answer_write.get(), 1);
        std::string name = "kedge-git";
        char* argv[] = {name.data(), nullptr};
        std::string search = "PATH=/usr/bin:/bin";
        char* environment[] = {search.data(), nullptr};  // nothing of the agent's reaches libgit2
        int error = ::posix_spawn(&pid_, path.c_str(), &actions, nullptr, argv, environment);
        ::posix_spawn_file_actions_destroy(&actions);
        if (error != 0) throw errno_error("start " + path, error);
        input_ = std::move(request_write);
        output_ = std::move(answer_read);
    }
    GitProcess(const GitProcess&) = delete;
    ~GitProcess() {
        (void)::kill(pid_, SIGKILL);  // ours until it is reaped below; already ended is fine
        while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
        }
    }

    Fd& input() { return input_; }
    int output() const { return output_.get(); }

private:
    pid_t pid_ = -1;
    Fd input_;
    Fd output_;
};

std::string run_git(const GitRequest& request, const std::stop_token& stop) {
    GitProcess process;
    write_all(process.input().get(), to_json_text(request));
    process.input().reset();

    Fd stopped(::eventfd(0, EFD_CLOEXEC));
    std::stop_callback on_stop(stop, [&] { (void)::eventfd_write(stopped.get(), 1); });
    std::string pending;
    while (true) {
        pollfd waits[] = {{process.output(), POLLIN, 0}, {stopped.get(), POLLIN, 0}};
        int ready = ::poll(waits, 2, kSilenceLimitMs);
        if (ready < 0 && errno == EINTR) continue;
        if (ready < 0) throw_errno("poll");
        if (waits[1].revents) throw Error(Code::cancelled, request.settings.url + ": cancelled");
        if (ready == 0) {
            throw Error(Code::unavailable, request.settings.url + ": no answer for " +
                                               std::to_string(kSilenceLimitMs / 1000) + " seconds");
        }
        char buffer[4096];
        ssize_t n = ::read(process.output(), buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) throw_errno("read from kedge-git");
        if (n == 0) throw Error(Code::unavailable, request.settings.url + ": kedge-git ended without an answer");
        pending.append(buffer, static_cast<size_t>(n));
        for (size_t end; (end = pending.find('\n')) != std::string::npos; pending.erase(0, end + 1)) {
            if (auto result = read_answer_line(pending.substr(0, end))) return *result;
        }
        if (pending.size() > kAnswerLimit) throw Error(Code::internal, "kedge-git: the answer is too long");
    }
}

bool is_commit_id(const std::string& text) {
    return text.size() == 40 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

struct GitSource::State {
    GitSettings settings;
    std::string folder;
    Fd fd;
    std::optional<Commit> last;
};

GitSource::GitSource(GitSettings settings, std::string folder) : state_(std::make_unique<State>()) {
    state_->settings = std::move(settings);
    state_->folder = std::move(folder);
    make_folders(AT_FDCWD, state_->folder + "/trees");
    state_->fd = open_at(AT_FDCWD, state_->folder, O_RDONLY | O_DIRECTORY);
    try {
        state_->last = commit_from_json(read_file_at(state_->fd.get(), "last.json"));
    } catch (const Error&) {
        // never fetched, or the record is damaged: the next fetch writes it again
    }
}

GitSource::~GitSource() = default;

Commit GitSource::fetch(std::stop_token stop) {
    GitRequest request{GitRequest::Kind::fetch, state_->settings, state_->folder, ""};
    std::string answer = run_git(request, stop);
    Commit commit = commit_from_json(answer);
    if (!state_->last || to_json_text(*state_->last) != answer) {
        write_file_durably(state_->fd.get(), "last.json", answer);
        state_->last = commit;
    }
    return commit;
}

std::optional<Commit> GitSource::last() const {
    return state_->last;
}

std::string GitSource::checkout(const std::string& commit_id, std::stop_token stop) {
    if (!is_commit_id(commit_id)) throw Error(Code::invalid_argument, "\"" + commit_id + "\" is not a commit id");
    fault_point("git.checkout.before");
    (void)run_git({GitRequest::Kind::checkout, state_->settings, state_->folder, commit_id}, stop);
    fault_point("git.checkout.after");
    return state_->folder + "/trees/" + commit_id;
}

void GitSource::keep(const std::vector<std::string>& commit_ids) {
    Fd trees = open_at(state_->fd.get(), "trees", O_RDONLY | O_DIRECTORY);
    for (const std::string& name : names_in(trees.get())) {
        if (std::find(commit_ids.begin(), commit_ids.end(), name) != commit_ids.end()) continue;
        // Renamed first: what is left of a removal that is cut off is no tree of a commit.
        std::string doomed = name.starts_with(".tmp-") ? name : ".tmp-" + name;
        if (doomed != name && ::renameat(trees.get(), name.c_str(), trees.get(), doomed.c_str()) != 0) {
            throw_errno("remove tree of " + name);
        }
        remove_tree(trees.get(), doomed);
    }
}

}  // namespace kedge::sources

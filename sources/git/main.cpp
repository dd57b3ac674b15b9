#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "sources/git/repository.h"
#include "sources/git_request.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <exception>

using namespace kedge;
using namespace kedge::sources;

namespace {

std::string carry_out(const GitRequest& request) {
    uint64_t count = 0;
    auto alive = [&] { write_all(STDOUT_FILENO, alive_line(++count)); };
    Repository repository = open_repository(request.folder);
    if (request.kind == GitRequest::Kind::fetch) {
        return to_json_text(fetch_commit(repository.get(), request.settings, alive));
    }
    write_tree(repository.get(), request.settings, request.folder, request.commit, alive);
    return request.commit;
}

/// Whether the clone is damaged or what the other side sends shows in a clone that is begun anew: it takes the old
/// one's place only if it can be had.
std::string fetch_anew(const GitRequest& request) {
    const std::string name = "repository.git.new";
    remove_tree(AT_FDCWD, request.folder + "/" + name);
    uint64_t count = 0;
    std::string result;
    try {
        Repository repository = open_repository(request.folder, name);
        result = to_json_text(
            fetch_commit(repository.get(), request.settings, [&] { write_all(STDOUT_FILENO, alive_line(++count)); }));
    } catch (...) {
        remove_tree(AT_FDCWD, request.folder + "/" + name);
        throw;
    }
    set_repository_aside(request.folder);
    rename_durably(AT_FDCWD, request.folder + "/" + name, AT_FDCWD, request.folder + "/repository.git");
    return result;
}

/// An internal error is libgit2's word for objects that can't be read: the clone is fetched again, at once for a fetch,
/// at the next poll for a checkout.
std::string answer(const GitRequest& request) {
    Fd folder = open_at(AT_FDCWD, request.folder, O_RDONLY | O_DIRECTORY);
    if (::flock(folder.get(), LOCK_EX) != 0)
        throw_errno("lock " + request.folder);  // one that a former agent began may be ending still
    remove_leftovers(request.folder);
    set_up_libgit2(request.settings, request.folder);
    try {
        return carry_out(request);
    } catch (const Error& e) {
        if (e.code() != Code::internal) throw;
        if (request.kind == GitRequest::Kind::fetch) return fetch_anew(request);
        set_repository_aside(request.folder);
        throw Error(Code::unavailable, e.what() + std::string(" (the clone is damaged and will be fetched again)"));
    }
}

}  // namespace

/// One request from standard input, its answer to standard output (sources/git_request.h). For the agent only.
int main() {
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);  // nobody would read the answer
    try {
        std::string line;
        try {
            line = result_line(answer(git_request_from_json(read_all(STDIN_FILENO, 1u << 20))));
        } catch (const Error& e) {
            line = error_line(e);
        } catch (const std::exception& e) {
            line = error_line(Error(Code::internal, e.what()));
        }
        write_all(STDOUT_FILENO, line);
        return 0;
    } catch (const std::exception&) {
        return 1;  // the reader is gone
    }
}

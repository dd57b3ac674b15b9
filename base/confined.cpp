#include "base/confined.h"

#include "base/error.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace kedge {

namespace {

Fd open_resolved(int root, const std::string& path, int flags, unsigned mode, uint64_t resolve) {
    open_how how{};
    how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
    how.mode = (flags & (O_CREAT | O_TMPFILE)) ? mode : 0;
    how.resolve = resolve | RESOLVE_NO_MAGICLINKS;
    const char* name = path.empty() ? "." : path.c_str();
    while (true) {
        long fd = ::syscall(SYS_openat2, root, name, &how, sizeof how);
        if (fd >= 0) return Fd(static_cast<int>(fd));
        // EAGAIN: a rename raced with the walk, which RESOLVE_IN_ROOT then refuses to judge.
        if (errno != EAGAIN && errno != EINTR) throw_errno("open " + path);
    }
}

}  // namespace

ConfinedRoot::ConfinedRoot(Fd folder) : root_(std::move(folder)) {}

ConfinedRoot::ConfinedRoot(int dirfd, const std::string& path) : root_(open_at(dirfd, path, O_PATH | O_DIRECTORY)) {}

Fd ConfinedRoot::open(const std::string& path, int flags, unsigned mode) const {
    return open_resolved(root_.get(), path, flags, mode, RESOLVE_IN_ROOT);
}

Fd ConfinedRoot::open_strictly(const std::string& path, int flags, unsigned mode) const {
    return open_resolved(root_.get(), path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
}

Fd ConfinedRoot::make_folders(const std::string& path, unsigned mode) const {
    Fd folder = open("", O_PATH | O_DIRECTORY);
    std::string walked;
    for (size_t start = 0; start < path.size();) {
        size_t end = std::min(path.find('/', start), path.size());
        std::string part = path.substr(start, end - start);
        start = end + 1;
        if (part.empty() || part == ".") continue;
        walked += "/" + part;
        // The parent is held open, so a name swapped for a link between the two calls changes nothing: mkdirat
        // does not follow a final link, and the walk below starts at the root again.
        if (part != ".." && ::mkdirat(folder.get(), part.c_str(), mode) != 0 && errno != EEXIST) {
            throw_errno("mkdir " + walked);
        }
        folder = open(walked, O_PATH | O_DIRECTORY);
    }
    return folder;
}

bool ConfinedRoot::exists(const std::string& path) const {
    try {
        (void)open(path, O_PATH);
        return true;
    } catch (const Error& e) {
        if (e.code() == Code::not_found) return false;
        throw;
    }
}

}  // namespace kedge

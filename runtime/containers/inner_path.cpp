#include "runtime/containers/inner_path.h"

#include "base/error.h"
#include "runtime/containers/resolve.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <deque>

namespace kedge::runtime {

namespace {

constexpr int kMostLinks = 255;

/// The parts of a path are put before the others.
void push_front(std::deque<std::string>& parts, const std::string& path) {
    std::deque<std::string> more;
    for (size_t start = 0; start < path.size();) {
        size_t end = std::min(path.find('/', start), path.size());
        if (end > start) more.push_back(path.substr(start, end - start));
        start = end + 1;
    }
    parts.insert(parts.begin(), more.begin(), more.end());
}

/// The target if it is a link; empty if it isn't, or isn't there.
std::string link_at(const ConfinedRoot& root, const std::string& path) {
    Fd fd;
    try {
        fd = root.open(path, O_PATH | O_NOFOLLOW);
    } catch (const Error&) {
        return {};
    }
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0 || !S_ISLNK(info.st_mode)) return {};
    std::string target(4096, '\0');
    ssize_t size = ::readlinkat(fd.get(), "", target.data(), target.size());
    if (size < 0) throw_errno("read link " + path);
    target.resize(static_cast<size_t>(size));
    return target;
}

}  // namespace

InnerPath::InnerPath(const std::string& text) : path(clean_path(text)) {
    std::string last = text.substr(std::min(text.rfind('/') + 1, text.size()));  // of the whole if there is no slash
    is_folder = last.empty() || last == "." || last == ".." || path == "/";
    name = last == "." ? "." : path == "/" ? "/" : path.substr(path.rfind('/') + 1);
}

Fd open_inner(const ConfinedRoot& root, const InnerPath& path) {
    return root.open(path.path, O_PATH | (path.is_folder ? O_DIRECTORY : O_NOFOLLOW));
}

std::string follow_inner(const ConfinedRoot& root, const std::string& path) {
    std::deque<std::string> left;
    push_front(left, path);
    std::string done;
    int links = 0;
    while (!left.empty()) {
        std::string part = left.front();
        left.pop_front();
        if (part == ".") continue;
        if (part == "..") {
            done.resize(done.empty() ? 0 : done.rfind('/'));
            continue;
        }
        std::string target = link_at(root, done + "/" + part);
        if (target.empty()) {
            done += "/" + part;
            continue;
        }
        if (++links > kMostLinks) throw Error(Code::invalid_argument, path + ": too many links");
        if (target.starts_with('/')) done.clear();
        push_front(left, target);
    }
    return done.empty() ? "/" : done;
}

}  // namespace kedge::runtime

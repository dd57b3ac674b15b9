#include "cli/copy/local.h"

#include "base/error.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <memory>

namespace kedge::cli {

namespace {

std::string resolved(const std::string& path) {
    std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), std::free);
    if (!real) throw_errno(path);
    return real.get();
}

/// False if nothing is there.
bool look(const std::string& path, struct stat& info, bool follow) {
    if ((follow ? ::stat(path.c_str(), &info) : ::lstat(path.c_str(), &info)) == 0) return true;
    if (errno != ENOENT) throw_errno(path);
    return false;
}

}  // namespace

std::string working_folder() {
    std::unique_ptr<char, void (*)(void*)> folder(::getcwd(nullptr, 0), std::free);
    if (!folder) throw_errno("working folder");
    return folder.get();
}

CopySide local_source(const std::string& path, bool follow) {
    CopySide side;
    if (follow) {
        side = behind_link(path, resolved(path));
    } else {
        size_t slash = path.rfind('/');
        std::string folder = resolved(path.substr(0, slash + 1));
        side.path = (folder == "/" ? "" : folder) + path.substr(slash);
        if (path.ends_with('/') && SplitPath(path).name != SplitPath(side.path).name)
            side.shown_as = SplitPath(path).name;
    }
    struct stat info {};
    if (::lstat(side.path.c_str(), &info) != 0) throw_errno("lstat " + side.path);
    side.exists = true;
    side.is_folder = S_ISDIR(info.st_mode);
    return side;
}

CopySide local_target(const std::string& path) {
    constexpr int kMostLinks = 40;
    CopySide side;
    side.path = path;
    struct stat info {};
    for (int links = 0; look(side.path, info, false) && S_ISLNK(info.st_mode); ++links) {
        if (links == kMostLinks) throw Error(Code::invalid_argument, "too many symlinks in " + path);
        std::string target(PATH_MAX, '\0');
        ssize_t size = ::readlink(side.path.c_str(), target.data(), target.size());
        if (size < 0) throw_errno(side.path);
        target.resize(static_cast<size_t>(size));
        side.path = target.starts_with('/') ? target : clean_words(SplitPath(side.path).folder + "/" + target);
    }
    if (look(side.path, info, false)) {
        side.exists = true;
        side.is_folder = S_ISDIR(info.st_mode);
        return side;
    }
    const std::string parent = SplitPath(side.path).folder;
    if (::stat(parent.c_str(), &info) != 0) throw_errno("stat " + parent);
    if (!S_ISDIR(info.st_mode)) throw Error(Code::invalid_argument, parent + ": not a directory");
    return side;
}

void check_output(const std::string& path) {
    const std::string parent = SplitPath(clean_words(path)).folder;
    struct stat info {};
    if (!look(parent, info, true))
        throw Error(Code::invalid_argument,
                    fmt::format("invalid output path: directory \"{}\" does not exist", parent));
    if (!look(path, info, true) || S_ISDIR(info.st_mode) || S_ISREG(info.st_mode)) return;
    bool device = S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode);
    throw Error(Code::invalid_argument,
                fmt::format("invalid output path: \"{}\" must be a directory or a regular file: got {}", path,
                            device ? "a device" : "an irregular file"));
}

}  // namespace kedge::cli

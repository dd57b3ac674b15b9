#include "base/error.h"
#include "base/fd.h"
#include "base/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <set>

namespace kedge {

namespace {

/// A folder on the way to where the sum has got.
struct Level {
    dev_t device = 0;
    ino_t inode = 0;
    std::vector<std::string> folders;  ///< in it, still to be entered
};

class TreeSize {
public:
    int64_t of(Fd folder) {
        enter(folder.get());
        while (true) {
            Level& level = levels_.back();
            if (!level.folders.empty()) {
                std::string inner = std::move(level.folders.back());
                level.folders.pop_back();
                Fd next(::openat(folder.get(), inner.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
                if (!next) continue;  // gone, or another thing by now
                folder = std::move(next);
                enter(folder.get());
            } else {
                levels_.pop_back();
                // Not by a descriptor for each level: hostile trees are deeper than that.
                if (levels_.empty() || !leave(folder)) return sum_;
            }
        }
    }

private:
    static struct stat status_of(int folder) {
        struct stat info {};
        if (::fstat(folder, &info) != 0) throw_errno("stat");
        return info;
    }

    void enter(int folder) {
        const struct stat info = status_of(folder);
        Level level{info.st_dev, info.st_ino, {}};
        if (levels_.empty() || levels_.front().device == info.st_dev) read(folder, level);
        levels_.push_back(std::move(level));
    }

    /// False if the folder was moved away meanwhile: what lies above it is another place.
    bool leave(Fd& folder) {
        folder = open_at(folder.get(), "..", O_RDONLY | O_DIRECTORY);
        const struct stat info = status_of(folder.get());
        return info.st_dev == levels_.back().device && info.st_ino == levels_.back().inode;
    }

    void read(int folder, Level& level) {
        Fd own = open_at(folder, ".", O_RDONLY | O_DIRECTORY);
        std::unique_ptr<DIR, int (*)(DIR*)> dir(::fdopendir(own.get()), ::closedir);
        if (!dir) throw_errno("read folder");
        (void)own.release();
        while (dirent* entry = ::readdir(dir.get())) {
            const std::string name = entry->d_name;
            if (name == "." || name == "..") continue;
            struct stat info {};
            if (::fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) continue;  // gone meanwhile
            if (S_ISDIR(info.st_mode)) {
                level.folders.push_back(name);
            } else if (info.st_nlink < 2 || counted_.insert(info.st_ino).second) {
                sum_ += info.st_size;
            }
        }
    }

    std::vector<Level> levels_;
    std::set<ino_t> counted_;  ///< those with several names
    int64_t sum_ = 0;
};

}  // namespace

int64_t tree_size(int dirfd, const std::string& name) {
    Fd folder(::openat(dirfd, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!folder && errno == ENOENT) return 0;
    if (!folder) throw_errno("open " + name);
    return TreeSize().of(std::move(folder));
}

}  // namespace kedge

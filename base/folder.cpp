#include "base/folder.h"

#include "base/error.h"
#include "base/fd.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <memory>

namespace kedge {

std::vector<std::string> names_in(int folder) {
    // A descriptor of its own: reading moves the position of the open file.
    Fd own = open_at(folder, ".", O_RDONLY | O_DIRECTORY);
    std::unique_ptr<DIR, int (*)(DIR*)> dir(::fdopendir(own.get()), ::closedir);
    if (!dir) throw_errno("read folder");
    (void)own.release();
    std::vector<std::string> names;
    while (dirent* entry = ::readdir(dir.get())) {
        std::string name = entry->d_name;
        if (name != "." && name != "..") names.push_back(std::move(name));
    }
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace kedge

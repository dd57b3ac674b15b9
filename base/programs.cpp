#include "base/programs.h"

#include "base/error.h"

#include <unistd.h>

#include <climits>

namespace kedge {

std::string find_program(const std::string& name) {
    std::string self(PATH_MAX, '\0');
    ssize_t length = ::readlink("/proc/self/exe", self.data(), self.size());
    if (length < 0) throw_errno("readlink /proc/self/exe");
    self.resize(static_cast<size_t>(length));
    std::string folder = self.substr(0, self.rfind('/'));
    std::string beside = folder + "/" + name;
    std::string installed = folder + "/../libexec/kedge/" + name;
    for (const std::string& path : {beside, installed}) {
        if (::access(path.c_str(), X_OK) == 0) return path;
    }
    throw Error(Code::not_found, name + " is neither " + beside + " nor " + installed);
}

}  // namespace kedge

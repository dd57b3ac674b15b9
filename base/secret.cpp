#include "base/secret.h"

#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>
#include <sys/stat.h>

namespace kedge {

namespace {

Fd open_private(const std::string& path) {
    Fd file = open_at(AT_FDCWD, path, O_RDONLY);
    struct stat info {};
    if (::fstat(file.get(), &info) != 0) throw_errno(path);
    if (info.st_mode & S_IRWXO)
        throw Error(Code::permission_denied, path + ": others may read this secret", "chmod 600 " + path);
    return file;
}

}  // namespace

void check_private(const std::string& path) {
    (void)open_private(path);
}

std::string read_secret(const std::string& path) {
    std::string secret = read_all(open_private(path).get(), 64u << 10);
    while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) secret.pop_back();
    if (secret.empty()) throw Error(Code::invalid_argument, path + ": is empty");
    return secret;
}

}  // namespace kedge

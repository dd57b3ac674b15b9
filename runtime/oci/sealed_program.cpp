#include "runtime/oci/sealed_program.h"

#include "base/error.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace kedge::oci {

namespace {

constexpr unsigned kMayBeExecuted = 0x10;  // MFD_EXEC, which older kernels don't know and don't need
constexpr size_t kLargest = 64u << 20;

Fd make_memory() {
    int fd = ::memfd_create("kedge-shim", MFD_CLOEXEC | MFD_ALLOW_SEALING | kMayBeExecuted);
    if (fd < 0 && errno == EINVAL) fd = ::memfd_create("kedge-shim", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) throw_errno("make a program in memory");
    return Fd(fd);
}

}  // namespace

SealedProgram::SealedProgram(const std::string& path) : memory_(make_memory()) {
    write_all(memory_.get(), read_file_at(AT_FDCWD, path, kLargest));
    if (::fcntl(memory_.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
        throw_errno("seal a program in memory");
    // Not /proc/self: what is started may have something else under this number.
    path_ = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(memory_.get());
}

}  // namespace kedge::oci

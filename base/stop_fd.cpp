#include "base/stop_fd.h"

#include "base/error.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

namespace kedge {

namespace {

int make_event() {
    int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) throw_errno("eventfd");
    return fd;
}

}  // namespace

StopFd::StopFd(const std::stop_token& stop) : fd_(make_event()), callback_(stop, Write{fd_.get()}) {}

void StopFd::Write::operator()() const {
    uint64_t one = 1;
    (void)!::write(fd, &one, sizeof one);  // an eventfd takes it
}

}  // namespace kedge

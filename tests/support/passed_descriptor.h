#pragma once

#include "base/fd.h"

#include <sys/socket.h>

#include <cstring>
#include <string>

namespace kedge::test {

/// A message with a descriptor (SCM_RIGHTS), as it came on a connection.
struct PassedDescriptor {
    std::string text;
    Fd fd;  ///< empty if there was none
};

inline PassedDescriptor receive_descriptor(int socket) {
    char text[4096];
    iovec part{text, sizeof text};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    PassedDescriptor passed;
    if (size > 0) passed.text.assign(text, static_cast<size_t>(size));
    const cmsghdr* head = size > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
    int fd = -1;
    if (head) std::memcpy(&fd, CMSG_DATA(head), sizeof fd);
    passed.fd = Fd(fd);
    return passed;
}

}  // namespace kedge::test

#include "runtime/shim/attach.h"

#include "runtime/shim/attach_request.h"
#include "runtime/shim/streams.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

namespace kedge::shim {

namespace {

constexpr int kBacklog = 64;
constexpr int kPatience = 1;  // seconds for who has connected to say what for: the container's output waits meanwhile

struct Asked {
    AttachRequest request;
    int fds[2] = {-1, -1};  ///< in the order in which they were sent
};

bool receive(int socket, Asked& asked) {
    iovec part{&asked.request, sizeof asked.request};
    msghdr packet{};
    packet.msg_iov = &part;
    packet.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof asked.fds)] = {};
    packet.msg_control = control;
    packet.msg_controllen = sizeof control;
    long size = sys(__NR_recvmsg, socket, &packet, MSG_CMSG_CLOEXEC);
    if (size < 0) return false;
    cmsghdr* head = CMSG_FIRSTHDR(&packet);
    if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS && head->cmsg_len > CMSG_LEN(0)) {
        size_t bytes = head->cmsg_len - CMSG_LEN(0);
        memcpy(asked.fds, CMSG_DATA(head), bytes < sizeof asked.fds ? bytes : sizeof asked.fds);
    }
    return size == sizeof asked.request && asked.request.magic == kPlanMagic;
}

void serve(int socket, bool input_once) {
    timeval patience{kPatience, 0};
    (void)sys(__NR_setsockopt, socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    Asked asked;
    bool understood = receive(socket, asked);
    uint32_t flags = understood ? asked.request.flags : 0;
    int next = 0, out = -1, err = -1;
    if (flags & kAttachOut) out = asked.fds[next++];
    if (flags & kAttachErr) err = asked.fds[next++];
    for (; next < 2; next++)
        if (asked.fds[next] >= 0) close_fd(asked.fds[next]);
    if (!understood) return;
    AttachReply reply;
    reply.error = -attach_pipes(out, err, (flags & kAttachPending) != 0);
    Clock time = now();
    reply.seconds = time.seconds;
    reply.nanoseconds = time.nanoseconds;
    int input = reply.error == 0 && (flags & kAttachIn) ? input_end() : -1;
    if (send_descriptor(socket, &reply, sizeof reply, input) && input >= 0) give_away_input(input_once);
}

}  // namespace

int listen_for_attached(int run_folder) {
    // By descriptor: the path of a run folder may be longer than a socket's address.
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    Line path(address.sun_path, sizeof address.sun_path);
    path.add("/proc/self/fd/").number(static_cast<uint64_t>(run_folder)).add("/").add(kAttachSocket);
    long listener = sys(__NR_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0) return static_cast<int>(listener);
    long result = sys(__NR_bind, listener, &address, sizeof address);
    if (result >= 0) result = sys(__NR_listen, listener, kBacklog);
    return static_cast<int>(result < 0 ? result : listener);
}

void accept_attached(int listener, bool input_once) {
    while (true) {
        long socket = sys(__NR_accept4, listener, nullptr, nullptr, SOCK_CLOEXEC);
        if (socket == -EINTR || socket == -ECONNABORTED) continue;
        if (socket < 0) return;
        serve(static_cast<int>(socket), input_once);
        close_fd(static_cast<int>(socket));
    }
}

}  // namespace kedge::shim

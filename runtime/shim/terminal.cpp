#include "runtime/shim/start.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace kedge::shim {

bool send_descriptor(int socket, const void* data, size_t size, int fd) {
    iovec part{const_cast<void*>(data), size};
    msghdr packet{};
    packet.msg_iov = &part;
    packet.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    if (fd >= 0) {
        memset(control, 0, sizeof control);
        packet.msg_control = control;
        packet.msg_controllen = sizeof control;
        cmsghdr* head = CMSG_FIRSTHDR(&packet);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(head), &fd, sizeof fd);
    }
    return sys(__NR_sendmsg, socket, &packet, MSG_NOSIGNAL) == static_cast<long>(size);
}

int receive_descriptor(int socket) {
    Message message;
    iovec part{&message, sizeof message};
    msghdr packet{};
    packet.msg_iov = &part;
    packet.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    packet.msg_control = control;
    packet.msg_controllen = sizeof control;
    if (sys(__NR_recvmsg, socket, &packet, MSG_CMSG_CLOEXEC) != sizeof message) return -1;
    cmsghdr* head = CMSG_FIRSTHDR(&packet);
    if (!head || head->cmsg_type != SCM_RIGHTS) return -1;
    int fd = -1;
    memcpy(&fd, CMSG_DATA(head), sizeof fd);
    return fd;
}

void connect_terminal(const Start& start) {
    if (start.terminal < 0) return;
    int root = start.root >= 0 ? start.root : open_file(AT_FDCWD, "/", O_PATH | O_DIRECTORY);
    // What lies there may be anything in a container that runs already: only a terminal takes the next steps.
    int master = open_resolved(root, "dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK, RESOLVE_IN_ROOT);
    int unlock = 0;
    long result = master < 0 ? master : sys(__NR_ioctl, master, TIOCSPTLCK, &unlock);
    int terminal =
        result < 0 ? -1 : static_cast<int>(sys(__NR_ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (result >= 0 && terminal < 0) result = terminal;
    if (result >= 0) result = sys(__NR_ioctl, terminal, TIOCSCTTY, 0);
    if (result >= 0) result = sys(__NR_fchown, terminal, start.plan->uid, -1);
    winsize size{start.plan->terminal_rows, start.plan->terminal_columns, 0, 0};
    if (result >= 0 && size.ws_row > 0) result = sys(__NR_ioctl, master, TIOCSWINSZ, &size);
    unsigned number = 0;
    if (result >= 0) result = sys(__NR_ioctl, master, TIOCGPTN, &number);
    if (result < 0) fail(Stage::terminal, result);
    if (start.console) show_console(start, number);
    for (int i = 0; i < 3; i++) (void)sys(__NR_dup3, terminal, i, 0);
    Message message;
    message.kind = MessageKind::terminal;
    if (!send_descriptor(start.terminal, &message, sizeof message, master)) fail(Stage::terminal, -EPIPE);
    close_fd(master);
    close_fd(terminal);
    if (root != start.root) close_fd(root);
}

}  // namespace kedge::shim

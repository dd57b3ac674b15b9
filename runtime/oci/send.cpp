// Descriptors that go to whoever listens at a socket.
#include "base/error.h"
#include "runtime/oci/commands.h"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

namespace kedge::oci {

namespace {

/// `field`: what of the request or the configuration named the socket.
void send_with(const std::string& field, const std::string& path, std::string bytes, int fd) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        throw Error(Code::invalid_argument, field + ": " + path + " is too long for a socket");
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        throw_errno(field + ": " + path);
    iovec part{bytes.data(), bytes.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(head), &fd, sizeof fd);
    ssize_t sent = ::sendmsg(socket.get(), &message, MSG_NOSIGNAL);
    if (sent < 0) throw_errno(field + ": " + path);
    // The descriptor goes with the first byte; a long state may need more than one piece.
    for (size_t done = static_cast<size_t>(sent); done < bytes.size(); done += static_cast<size_t>(sent)) {
        sent = ::send(socket.get(), bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
        if (sent < 0) throw_errno(field + ": " + path);
    }
}

}  // namespace

void send_terminal(const std::string& path, const Fd& terminal) {
    // The master doesn't block for the shim that made it; whoever gets it here decides that himself.
    (void)::fcntl(terminal.get(), F_SETFL, ::fcntl(terminal.get(), F_GETFL) & ~O_NONBLOCK);
    send_with("--console-socket", path, "/dev/ptmx", terminal.get());
}

void send_seccomp_listener(const Config& config, const State& state, Status status, int pid, const Fd& listener) {
    Json told = {{"ociVersion", kSpecVersion},
                 {"fds", {"seccompFd"}},
                 {"pid", pid},
                 {"state", state_json(state, status, state.init.pid)}};
    if (!config.listener_metadata.empty()) told["metadata"] = config.listener_metadata;
    send_with("config.json: linux.seccomp.listenerPath", config.listener_path, told.dump(), listener.get());
}

}  // namespace kedge::oci

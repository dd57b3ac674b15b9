#include "runtime/containers/launch_dialogue.h"

#include "base/error.h"
#include "runtime/containers/launch_words.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace kedge::runtime {

ShimDialogue::ShimDialogue(const PlanWriter& plan, LaunchSpec& spec) : plan_(&plan), spec_(spec) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) throw_errno("make a socket for the shim");
    ours_ = Fd(ends[0]);
    theirs_ = Fd(ends[1]);
}

/// The next message that isn't a warning. False at the end of the socket.
bool ShimDialogue::next(shim::Message* message, Fd* passed) {
    while (true) {
        iovec part{message, sizeof *message};
        msghdr packet{};
        packet.msg_iov = &part;
        packet.msg_iovlen = 1;
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
        packet.msg_control = control;
        packet.msg_controllen = sizeof control;
        ssize_t size = ::recvmsg(ours_.get(), &packet, MSG_CMSG_CLOEXEC);
        if (size < 0 && errno == EINTR) continue;
        // The other side ended without having read that it may go on. What it said before comes after this error.
        if (size < 0 && errno == ECONNRESET) continue;
        if (size != sizeof *message) return false;
        Fd received;
        for (cmsghdr* head = CMSG_FIRSTHDR(&packet); head; head = CMSG_NXTHDR(&packet, head)) {
            if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(head), sizeof fd);
            received = Fd(fd);
        }
        if (message->kind == shim::MessageKind::listening) {
            if (listener_taker_) listener_taker_(std::move(received));
            let_go();
            continue;
        }
        if (passed && received) *passed = std::move(received);
        if (message->kind != shim::MessageKind::warning) return true;
        spec_.warnings.push_back(launch_warning(*message, subject(*message)));
    }
}

std::string ShimDialogue::subject(const shim::Message& message) const {
    return plan_ ? plan_->text(message.subject) : std::string();
}

void ShimDialogue::await(shim::MessageKind kind, Fd* terminal, int* exit_code) {
    shim::Message message;
    Fd passed;
    while (next(&message, &passed)) {
        if (message.kind == shim::MessageKind::failed) refuse(message, exit_code);
        if (message.kind == shim::MessageKind::terminal && terminal) *terminal = std::move(passed);
        if (message.kind == kind) return;
    }
    throw Error(Code::internal, "the container's first process ended while it was being made");
}

void ShimDialogue::refuse(const shim::Message& message, int* exit_code) {
    if (exit_code) *exit_code = launch_exit_code(message);
    throw launch_error(message, subject(message), spec_);
}

void ShimDialogue::await_spawned(Launched& started) {
    shim::Message message;
    if (!next(&message, &started.init_pidfd))
        throw Error(Code::internal, "kedge-shim ended before it started the container");
    if (message.kind == shim::MessageKind::failed) refuse(message, nullptr);
    started.shim = {message.shim_pid, message.shim_start_time};
    started.init = {message.pid, message.start_time};
}

void ShimDialogue::let_go() {
    char go = 1;
    (void)::send(ours_.get(), &go, 1, MSG_NOSIGNAL);  // one that has failed meanwhile has said so
}

void ShimDialogue::await_executing(int* exit_code, Fd* terminal) {
    shim::Message message;
    bool executing = false;
    Fd passed;
    while (next(&message, &passed)) {
        if (terminal && message.kind == shim::MessageKind::terminal) *terminal = std::move(passed);
        if (message.kind == shim::MessageKind::failed) refuse(message, exit_code);
        executing = executing || message.kind == shim::MessageKind::executing;
    }
    if (!executing) {
        if (exit_code) *exit_code = shim::kCannotStart;
        throw Error(Code::internal,
                    "the container's first process ended before it executed: " + spec_.arguments.front());
    }
}

}  // namespace kedge::runtime

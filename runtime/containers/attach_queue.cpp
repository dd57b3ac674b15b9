#include "runtime/containers/attach_queue.h"

#include "base/error.h"
#include "base/log.h"
#include "base/pipe.h"
#include "runtime/shim/attach_request.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace kedge::runtime {

namespace {

/// Empty if its shim has ended.
Fd connect_to_shim(const std::string& run_folder) {
    Fd folder(::open(run_folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!folder && errno == ENOENT) return {};
    if (!folder) throw_errno("open " + run_folder);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    // By descriptor: the path of a run folder may be longer than a socket's address.
    std::snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", folder.get(), shim::kAttachSocket);
    Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (!socket) throw_errno("make a socket for the shim");
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return socket;
    if (errno == ENOENT)
        throw Error(Code::conflict, "a former version of kedge started this container: its streams can't be reached",
                    "restart the container");
    return {};
}

bool send_request(int socket, const shim::AttachRequest& request, const int* fds, size_t count) {
    iovec part{const_cast<shim::AttachRequest*>(&request), sizeof request};
    msghdr packet{};
    packet.msg_iov = &part;
    packet.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {};
    if (count > 0) {
        packet.msg_control = control;
        packet.msg_controllen = CMSG_SPACE(count * sizeof(int));
        cmsghdr* head = CMSG_FIRSTHDR(&packet);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(count * sizeof(int));
        std::memcpy(CMSG_DATA(head), fds, count * sizeof(int));
    }
    return ::sendmsg(socket, &packet, MSG_NOSIGNAL) == sizeof request;
}

bool receive_reply(int socket, shim::AttachReply& reply, Fd& input) {
    iovec part{&reply, sizeof reply};
    msghdr packet{};
    packet.msg_iov = &part;
    packet.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    packet.msg_control = control;
    packet.msg_controllen = sizeof control;
    ssize_t size = -1;
    do size = ::recvmsg(socket, &packet, MSG_CMSG_CLOEXEC);
    while (size < 0 && errno == EINTR);
    cmsghdr* head = size > 0 ? CMSG_FIRSTHDR(&packet) : nullptr;
    if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(head), sizeof fd);
        input.reset(fd);
    }
    return size == sizeof reply;
}

class Attached : public Attachment {
public:
    Attached(Fd out, Fd err, std::shared_ptr<Handover> handover, std::weak_ptr<AttachQueue> queue)
        : out_(std::move(out)), err_(std::move(err)), handover_(std::move(handover)), queue_(std::move(queue)) {}
    ~Attached() override {
        if (auto queue = queue_.lock()) queue->remove(handover_);
    }
    int out() const override { return out_.get(); }
    int err() const override { return err_.get(); }
    Begun wait(std::stop_token stop) override { return handover_->wait(stop); }

private:
    Fd out_, err_;
    std::shared_ptr<Handover> handover_;
    std::weak_ptr<AttachQueue> queue_;
};

}  // namespace

void Handover::give(const std::string& run_folder) {
    Attachment::Begun begun;
    try {
        Fd socket = connect_to_shim(run_folder);
        shim::AttachRequest request;
        request.flags = flags_;
        int fds[2];
        size_t count = 0;
        for (const Fd* pipe : {&out_, &err_})
            if (*pipe) fds[count++] = pipe->get();
        shim::AttachReply reply;
        bool answered =
            socket && send_request(socket.get(), request, fds, count) && receive_reply(socket.get(), reply, begun.in);
        if (answered && reply.error != 0) {
            throw Error(Code::resource_exhausted, "too many are attached to this container already");
        }
        if (answered)
            begun.since = WallTime(std::chrono::seconds(reply.seconds) + std::chrono::nanoseconds(reply.nanoseconds));
        if (begun.in && ::fcntl(begun.in.get(), F_SETFL, O_RDWR | O_NONBLOCK) != 0) throw_errno("fcntl");
    } catch (...) {
        settle({});
        throw;
    }
    settle(std::move(begun));
}

void Handover::settle(Attachment::Begun begun) {
    std::lock_guard lock(mutex_);
    out_.reset();
    err_.reset();
    if (std::exchange(is_settled_, true)) return;
    begun_ = std::move(begun);
    settled_.notify_all();
}

Attachment::Begun Handover::wait(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    if (!settled_.wait(lock, stop, [this] { return is_settled_; }))
        throw Error(Code::cancelled, "attaching was cancelled");
    return std::move(begun_);
}

void AttachQueue::add(std::shared_ptr<Handover> handover) {
    std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(handover));
}

void AttachQueue::remove(const std::shared_ptr<Handover>& handover) {
    std::lock_guard lock(mutex_);
    waiting_.remove(handover);
}

std::list<std::shared_ptr<Handover>> AttachQueue::take() {
    std::lock_guard lock(mutex_);
    return std::exchange(waiting_, {});
}

void AttachQueue::give(const std::string& run_folder) {
    for (const auto& handover : take()) {
        try {
            handover->give(run_folder);
        } catch (const Error& e) {
            log(LogLevel::warning, std::string("attach: ") + e.what());  // the container starts without it
        }
    }
}

void AttachQueue::give_up() {
    for (const auto& handover : take()) handover->give_up();
}

std::unique_ptr<Attachment> make_attachment(const AttachOptions& options, const std::shared_ptr<AttachQueue>& queue,
                                            const std::string& run_folder) {
    Pipe out, err;
    uint32_t flags = 0;
    if (options.out) {
        out = make_pipe();
        flags |= shim::kAttachOut;
    }
    if (options.err) {
        err = make_pipe();
        flags |= shim::kAttachErr;
    }
    if (options.in) flags |= shim::kAttachIn;
    if (options.pending) flags |= shim::kAttachPending;
    auto handover = std::make_shared<Handover>(flags, std::move(out.write), std::move(err.write));
    auto attached = std::make_unique<Attached>(std::move(out.read), std::move(err.read), handover, queue);
    if (queue)
        queue->add(handover);
    else
        handover->give(run_folder);
    return attached;
}

}  // namespace kedge::runtime

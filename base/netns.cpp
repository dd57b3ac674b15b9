#include "base/netns.h"

#include "base/error.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>

#include <cerrno>
#include <exception>
#include <thread>

namespace kedge {

Fd socket_in(int netns, int domain, int type, int protocol, const std::function<void()>& also) {
    int fd = -1;
    int failure = 0;
    const char* step = "enter network namespace";
    // A thread of its own: nothing has to find its way back, and no failure can leave a thread in the wrong namespace.
    std::thread([&] {
        if (::setns(netns, CLONE_NEWNET) != 0) {
            failure = errno;
            return;
        }
        step = "open socket in network namespace";
        fd = ::socket(domain, type | SOCK_CLOEXEC, protocol);
        if (fd < 0) failure = errno;
        if (also) also();
    }).join();
    if (fd < 0) throw errno_error(step, failure);
    return Fd(fd);
}

void write_net_settings(int netns, const std::vector<std::pair<std::string, std::string>>& settings) {
    std::exception_ptr failure;
    std::thread([&] {
        try {
            if (::setns(netns, CLONE_NEWNET) != 0) throw_errno("enter network namespace");
            for (const auto& [path, value] : settings) {
                try {
                    write_all(open_at(AT_FDCWD, "/proc/sys/net/" + path, O_WRONLY).get(), value);
                } catch (const Error& e) {
                    throw e.with_context("set net/" + path);
                }
            }
        } catch (...) {
            failure = std::current_exception();
        }
    }).join();
    if (failure) std::rethrow_exception(failure);
}

}  // namespace kedge

#include "cli/signals.h"

#include "base/error.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>

namespace kedge::cli {

CaughtSignals::CaughtSignals() {
    sigset_t set;
    sigemptyset(&set);
    for (int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2}) sigaddset(&set, number);
    if (::pthread_sigmask(SIG_BLOCK, &set, nullptr) != 0) throw Error(Code::internal, "block signals");
    fd_.reset(::signalfd(-1, &set, SFD_CLOEXEC));
    if (!fd_) throw_errno("signalfd");
}

int CaughtSignals::take() {
    signalfd_siginfo info{};
    if (::read(fd_.get(), &info, sizeof info) != sizeof info) throw_errno("read a signal");
    return static_cast<int>(info.ssi_signo);
}

}  // namespace kedge::cli

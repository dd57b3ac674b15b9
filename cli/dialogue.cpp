#include "cli/dialogue.h"

#include "base/error.h"
#include "cli/session.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace kedge::cli {

void check_terminal(bool in, bool tty) {
    if (in && tty && ::isatty(STDIN_FILENO) != 1) throw Error(Code::invalid_argument, "the input device is not a TTY");
}

Dialogue::Dialogue(Hijacked& stream, Options options)
    : stream_(stream),
      options_(std::move(options)),
      frames_(true),
      keys_(options_.detach_keys),
      more_input_(options_.in) {
    if (options_.in && options_.tty && ::isatty(STDIN_FILENO) == 1) terminal_.emplace();
}

void Dialogue::poll_for(pollfd* entries) const {
    short wanted = static_cast<short>(POLLIN | (unsent_.empty() ? 0 : POLLOUT));
    entries[0] = {ended_ ? -1 : stream_.fd(), wanted, 0};
    entries[1] = {more_input_ && unsent_.empty() && !ended_ ? STDIN_FILENO : -1, POLLIN, 0};
    entries[2] = {terminal_ ? terminal_->fd() : -1, POLLIN, 0};
}

void Dialogue::serve(const pollfd* entries) {
    if (entries[0].revents & POLLOUT) send();
    if (entries[0].revents & ~POLLOUT) receive();
    if (entries[1].revents && !ended_) take_input();
    if (entries[2].revents && terminal_->resized() && options_.resize) options_.resize(terminal_size());
}

void Dialogue::receive() {
    std::string_view data = stream_.read();
    if (data.empty())
        ended_ = true;
    else
        frames_.take(data);
}

void Dialogue::take_input() {
    std::array<char, 65536> buffer;
    ssize_t n = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n <= 0) {
        more_input_ = false;
        stream_.end_writing();
        return;
    }
    std::string_view data(buffer.data(), static_cast<size_t>(n));
    if (terminal_) (void)keys_.pass(data);  // the other side acts on them; here it only matters why it ends
    unsent_ = data;
    send();
}

void Dialogue::send() {
    std::optional<size_t> sent = stream_.write_some(unsent_);
    unsent_.erase(0, sent.value_or(unsent_.size()));
    if (!sent) more_input_ = false;  // nobody reads it any more; what they have to say still comes
}

}  // namespace kedge::cli

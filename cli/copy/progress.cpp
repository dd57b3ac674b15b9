#include "cli/copy/copy.h"
#include "cli/format.h"
#include "cli/session.h"

#include <unistd.h>

namespace kedge::cli {

CopyProgress::CopyProgress(const char* direction, bool quiet)
    : direction_(direction), quiet_(quiet), live_(!quiet && ::isatty(STDERR_FILENO) == 1) {}

void CopyProgress::add(size_t bytes) {
    constexpr int64_t kStep = 4 << 20;
    bytes_ += static_cast<int64_t>(bytes);
    if (!live_ || bytes_ - shown_ < kStep) return;
    shown_ = bytes_;
    print(std::string("\r\033[K") + direction_ + " - " + human_size(bytes_), STDERR_FILENO);
}

void CopyProgress::done(const std::string& target) {
    if (quiet_) return;
    if (shown_ > 0) print("\r\033[K", STDERR_FILENO);
    print("Successfully copied " + human_size(bytes_) + " to " + target + "\n", STDERR_FILENO);
}

}  // namespace kedge::cli

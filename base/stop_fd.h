#pragma once

#include "base/fd.h"

#include <stop_token>

namespace kedge {

/// A descriptor that becomes readable when a stop is requested: a stop_token for poll(2).
class StopFd {
public:
    explicit StopFd(const std::stop_token& stop);
    StopFd(const StopFd&) = delete;
    StopFd& operator=(const StopFd&) = delete;

    int get() const { return fd_.get(); }

private:
    struct Write {
        int fd;
        void operator()() const;
    };
    Fd fd_;
    std::stop_callback<Write> callback_;
};

}  // namespace kedge

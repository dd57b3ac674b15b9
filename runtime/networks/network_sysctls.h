#pragma once

#include "base/fd.h"

#include <unistd.h>

#include <string>
#include <string_view>

namespace kedge::runtime {

// Settings below /proc/sys/net, of the network namespace that the calling thread is in.

/// `ipv4/ip_forward`. Throws Error: not_found if the kernel hasn't it.
void write_sysctl(const std::string& name, std::string_view value);

/// Whether the kernel has IPv6.
bool has_ipv6();
/// Throws Error (invalid_argument) if it hasn't.
void require_ipv6();

void enable_forwarding();
/// A link that takes its addresses and routes from routers goes on doing so, which a machine that forwards else
/// doesn't.
void enable_ipv6_forwarding();

/// Links that come into being as long as this lives have no IPv6, if it was given the file that says so.
class NoIpv6ForNewLinks {
public:
    explicit NoIpv6ForNewLinks(Fd setting) : setting_(std::move(setting)) {
        if (!setting_ || ::pread(setting_.get(), &before_, 1, 0) != 1 || before_ != '0') setting_.reset();
        if (setting_) (void)!::pwrite(setting_.get(), "1", 1, 0);
    }
    ~NoIpv6ForNewLinks() {
        if (setting_) (void)!::pwrite(setting_.get(), "0", 1, 0);
    }
    NoIpv6ForNewLinks(const NoIpv6ForNewLinks&) = delete;
    NoIpv6ForNewLinks& operator=(const NoIpv6ForNewLinks&) = delete;

private:
    Fd setting_;
    char before_ = '0';
};

}  // namespace kedge::runtime

#pragma once

#include "runtime/containers/capabilities.h"

#include <linux/filter.h>

#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace kedge::runtime {

struct SeccompPolicy;

/// A policy as a program for seccomp(2). Throws Error: what the policy asks for is not possible.
std::vector<sock_filter> compile_seccomp(const SeccompPolicy& policy);

/// Compiled seccomp filters: each is made once and kept. Thread-safe.
class SeccompFilters {
public:
    /// The default policy for a process with these capabilities: calls that a container has no use for fail with EPERM.
    std::vector<sock_filter> standard(CapabilityMask capabilities);

    /// A profile in Docker's JSON format. Throws Error that says what is wrong with it.
    std::vector<sock_filter> from_profile(const std::string& json, CapabilityMask capabilities, bool listener = false);

private:
    std::mutex mutex_;
    std::map<std::pair<std::string, CapabilityMask>, std::vector<sock_filter>> made_;
};

}  // namespace kedge::runtime

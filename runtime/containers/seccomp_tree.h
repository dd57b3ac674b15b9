#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace kedge::runtime {

/// What happens to an architecture's calls whatever their arguments are (SECCOMP_RET_*), by their numbers.
using SeccompActions = std::map<uint32_t, uint32_t>;

/// A program for seccomp(2) that knows these calls, by architecture as the kernel names it (AUDIT_ARCH_*), and leaves
/// all others to `rest`. Neighbours with one action are one range, and a range is found by bisection: such a program is
/// a fraction of one with a comparison for each call, which the kernel has to translate at each start.
std::vector<sock_filter> seccomp_tree(const std::map<uint32_t, SeccompActions>& known,
                                      const std::vector<sock_filter>& rest);

}  // namespace kedge::runtime

#pragma once

#include "runtime/containers/capabilities.h"

#include <seccomp.h>

#include <string>
#include <vector>

namespace kedge::runtime {

/// One line of a policy: what happens to these calls, if all of `arguments` hold.
struct SeccompRule {
    std::vector<std::string> names;
    uint32_t action = SCMP_ACT_ALLOW;
    std::vector<scmp_arg_cmp> arguments;
};

struct SeccompPolicy {
    uint32_t otherwise = SCMP_ACT_ERRNO(1);  ///< EPERM
    std::vector<uint32_t> architectures;     ///< besides the machine's own
    std::vector<SeccompRule> rules;
};

/// What kedge lets containers call: what programs ordinarily need, and more with the capability that goes with it. The
/// same in effect as what Docker's containers may do.
SeccompPolicy standard_policy(CapabilityMask capabilities);

/// Docker's format of seccomp profiles (moby, profiles/seccomp). `listener`: calls may be handed to one
/// (SCMP_ACT_NOTIFY). Throws Error.
SeccompPolicy parse_seccomp_profile(const std::string& json, CapabilityMask capabilities, bool listener = false);

}  // namespace kedge::runtime

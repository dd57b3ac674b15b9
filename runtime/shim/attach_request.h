#pragma once

#include "runtime/shim/launch_plan.h"

/// How the agent gets at a running container's streams: it connects to kAttachSocket (SOCK_SEQPACKET) in the
/// container's run folder, sends one AttachRequest with the descriptors that it names, and gets one AttachReply. The
/// connection then ends; what was handed over stays until the other side closes it.
namespace kedge::shim {

constexpr const char* kAttachSocket = "shim.sock";

enum AttachFlag : uint32_t {
    kAttachOut = 1,      ///< the first descriptor: the writing end of a pipe for the output (all that a terminal shows)
    kAttachErr = 2,      ///< the next one: for the error stream
    kAttachIn = 4,       ///< wants the writing end of its standard input, or its terminal's master
    kAttachPending = 8,  ///< first gets what has come of the present line, which is not in the log yet
};

struct AttachRequest {
    uint64_t magic = kPlanMagic;
    uint32_t flags = 0;
    uint32_t unused = 0;
};

/// With one descriptor (SCM_RIGHTS) if kAttachIn was asked for and there is an input. What is logged later than the
/// time goes to the pipes as well, what was logged earlier doesn't.
struct AttachReply {
    int32_t error = 0;  ///< an errno: EMFILE when too many are attached already
    uint32_t unused = 0;
    int64_t seconds = 0;
    int64_t nanoseconds = 0;
};

}  // namespace kedge::shim

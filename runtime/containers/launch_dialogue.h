#pragma once

#include "runtime/containers/launch_plan_writer.h"
#include "runtime/containers/launch_spec.h"

#include <functional>

namespace kedge::runtime {

/// The agent's side of the socket over which a shim tells how a start goes.
class ShimDialogue {
public:
    /// Both are kept by reference; warnings go to spec.warnings.
    ShimDialogue(const PlanWriter& plan, LaunchSpec& spec);
    /// With a shim that waits elsewhere, at the other end of `socket`; what its plan said is no longer known.
    ShimDialogue(Fd socket, LaunchSpec& spec) : spec_(spec), ours_(std::move(socket)) {}

    int shim_end() const { return theirs_.get(); }
    void close_shim_end() { theirs_.reset(); }
    /// A start that still waits for a byte ends with this.
    void hang_up() { ours_.reset(); }

    /// Who gets the listener of the filter, as soon as it is there; then the process may execute. What he throws ends
    /// the waiting, and with this dialogue the process.
    void hand_listener_to(std::function<void(Fd)> taker) { listener_taker_ = std::move(taker); }

    /// Until the first process is there. Throws Error in Docker's words if it came to none.
    void await_spawned(Launched& started);

    /// From now on the shim follows this plan: what it speaks of is in there. Kept by reference.
    void follow(const PlanWriter& plan) { plan_ = &plan; }

    /// The network is ready: the process may execute.
    void let_go();

    /// Until it says this. Otherwise throws Error. `terminal` receives its terminal if it comes meanwhile.
    void await(shim::MessageKind kind, Fd* terminal, int* exit_code);

    /// Until it has executed. Otherwise throws Error, with Docker's exit code for that in *exit_code. `terminal`
    /// receives its terminal if it comes meanwhile.
    void await_executing(int* exit_code, Fd* terminal = nullptr);

private:
    bool next(shim::Message* message, Fd* passed);
    [[noreturn]] void refuse(const shim::Message& message, int* exit_code);

    std::string subject(const shim::Message& message) const;

    const PlanWriter* plan_ = nullptr;
    LaunchSpec& spec_;
    std::function<void(Fd)> listener_taker_;
    Fd ours_;
    Fd theirs_;
};

}  // namespace kedge::runtime

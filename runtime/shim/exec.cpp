#include "runtime/shim/modes.h"
#include "runtime/shim/start.h"

#include <errno.h>
#include <linux/close_range.h>
#include <linux/prctl.h>

namespace kedge::shim {

namespace {

/// What to execute: the agent finds that out while this process enters the container.
void take_whole_plan(Start& start) {
    const int fd = start.plan->whole_plan;
    if (fd < 0) return;
    await_go();
    if (!map_plan(start, fd)) fail(Stage::plan, -EINVAL);
}

}  // namespace

int run_exec() {
    (void)sys(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
    Start start;
    if (!map_plan(start)) fail(Stage::plan, -EINVAL);
    reset_signals();
    (void)sys(__NR_close_range, kAgentFd, ~0U, CLOSE_RANGE_CLOEXEC);
    if (start.has(kTerminal)) start.terminal = kAgentFd;
    start.console = false;
    join_cgroups(start);  // while the host's cgroup files can still be seen
    take_whole_plan(start);
    change_profile(start);
    change_personality(start);
    join_namespaces(start);
    become_namespace_root(start);
    enter_working_dir(start);
    (void)sys(__NR_setsid);
    connect_streams(start);
    connect_terminal(start);
    set_limits(start);
    if (start.has(kAwaitGo)) await_go();
    become_user(start);
    load_filter(start);
    execute(start);
}

}  // namespace kedge::shim

#include "base/error.h"
#include "runtime/containers/cgroup_files.h"
#include "runtime/containers/launch_process.h"
#include "runtime/oci/commands.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

namespace kedge::oci {

namespace {

using Clock = std::chrono::steady_clock;

/// How often the kernel has ended something of the group for want of memory.
uint64_t oom_kills(const std::string& file) {
    const auto table = runtime::read_group_table(file);
    auto found = table.find("oom_kill");
    return found == table.end() ? 0 : found->second;
}

}  // namespace

void watch(const Runtime& runtime, const std::string& id, Nanoseconds interval, bool once,
           const std::function<void(const std::string&)>& print) {
    if (interval < std::chrono::milliseconds(1)) throw Error(Code::invalid_argument, "--interval: must be above zero");
    print(stats(runtime, id).dump() + "\n");
    if (once) return;
    const State state = StateFolder::open(runtime.root, id).load();
    const std::string oom_file = runtime::Cgroups().oom_file(state.cgroup);
    uint64_t ended = oom_kills(oom_file);
    Fd init = runtime::open_process(state.init);
    if (!init) return;
    const int milliseconds = static_cast<int>(
        std::min<int64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(interval).count(), INT32_MAX));
    while (!runtime::await_end(init.get(), milliseconds)) {
        if (const uint64_t now = oom_kills(oom_file); now != ended) {
            ended = now;
            print(Json{{"type", "oom"}, {"id", id}}.dump() + "\n");
        }
        print(stats(runtime, id).dump() + "\n");
    }
}

}  // namespace kedge::oci

#include "runtime/oci/shim_call.h"

#include "runtime/containers/launch_process.h"

#include <sys/wait.h>

namespace kedge::oci {

ShimCall::ShimCall(const Runtime& runtime, const char* mode, Launch& launch)
    : writer_(launch.spec), dialogue_(writer_, launch.spec) {
    const Fd memory = writer_.to_memfd();
    std::vector<int> descriptors{0, 1, 2, memory.get(), dialogue_.shim_end()};
    for (const Fd& extra : launch.extras) descriptors.push_back(extra.get());
    const int shim_pid = runtime::spawn_shim(runtime.shim, mode, descriptors);
    dialogue_.close_shim_end();
    launch.extras.clear();
    try {
        dialogue_.await_spawned(started_);
    } catch (...) {
        (void)::waitpid(shim_pid, nullptr, 0);
        throw;
    }
    (void)::waitpid(shim_pid, nullptr, 0);  // from then on, whoever takes in orphans is the process' parent
}

}  // namespace kedge::oci

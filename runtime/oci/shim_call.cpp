#include "runtime/oci/shim_call.h"

namespace kedge::oci {

ShimCall::ShimCall(const Runtime& runtime, const char* mode, Launch& launch, const runtime::Birth& birth)
    : writer_(launch.spec), dialogue_(writer_, launch.spec) {
    const Fd memory = writer_.to_memfd();
    std::vector<int> descriptors{0, 1, 2, memory.get(), dialogue_.shim_end()};
    for (const Fd& extra : launch.extras) descriptors.push_back(extra.get());
    shim_ = runtime::spawn_shim(runtime.shim, mode, descriptors, birth);
    dialogue_.close_shim_end();
    launch.extras.clear();
}

}  // namespace kedge::oci

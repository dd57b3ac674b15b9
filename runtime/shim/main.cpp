#include "runtime/shim/modes.h"
#include "runtime/shim/sys.h"

namespace {

using namespace kedge::shim;

const char* last_part(const char* path) {
    const char* name = path;
    for (const char* p = path; *p; p++)
        if (*p == '/') name = p + 1;
    return name;
}

}  // namespace

/// The process' entry: `stack` holds argc, then argv and a null pointer, then the environment.
extern "C" [[noreturn]] __attribute__((used)) void shim_main(long* stack) {
    long count = stack[0];
    char** arguments = reinterpret_cast<char**>(stack + 1);
    char** environment = arguments + count + 1;
    const char* name = count > 0 ? last_part(arguments[0]) : "";
    if (equal(name, "docker-init")) leave(run_as_init(static_cast<int>(count), arguments, environment));
    if (count == 2 && equal(arguments[1], "run")) leave(run_container());
    if (count == 2 && equal(arguments[1], "exec")) leave(run_exec());
    if (count == 2 && equal(arguments[1], "create")) leave(run_create());
    const char usage[] = "kedge-shim is started by kedged and kedge-oci\n";
    (void)write_whole(2, usage, sizeof usage - 1);
    leave(2);
}

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call shim_main\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n mov x29, #0\n mov x30, #0\n mov x0, sp\n and sp, x0, #-16\n b shim_main\n");
#endif

#include "runtime/containers/seccomp_filter.h"

#include "base/error.h"
#include "base/fd.h"
#include "runtime/containers/seccomp_policy.h"
#include "runtime/containers/seccomp_sorting.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

namespace kedge::runtime {

namespace {

constexpr size_t kMostKept = 64;  // profiles come from outside: they must not fill the memory

using Context = std::unique_ptr<void, void (*)(void*)>;

void check(int result, const std::string& what) {
    if (result < 0) throw errno_error("seccomp filter: " + what, -result);
}

void add_rule(const Context& context, const SeccompRule& rule, const std::string& name) {
    int number = seccomp_syscall_resolve_name(name.c_str());
    if (number == __NR_SCMP_ERROR) return;  // a call that this library has never heard of can't be named in a filter
    check(seccomp_rule_add_array(context.get(), rule.action, number, static_cast<unsigned>(rule.arguments.size()),
                                 rule.arguments.data()),
          name);
}

std::vector<sock_filter> read_program(const Context& context) {
    Fd memory(::memfd_create("kedge-seccomp", MFD_CLOEXEC));
    if (!memory) throw_errno("seccomp filter");
    check(seccomp_export_bpf(context.get(), memory.get()), "compile");
    struct stat info {};
    if (::fstat(memory.get(), &info) != 0) throw_errno("seccomp filter");
    std::vector<sock_filter> program(static_cast<size_t>(info.st_size) / sizeof(sock_filter));
    if (::pread(memory.get(), program.data(), static_cast<size_t>(info.st_size), 0) != info.st_size)
        throw_errno("seccomp filter");
    return program;
}

}  // namespace

std::vector<sock_filter> compile_seccomp(const SeccompPolicy& policy) {
    Context context(seccomp_init(policy.otherwise), seccomp_release);
    if (!context) throw Error(Code::invalid_argument, "seccomp filter: the default action is not possible");
    for (uint32_t architecture : policy.architectures) {
        int result = seccomp_arch_add(context.get(), architecture);
        if (result != -EEXIST) check(result, "architecture");
    }
    check(seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2), "optimize");  // a balanced tree
    SeccompSorting sorted(policy);
    for (const SeccompRule& rule : policy.rules) {
        if (rule.action == policy.otherwise) continue;
        for (const std::string& name : rule.names)
            if (sorted.is_for_library(name)) add_rule(context, rule, name);
    }
    std::vector<sock_filter> program = seccomp_tree(sorted.known(), read_program(context));
    if (program.size() > BPF_MAXINSNS)
        throw Error(Code::invalid_argument, "seccomp filter: the profile is too large for the kernel");
    return program;
}

std::vector<sock_filter> SeccompFilters::standard(CapabilityMask capabilities) {
    std::lock_guard lock(mutex_);
    std::vector<sock_filter>& filter = made_[{std::string(), capabilities}];
    if (filter.empty()) filter = compile_seccomp(standard_policy(capabilities));
    return filter;
}

std::vector<sock_filter> SeccompFilters::from_profile(const std::string& json, CapabilityMask capabilities,
                                                      bool listener) {
    std::lock_guard lock(mutex_);
    if (made_.size() >= kMostKept) made_.clear();
    std::vector<sock_filter>& filter = made_[{json, capabilities}];
    try {
        if (filter.empty()) filter = compile_seccomp(parse_seccomp_profile(json, capabilities, listener));
    } catch (const Error&) {
        made_.erase({json, capabilities});
        throw;
    }
    return filter;
}

}  // namespace kedge::runtime

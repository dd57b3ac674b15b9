#include "runtime/containers/seccomp_filter.h"

#include "base/error.h"
#include "base/fd.h"
#include "runtime/containers/seccomp_policy.h"

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

void add_rule(const Context& context, const SeccompPolicy& policy, const SeccompRule& rule) {
    if (rule.action == policy.otherwise) return;  // says nothing, and libseccomp takes it for a mistake
    for (const std::string& name : rule.names) {
        int number = seccomp_syscall_resolve_name(name.c_str());
        if (number == __NR_SCMP_ERROR)
            continue;  // a call that this library has never heard of, and so can't be named in a filter
        check(seccomp_rule_add_array(context.get(), rule.action, number, static_cast<unsigned>(rule.arguments.size()),
                                     rule.arguments.data()),
              name);
    }
}

std::vector<sock_filter> compile(const SeccompPolicy& policy) {
    Context context(seccomp_init(policy.otherwise), seccomp_release);
    if (!context) throw Error(Code::invalid_argument, "seccomp filter: the default action is not possible");
    for (uint32_t architecture : policy.architectures) {
        int result = seccomp_arch_add(context.get(), architecture);
        if (result != -EEXIST) check(result, "architecture");
    }
    // A balanced tree: some ten comparisons for a call instead of hundreds.
    check(seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2), "optimize");
    for (const SeccompRule& rule : policy.rules) add_rule(context, policy, rule);
    Fd memory(::memfd_create("kedge-seccomp", MFD_CLOEXEC));
    if (!memory) throw_errno("seccomp filter");
    check(seccomp_export_bpf(context.get(), memory.get()), "compile");
    struct stat info {};
    if (::fstat(memory.get(), &info) != 0) throw_errno("seccomp filter");
    std::vector<sock_filter> filter(static_cast<size_t>(info.st_size) / sizeof(sock_filter));
    if (filter.size() > BPF_MAXINSNS)
        throw Error(Code::invalid_argument, "seccomp filter: the profile is too large for the kernel");
    if (::pread(memory.get(), filter.data(), static_cast<size_t>(info.st_size), 0) != info.st_size)
        throw_errno("seccomp filter");
    return filter;
}

}  // namespace

std::vector<sock_filter> SeccompFilters::standard(CapabilityMask capabilities) {
    std::lock_guard lock(mutex_);
    std::vector<sock_filter>& filter = made_[{std::string(), capabilities}];
    if (filter.empty()) filter = compile(standard_policy(capabilities));
    return filter;
}

std::vector<sock_filter> SeccompFilters::from_profile(const std::string& json, CapabilityMask capabilities) {
    std::lock_guard lock(mutex_);
    if (made_.size() >= kMostKept) made_.clear();
    std::vector<sock_filter>& filter = made_[{json, capabilities}];
    try {
        if (filter.empty()) filter = compile(parse_seccomp_profile(json, capabilities));
    } catch (const Error&) {
        made_.erase({json, capabilities});
        throw;
    }
    return filter;
}

}  // namespace kedge::runtime

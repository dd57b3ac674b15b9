#include "runtime/containers/seccomp_filter.h"

#include "base/error.h"
#include "base/fd.h"
#include "runtime/containers/seccomp_policy.h"
#include "runtime/containers/seccomp_tree.h"

#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <rapidcheck/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <optional>
#include <ostream>
#include <set>

namespace kedge::runtime {

/// For what a property is falsified by.
void showValue(const SeccompRule& rule, std::ostream& to) {
    for (const std::string& name : rule.names) to << name << ' ';
    to << "-> " << std::hex << rule.action;
    for (const scmp_arg_cmp& condition : rule.arguments)
        to << " if " << condition.arg << " op " << condition.op << ' ' << condition.datum_a << ' ' << condition.datum_b;
    to << std::dec;
}

namespace {

using Program = std::vector<sock_filter>;

constexpr uint32_t kX32 = 0x40000000;  ///< the bit of its numbers

/// What a program says of a call, executed as the kernel does it. Nothing if the kernel would not have it.
std::optional<uint32_t> run(const Program& program, const seccomp_data& call) {
    uint32_t loaded = 0;
    for (size_t at = 0; at < program.size(); at++) {
        const sock_filter& step = program[at];
        auto jump = [&](bool holds) { at += holds ? step.jt : step.jf; };
        switch (step.code) {
            case BPF_LD | BPF_W | BPF_ABS:
                if (step.k % 4 != 0 || step.k + 4 > sizeof call) return std::nullopt;
                std::memcpy(&loaded, reinterpret_cast<const char*>(&call) + step.k, 4);
                break;
            case BPF_ALU | BPF_AND | BPF_K: loaded &= step.k; break;
            case BPF_JMP | BPF_JA: at += step.k; break;
            case BPF_JMP | BPF_JEQ | BPF_K: jump(loaded == step.k); break;
            case BPF_JMP | BPF_JGE | BPF_K: jump(loaded >= step.k); break;
            case BPF_JMP | BPF_JGT | BPF_K: jump(loaded > step.k); break;
            case BPF_JMP | BPF_JSET | BPF_K: jump((loaded & step.k) != 0); break;
            case BPF_RET | BPF_K: return step.k;
            default: return std::nullopt;
        }
    }
    return std::nullopt;
}

using Context = std::unique_ptr<void, void (*)(void*)>;

/// The whole policy by the library alone; nothing if it doesn't want it.
std::optional<Program> by_library(const SeccompPolicy& policy) {
    Context context(seccomp_init(policy.otherwise), seccomp_release);
    if (!context || seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2) < 0) return std::nullopt;
    for (uint32_t architecture : policy.architectures) {
        int result = seccomp_arch_add(context.get(), architecture);
        if (result < 0 && result != -EEXIST) return std::nullopt;
    }
    for (const SeccompRule& rule : policy.rules) {
        if (rule.action == policy.otherwise) continue;
        for (const std::string& name : rule.names) {
            int number = seccomp_syscall_resolve_name(name.c_str());
            if (number == __NR_SCMP_ERROR) continue;
            if (seccomp_rule_add_array(context.get(), rule.action, number, static_cast<unsigned>(rule.arguments.size()),
                                       rule.arguments.data()) < 0)
                return std::nullopt;
        }
    }
    Fd memory(::memfd_create("seccomp", MFD_CLOEXEC));
    if (seccomp_export_bpf(context.get(), memory.get()) < 0) return std::nullopt;
    struct stat info {};
    (void)::fstat(memory.get(), &info);
    Program program(static_cast<size_t>(info.st_size) / sizeof(sock_filter));
    (void)!::pread(memory.get(), program.data(), static_cast<size_t>(info.st_size), 0);
    return program;
}

/// Values that the conditions of a policy tell apart, and others.
std::vector<uint64_t> arguments_for(const SeccompPolicy& policy) {
    std::set<uint64_t> values = {0, 1, UINT64_MAX};
    for (const SeccompRule& rule : policy.rules)
        for (const scmp_arg_cmp& condition : rule.arguments)
            for (uint64_t value : {condition.datum_a, condition.datum_b})
                for (uint64_t other : {value - 1, value, value + 1, value | uint64_t{1} << 32, ~value})
                    values.insert(other);
    return {values.begin(), values.end()};
}

const uint32_t kArchitectures[] = {SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_AARCH64, SCMP_ARCH_ARM, 0, 77};

/// Where the two say something else of the same call; empty if nowhere.
std::string difference(const Program& mine, const Program& reference, const SeccompPolicy& policy) {
    const std::vector<uint64_t> values = arguments_for(policy);
    std::vector<uint32_t> numbers;
    for (uint32_t number = 0; number < 1100; number++)
        for (uint32_t with : {0u, kX32}) numbers.push_back(number | with);
    for (uint32_t number : {UINT32_MAX, UINT32_MAX - 1, 0x7fffffffu, 0x80000000u, 5000u}) numbers.push_back(number);
    for (uint32_t architecture : kArchitectures) {
        for (uint32_t number : numbers) {
            for (uint64_t value : values) {
                for (unsigned place = 0; place < 3; place++) {
                    seccomp_data call{};
                    call.arch = architecture;
                    call.nr = static_cast<int>(number);
                    call.args[place] = value;
                    call.args[(place + 1) % 3] = 1;
                    auto got = run(mine, call), wanted = run(reference, call);
                    if (got != wanted || !got)
                        return std::to_string(architecture) + " call " + std::to_string(number) + " argument " +
                               std::to_string(place) + " = " + std::to_string(value) + ": " +
                               std::to_string(got.value_or(1)) + ", not " + std::to_string(wanted.value_or(1));
                }
            }
        }
    }
    return "";
}

rc::Gen<scmp_arg_cmp> any_condition() {
    return rc::gen::apply(
        [](unsigned place, scmp_compare how, uint64_t a, uint64_t b) {
            scmp_arg_cmp condition{};
            condition.arg = place;
            condition.op = how;
            condition.datum_a = a;
            condition.datum_b = how == SCMP_CMP_MASKED_EQ ? a & b : b;
            return condition;
        },
        rc::gen::inRange(0u, 3u),
        rc::gen::element(SCMP_CMP_NE, SCMP_CMP_LT, SCMP_CMP_LE, SCMP_CMP_EQ, SCMP_CMP_GE, SCMP_CMP_GT,
                         SCMP_CMP_MASKED_EQ),
        rc::gen::element<uint64_t>(0, 1, 2, 40, 0xff, 0x100000000, 0xffffffffffffffff),
        rc::gen::element<uint64_t>(0, 1, 3, 0xffffffff));
}

rc::Gen<SeccompRule> any_rule() {
    return rc::gen::apply(
        [](std::vector<std::string> names, uint32_t action, const std::optional<scmp_arg_cmp>& condition) {
            SeccompRule rule{std::move(names), action, {}};
            if (condition) rule.arguments.push_back(*condition);
            return rule;
        },
        // Some that exist everywhere, behind socketcall and ipc on some machines, on one machine only, and nowhere.
        rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
            "read", "write", "open", "close", "stat", "poll", "clone", "socket", "bind", "accept4", "sendmmsg",
            "socketcall", "ipc", "shmat", "semop", "msgget", "chown32", "umount", "umount2", "arch_prctl", "clone3",
            "personality", "recvmmsg_time64", "nosuchcall", "openat2", "futex", "mmap2", "select", "_newselect")),
        rc::gen::element<uint32_t>(SCMP_ACT_ALLOW, SCMP_ACT_ALLOW, SCMP_ACT_ERRNO(38), SCMP_ACT_KILL_PROCESS,
                                   SCMP_ACT_LOG),
        rc::gen::oneOf(rc::gen::just(std::optional<scmp_arg_cmp>()),
                       rc::gen::map(any_condition(), [](const scmp_arg_cmp& c) { return std::optional(c); })));
}

}  // namespace

TEST(SeccompFilter, TheStandardPolicyIsWhatTheLibraryMakesOfIt) {
    for (CapabilityMask capabilities : {CapabilityMask{0xa80425fb}, CapabilityMask{0}, ~CapabilityMask{0}}) {
        SeccompPolicy policy = standard_policy(capabilities);
        Program program = compile_seccomp(policy);
        EXPECT_EQ(difference(program, by_library(policy).value(), policy), "");
        EXPECT_LT(program.size(), by_library(policy)->size() / 2) << "what it is for";
    }
}

RC_GTEST_PROP(SeccompFilter, EveryPolicyIsWhatTheLibraryMakesOfIt, ()) {
    SeccompPolicy policy;
    policy.otherwise = *rc::gen::element<uint32_t>(SCMP_ACT_ERRNO(1), SCMP_ACT_ALLOW, SCMP_ACT_KILL_PROCESS);
    if (*rc::gen::arbitrary<bool>()) policy.architectures.push_back(SCMP_ARCH_X86);
    if (*rc::gen::arbitrary<bool>()) policy.architectures.push_back(SCMP_ARCH_X32);
    policy.rules = *rc::gen::container<std::vector<SeccompRule>>(any_rule());
    std::optional<Program> reference = by_library(policy);
    RC_PRE(reference.has_value());
    RC_ASSERT(difference(compile_seccomp(policy), *reference, policy) == "");
}

TEST(SeccompTree, JumpsAsFarAsItHasTo) {
    // Every second call, so that nothing can be put together: more than a condition can jump over.
    std::map<uint32_t, SeccompActions> known;
    for (uint32_t architecture : {1u, 2u, 3u})
        for (uint32_t number = 0; number < 600; number++)
            if (number % 3 != 0) known[architecture][number] = SECCOMP_RET_ERRNO | (number + architecture) % 7;
    const Program rest = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_LOG)};
    const Program program = seccomp_tree(known, rest);
    for (uint32_t architecture : {1u, 2u, 3u, 4u}) {
        for (uint32_t number = 0; number < 700; number++) {
            seccomp_data call{};
            call.arch = architecture;
            call.nr = static_cast<int>(number);
            auto entry = known[architecture].find(number);
            uint32_t wanted = entry == known[architecture].end() ? uint32_t{SECCOMP_RET_LOG} : entry->second;
            ASSERT_EQ(run(program, call), wanted) << architecture << " " << number;
        }
    }
    seccomp_data call{};
    EXPECT_EQ(run(seccomp_tree({}, rest), call), uint32_t{SECCOMP_RET_LOG});
}

}  // namespace kedge::runtime

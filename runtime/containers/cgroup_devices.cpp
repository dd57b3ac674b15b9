#include "runtime/containers/cgroups.h"

#include "base/error.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace kedge::runtime {

namespace {

bpf_insn instruction(uint8_t code, uint8_t to, uint8_t from, int16_t offset, int32_t value) {
    bpf_insn insn{};
    insn.code = code;
    insn.dst_reg = to & 15;
    insn.src_reg = from & 15;
    insn.off = offset;
    insn.imm = value;
    return insn;
}

constexpr uint8_t kType = BPF_REG_2, kAccess = BPF_REG_3, kMajor = BPF_REG_4, kMinor = BPF_REG_5;

/// Jumps over what is left of the rule, whose length is known only when it is complete.
void jump_out(std::vector<bpf_insn>& code, uint8_t operation, uint8_t reg, int32_t value) {
    code.push_back(instruction(BPF_JMP | operation | BPF_K, reg, 0, 0, value));
}

/// The end of the program: 1 allows the access, 0 refuses it.
void answer(std::vector<bpf_insn>& code, int32_t value) {
    code.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, value));
    code.push_back(instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
}

/// For a rule of one type of device. One that allows has to allow all that is asked for; one that forbids is met by any
/// part of it.
void add_rule(std::vector<bpf_insn>& code, const DeviceRule& rule, bool allows) {
    size_t begin = code.size();
    jump_out(code, BPF_JNE, kType, rule.type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
    int32_t named = 0;
    for (char c : rule.permissions)
        named |= c == 'r' ? BPF_DEVCG_ACC_READ : c == 'w' ? BPF_DEVCG_ACC_WRITE : BPF_DEVCG_ACC_MKNOD;
    if (named != 7) {
        code.push_back(instruction(BPF_ALU | BPF_MOV | BPF_X, BPF_REG_1, kAccess, 0, 0));
        code.push_back(instruction(BPF_ALU | BPF_AND | BPF_K, BPF_REG_1, 0, 0, allows ? ~named & 7 : named));
        jump_out(code, allows ? BPF_JNE : BPF_JEQ, BPF_REG_1, 0);
    }
    if (rule.major >= 0) jump_out(code, BPF_JNE, kMajor, static_cast<int32_t>(rule.major));
    if (rule.minor >= 0) jump_out(code, BPF_JNE, kMinor, static_cast<int32_t>(rule.minor));
    answer(code, allows ? 1 : 0);
    for (size_t i = begin; i < code.size(); i++)
        if (code[i].code == (BPF_JMP | BPF_JNE | BPF_K) || code[i].code == (BPF_JMP | BPF_JEQ | BPF_K))
            code[i].off = static_cast<int16_t>(code.size() - i - 1);
}

std::vector<bpf_insn> device_program(const DevicePolicy& policy) {
    std::vector<bpf_insn> code;
    auto load = [&](uint8_t reg, size_t offset) {
        code.push_back(instruction(BPF_LDX | BPF_MEM | BPF_W, reg, BPF_REG_1, static_cast<int16_t>(offset), 0));
    };
    // access_type: the kind of device in the low half, what is asked for in the high half.
    load(kType, offsetof(bpf_cgroup_dev_ctx, access_type));
    code.push_back(instruction(BPF_ALU | BPF_MOV | BPF_X, kAccess, kType, 0, 0));
    code.push_back(instruction(BPF_ALU | BPF_AND | BPF_K, kType, 0, 0, 0xffff));
    code.push_back(instruction(BPF_ALU | BPF_RSH | BPF_K, kAccess, 0, 0, 16));
    load(kMajor, offsetof(bpf_cgroup_dev_ctx, major));
    load(kMinor, offsetof(bpf_cgroup_dev_ctx, minor));
    for (const DeviceRule& rule : policy.exceptions) add_rule(code, rule, !policy.otherwise);
    answer(code, policy.otherwise ? 1 : 0);
    return code;
}

int bpf(int command, bpf_attr& attr) {
    return static_cast<int>(::syscall(SYS_bpf, command, &attr, sizeof attr));
}

/// One exception more, or less of one.
void change_exceptions(DevicePolicy& policy, const DeviceRule& rule) {
    auto same = [&](const DeviceRule& other) {
        return other.type == rule.type && other.major == rule.major && other.minor == rule.minor;
    };
    auto found = std::find_if(policy.exceptions.begin(), policy.exceptions.end(), same);
    const bool add = rule.allow != policy.otherwise;
    if (found == policy.exceptions.end()) {
        if (add) policy.exceptions.push_back(rule);
        return;
    }
    std::string permissions;
    for (char c : std::string("rwm")) {
        const bool had = found->permissions.find(c) != std::string::npos;
        const bool named = rule.permissions.find(c) != std::string::npos;
        if (add ? had || named : had && !named) permissions += c;
    }
    found->permissions = permissions;
    if (permissions.empty()) policy.exceptions.erase(found);
}

}  // namespace

DevicePolicy device_policy(const std::vector<DeviceRule>& rules) {
    DevicePolicy policy;
    for (const DeviceRule& rule : rules) {
        if (rule.type != 'a') {
            change_exceptions(policy, rule);
        } else if (rule.major < 0 && rule.minor < 0 && rule.permissions == "rwm") {
            policy = {rule.allow, {}};
        } else {
            for (char type : {'b', 'c'}) {
                DeviceRule part = rule;
                part.type = type;
                change_exceptions(policy, part);
            }
        }
    }
    return policy;
}

void attach_device_rules(const std::string& folder, const std::vector<DeviceRule>& rules) {
    std::vector<bpf_insn> code = device_program(device_policy(rules));
    static const char license[] = "none";  // the program calls no function of the kernel that asks for one
    bpf_attr load;
    std::memset(&load, 0, sizeof load);
    load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    load.insns = reinterpret_cast<uint64_t>(code.data());
    load.insn_cnt = static_cast<uint32_t>(code.size());
    load.license = reinterpret_cast<uint64_t>(license);
    Fd program(bpf(BPF_PROG_LOAD, load));
    if (!program) throw_errno("load the device rules");
    Fd cgroup = open_at(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY);
    bpf_attr attach;
    std::memset(&attach, 0, sizeof attach);
    attach.target_fd = static_cast<uint32_t>(cgroup.get());
    attach.attach_bpf_fd = static_cast<uint32_t>(program.get());
    attach.attach_type = BPF_CGROUP_DEVICE;
    attach.attach_flags = BPF_F_ALLOW_MULTI;
    if (bpf(BPF_PROG_ATTACH, attach) != 0) throw_errno("attach the device rules to " + folder);
}

}  // namespace kedge::runtime

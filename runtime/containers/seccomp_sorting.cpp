#include "runtime/containers/seccomp_sorting.h"

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace kedge::runtime {

namespace {

constexpr int kAbsent = -1000;  ///< from there down the library numbers what an architecture hasn't
constexpr int kEnd = 1024;      ///< of the numbers that are looked at

/// As the kernel names it: x32 is x86_64 with other numbers.
uint32_t audit_architecture(uint32_t architecture) {
    return architecture == SCMP_ARCH_X32 ? uint32_t{SCMP_ARCH_X86_64} : architecture;
}

}  // namespace

SeccompNumbers::Call SeccompNumbers::find(uint32_t architecture, const std::string& name) {
    auto [known, is_new] = known_.try_emplace({architecture, name});
    if (!is_new) return known->second;
    Call& call = known->second;
    int number = seccomp_syscall_resolve_name_arch(architecture, name.c_str());
    if (number >= 0) {
        call.number = static_cast<uint32_t>(number);
    } else if (number > kAbsent && number != __NR_SCMP_ERROR) {
        call.common = static_cast<uint32_t>(seccomp_syscall_resolve_name_rewrite(architecture, name.c_str()));
        call.number = own_number(architecture, name);
    }
    return call;
}

std::optional<uint32_t> SeccompNumbers::own_number(uint32_t architecture, const std::string& name) {
    auto& names = names_[architecture];
    for (int number = 0; names.size() < kEnd; number++) {
        std::unique_ptr<char, void (*)(void*)> found(seccomp_syscall_resolve_num_arch(architecture, number), std::free);
        names.emplace_back(found ? found.get() : "");
    }
    auto found = std::find(names.begin(), names.end(), name);
    return found == names.end() ? std::nullopt : std::optional(static_cast<uint32_t>(found - names.begin()));
}

SeccompSorting::SeccompSorting(const SeccompPolicy& policy) : architectures_(policy.architectures) {
    architectures_.push_back(seccomp_arch_native());
    auto for_each = [&](void (SeccompSorting::*work)(const SeccompRule&, const std::string&)) {
        for (const SeccompRule& rule : policy.rules) {
            if (rule.action == policy.otherwise) continue;  // says nothing, and the library takes it for a mistake
            for (const std::string& name : rule.names) (this->*work)(rule, name);
        }
    };
    for_each(&SeccompSorting::sort);
    for_each(&SeccompSorting::find_tangled);
    for (const auto& [place, call] : calls_)
        if (is_simple(place)) known_[place.first][place.second] = call.action;
}

void SeccompSorting::sort(const SeccompRule& rule, const std::string& name) {
    for (uint32_t architecture : architectures_) {
        SeccompNumbers::Call call = numbers_.find(architecture, name);
        if (!call.number) continue;
        Outcome fresh{rule.action, true};
        Outcome& known = calls_.try_emplace({audit_architecture(architecture), *call.number}, fresh).first->second;
        known.simple = known.simple && rule.arguments.empty() && known.action == rule.action;
    }
}

void SeccompSorting::find_tangled(const SeccompRule& rule, const std::string& name) {
    for (uint32_t architecture : architectures_) {
        SeccompNumbers::Call call = numbers_.find(architecture, name);
        if (!call.common) continue;
        Place common = {audit_architecture(architecture), *call.common};
        auto known = calls_.find(common);
        bool alike = known != calls_.end() && known->second.simple && known->second.action == rule.action;
        if (!alike) tangled_.insert(common);
    }
}

bool SeccompSorting::is_simple(const Place& place) const {
    return !tangled_.contains(place) && calls_.at(place).simple;
}

bool SeccompSorting::is_for_library(const std::string& name) {
    return std::any_of(architectures_.begin(), architectures_.end(), [&](uint32_t architecture) {
        SeccompNumbers::Call call = numbers_.find(architecture, name);
        const uint32_t audited = audit_architecture(architecture);
        return (call.number && !is_simple({audited, *call.number})) ||
               (call.common && tangled_.contains({audited, *call.common}));
    });
}

}  // namespace kedge::runtime

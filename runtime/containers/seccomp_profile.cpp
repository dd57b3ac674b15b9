#include "base/error.h"
#include "runtime/containers/seccomp_policy.h"

#include <nlohmann/json.hpp>

#include <sys/utsname.h>

#include <algorithm>
#include <cstdio>

namespace kedge::runtime {

namespace {

using Json = nlohmann::json;

[[noreturn]] void refuse(const std::string& why) {
    throw Error(Code::invalid_argument, "seccomp profile: " + why);
}

uint32_t parse_action(const std::string& name, uint16_t error, bool listener) {
    if (name == "SCMP_ACT_ALLOW") return SCMP_ACT_ALLOW;
    if (name == "SCMP_ACT_ERRNO") return SCMP_ACT_ERRNO(error);
    if (name == "SCMP_ACT_KILL" || name == "SCMP_ACT_KILL_THREAD") return SCMP_ACT_KILL_THREAD;
    if (name == "SCMP_ACT_KILL_PROCESS") return SCMP_ACT_KILL_PROCESS;
    if (name == "SCMP_ACT_TRAP") return SCMP_ACT_TRAP;
    if (name == "SCMP_ACT_LOG") return SCMP_ACT_LOG;
    if (name == "SCMP_ACT_TRACE") return SCMP_ACT_TRACE(error);
    if (name == "SCMP_ACT_NOTIFY" && listener) return SCMP_ACT_NOTIFY;
    refuse("action \"" + name + "\" is not supported");
}

scmp_compare parse_comparison(const std::string& name) {
    const std::pair<const char*, scmp_compare> names[] = {{"SCMP_CMP_NE", SCMP_CMP_NE},
                                                          {"SCMP_CMP_LT", SCMP_CMP_LT},
                                                          {"SCMP_CMP_LE", SCMP_CMP_LE},
                                                          {"SCMP_CMP_EQ", SCMP_CMP_EQ},
                                                          {"SCMP_CMP_GE", SCMP_CMP_GE},
                                                          {"SCMP_CMP_GT", SCMP_CMP_GT},
                                                          {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ}};
    for (const auto& [known, value] : names)
        if (name == known) return value;
    refuse("comparison \"" + name + "\" is not known");
}

uint32_t parse_architecture(const std::string& name) {
    std::string lower = name.starts_with("SCMP_ARCH_") ? name.substr(10) : name;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    uint32_t token = seccomp_arch_resolve_name(lower.c_str());
    if (token == 0) refuse("architecture \"" + name + "\" is not known");
    return token;
}

/// The machine as profiles call it in includes and excludes.
const char* own_architecture() {
    return seccomp_arch_native() == SCMP_ARCH_X86_64 ? "amd64" : "arm64";
}

bool kernel_is_at_least(const std::string& version) {
    utsname name{};
    int have[2] = {0, 0}, want[2] = {0, 0};
    if (::uname(&name) != 0 || std::sscanf(name.release, "%d.%d", &have[0], &have[1]) != 2) return true;
    if (std::sscanf(version.c_str(), "%d.%d", &want[0], &want[1]) != 2)
        refuse("minKernel \"" + version + "\" is not a version");
    return have[0] != want[0] ? have[0] > want[0] : have[1] >= want[1];
}

bool has_all(const Json& names, CapabilityMask capabilities) {
    return std::all_of(names.begin(), names.end(),
                       [&](const Json& n) { return capabilities >> capability_number(n.get<std::string>()) & 1; });
}

bool has_any(const Json& names, CapabilityMask capabilities) {
    return std::any_of(names.begin(), names.end(),
                       [&](const Json& n) { return capabilities >> capability_number(n.get<std::string>()) & 1; });
}

bool names_own(const Json& architectures) {
    return std::find(architectures.begin(), architectures.end(), own_architecture()) != architectures.end();
}

bool applies(const Json& entry, CapabilityMask capabilities) {
    Json includes = entry.value("includes", Json::object()), excludes = entry.value("excludes", Json::object());
    if (includes.contains("caps") && !has_all(includes["caps"], capabilities)) return false;
    if (includes.contains("arches") && !includes["arches"].empty() && !names_own(includes["arches"])) return false;
    if (includes.contains("minKernel") && !kernel_is_at_least(includes["minKernel"])) return false;
    if (excludes.contains("caps") && has_any(excludes["caps"], capabilities)) return false;
    if (excludes.contains("arches") && names_own(excludes["arches"])) return false;
    return !excludes.contains("minKernel") || !kernel_is_at_least(excludes["minKernel"]);
}

std::vector<scmp_arg_cmp> parse_arguments(const Json& list) {
    std::vector<scmp_arg_cmp> result;
    for (const Json& entry : list) {
        scmp_arg_cmp argument{};
        argument.arg = entry.at("index");
        if (argument.arg > 5) refuse("a call has six arguments");
        argument.op = parse_comparison(entry.at("op"));
        argument.datum_a = entry.value("value", uint64_t{0});
        argument.datum_b = entry.value("valueTwo", uint64_t{0});
        result.push_back(argument);
    }
    return result;
}

void add_rules(const Json& entry, bool listener, SeccompPolicy& policy) {
    SeccompRule rule;
    if (entry.contains("names")) rule.names = entry["names"].get<std::vector<std::string>>();
    if (entry.contains("name")) rule.names.push_back(entry["name"]);
    if (rule.names.empty()) refuse("an entry of syscalls has no names");
    rule.action = parse_action(entry.at("action"), entry.value("errnoRet", uint16_t{1}), listener);
    Json list = entry.contains("args") && entry["args"].is_array() ? entry["args"] : Json::array();
    rule.arguments = parse_arguments(list);
    // Several conditions on one argument can't all be meant: each makes a rule of its own.
    bool repeated = false;
    for (size_t i = 0; i < rule.arguments.size(); i++)
        for (size_t j = 0; j < i; j++) repeated = repeated || rule.arguments[i].arg == rule.arguments[j].arg;
    if (!repeated) {
        policy.rules.push_back(std::move(rule));
        return;
    }
    for (const scmp_arg_cmp& argument : rule.arguments) policy.rules.push_back({rule.names, rule.action, {argument}});
}

SeccompPolicy parse(const Json& profile, CapabilityMask capabilities, bool listener) {
    SeccompPolicy policy;
    policy.otherwise = parse_action(profile.at("defaultAction"), profile.value("defaultErrnoRet", uint16_t{1}), false);
    if (profile.contains("architectures"))
        for (const Json& name : profile["architectures"]) policy.architectures.push_back(parse_architecture(name));
    if (profile.contains("archMap")) {
        for (const Json& entry : profile["archMap"]) {
            if (parse_architecture(entry.at("architecture")) != seccomp_arch_native()) continue;
            for (const Json& name : entry.value("subArchitectures", Json::array()))
                policy.architectures.push_back(parse_architecture(name));
        }
    }
    for (const Json& entry : profile.value("syscalls", Json::array()))
        if (applies(entry, capabilities)) add_rules(entry, listener, policy);
    return policy;
}

}  // namespace

SeccompPolicy parse_seccomp_profile(const std::string& json, CapabilityMask capabilities, bool listener) {
    try {
        return parse(Json::parse(json), capabilities, listener);
    } catch (const Json::exception& e) {
        refuse(e.what());
    }
}

}  // namespace kedge::runtime

#include "runtime/containers/capabilities.h"

#include "base/error.h"

#include <sys/capability.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cctype>

namespace kedge::runtime {

namespace {

constexpr CapabilityMask bit(int number) {
    return CapabilityMask{1} << number;
}

bool is_all(std::string name) {
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return name == "ALL" || name == "CAP_ALL";
}

}  // namespace

CapabilityMask default_capabilities() {
    return bit(CAP_CHOWN) | bit(CAP_DAC_OVERRIDE) | bit(CAP_FSETID) | bit(CAP_FOWNER) | bit(CAP_MKNOD) |
           bit(CAP_NET_RAW) | bit(CAP_SETGID) | bit(CAP_SETUID) | bit(CAP_SETFCAP) | bit(CAP_SETPCAP) |
           bit(CAP_NET_BIND_SERVICE) | bit(CAP_SYS_CHROOT) | bit(CAP_KILL) | bit(CAP_AUDIT_WRITE);
}

namespace {

std::string in_capitals(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return text;
}

}  // namespace

int capability_number(const std::string& name) {
    std::string lower = name;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (!lower.starts_with("cap_")) lower.insert(0, "cap_");
    cap_value_t value = 0;
    if (lower.find('=') != std::string::npos || ::cap_from_name(lower.c_str(), &value) != 0 || value < 0 ||
        value > 63) {
        throw Error(Code::invalid_argument, "unknown capability: \"" + in_capitals(lower) + "\"");
    }
    return value;
}

std::string capability_name(int number) {
    char* text = ::cap_to_name(number);
    std::string name = text ? text : std::to_string(number);
    ::cap_free(text);
    return in_capitals(std::move(name));
}

CapabilityMask all_capabilities() {
    CapabilityMask mask = 0;
    for (int i = 0; i < 64 && ::prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++) mask |= bit(i);
    return mask;
}

namespace {

CapabilityMask read_bounding_set() {
    CapabilityMask mask = 0;
    for (int i = 0; i < 64; i++) {
        int has = ::prctl(PR_CAPBSET_READ, i, 0, 0, 0);
        if (has < 0) break;
        if (has > 0) mask |= bit(i);
    }
    return mask;
}

}  // namespace

CapabilityMask own_capabilities() {
    static const CapabilityMask mask = read_bounding_set();  // this process gives none of it up
    return mask;
}

CapabilityMask adjust_capabilities(const std::vector<std::string>& add, const std::vector<std::string>& drop) {
    CapabilityMask result = default_capabilities();
    bool add_all = std::any_of(add.begin(), add.end(), is_all),
         drop_all = std::any_of(drop.begin(), drop.end(), is_all);
    if (add_all)
        result = all_capabilities();
    else if (drop_all)
        result = 0;
    auto number = [](const std::string& name, const char* list) {
        try {
            return capability_number(name);
        } catch (const Error& error) {
            throw error.with_context(list);
        }
    };
    for (const std::string& name : drop)
        if (!is_all(name)) result &= ~bit(number(name, "invalid CapDrop"));
    for (const std::string& name : add)
        if (!is_all(name) && !add_all) result |= bit(number(name, "invalid CapAdd"));
    return result;
}

std::vector<std::string> capability_names(CapabilityMask mask) {
    std::vector<std::string> names;
    for (int i = 0; i < 64; i++)
        if (mask & bit(i)) names.push_back(capability_name(i));
    return names;
}

}  // namespace kedge::runtime

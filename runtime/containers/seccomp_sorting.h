#pragma once

#include "runtime/containers/seccomp_policy.h"
#include "runtime/containers/seccomp_tree.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace kedge::runtime {

/// Numbers of system calls. The library goes through its whole table for each, so they are kept.
class SeccompNumbers {
public:
    struct Call {
        std::optional<uint32_t> number;
        std::optional<uint32_t> common;  ///< of socketcall(2) or ipc(2), where that reaches it too
    };

    /// Of a call on an architecture (SCMP_ARCH_*).
    Call find(uint32_t architecture, const std::string& name);

private:
    std::optional<uint32_t> own_number(uint32_t architecture, const std::string& name);

    std::map<std::pair<uint32_t, std::string>, Call> known_;
    std::map<uint32_t, std::vector<std::string>> names_;  ///< of an architecture, by number
};

/// A policy's rules by who decides: the tree for calls with one action whatever their arguments are, the library for
/// the others.
class SeccompSorting {
public:
    explicit SeccompSorting(const SeccompPolicy& policy);

    const std::map<uint32_t, SeccompActions>& known() const { return known_; }
    /// Whether the library has to know the rules of this call.
    bool is_for_library(const std::string& name);

private:
    struct Outcome {
        uint32_t action;
        bool simple;  ///< whatever the arguments are
    };

    using Place = std::pair<uint32_t, uint32_t>;  ///< architecture and number

    void sort(const SeccompRule& rule, const std::string& name);
    void find_tangled(const SeccompRule& rule, const std::string& name);
    bool is_simple(const Place& place) const;

    std::vector<uint32_t> architectures_;
    SeccompNumbers numbers_;
    std::map<Place, Outcome> calls_;
    std::set<Place> tangled_;  ///< socketcall and ipc where they do otherwise than one of the calls that they reach
    std::map<uint32_t, SeccompActions> known_;
};

}  // namespace kedge::runtime

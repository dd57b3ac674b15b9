#pragma once

#include "runtime/networks/ipv6.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct ldns_struct_pkt;

namespace kedge::runtime {

/// One question as it came over the wire, hostile until parsed.
class DnsQuery {
public:
    /// Empty for whatever isn't a single, well-formed question.
    static std::optional<DnsQuery> parse(std::string_view wire);

    const std::string& name() const { return name_; }  ///< as text, with a final dot
    bool standard() const { return standard_; }        ///< an ordinary query for the Internet class
    /// A PTR's address.
    const std::optional<Address>& reversed() const { return reversed_; }

    enum class Result { ok, server_failure, no_such_name, not_implemented, refused };
    /// An answer without records.
    std::string answer(Result result) const;
    /// A and AAAA records, as far as they were asked for; without any, the name exists but has none of that. Longer
    /// than `limit` (or what the asker said that it takes): cut, and marked so that it asks again by TCP.
    std::string answer(const std::vector<Address>& addresses, size_t limit) const;
    std::string answer_name(const std::string& name) const;

    static constexpr size_t kNoLimit = 65535;

private:
    struct Free {
        void operator()(ldns_struct_pkt* packet) const;
    };
    using Packet = std::unique_ptr<ldns_struct_pkt, Free>;
    Packet begin_answer(Result result) const;

    Packet packet_;
    std::string name_;
    bool standard_ = false;
    bool ipv4_ = false, ipv6_ = false;  // of A, AAAA or ANY
    std::optional<Address> reversed_;
};

}  // namespace kedge::runtime

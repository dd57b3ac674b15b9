#pragma once

#include "runtime/networks/ipv4.h"

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
    bool wants_address() const { return address_; }    ///< A or ANY
    /// PTR of an IPv4 address.
    std::optional<Ipv4> reversed() const { return reversed_; }

    enum class Result { ok, server_failure, no_such_name, not_implemented, refused };
    /// An answer without records.
    std::string answer(Result result) const;
    /// A records; without any, the name exists but has none of what was asked for. Longer than `limit` (or what the
    /// asker said that it takes): cut, and marked so that it asks again by TCP.
    std::string answer(const std::vector<Ipv4>& addresses, size_t limit) const;
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
    bool address_ = false;
    std::optional<Ipv4> reversed_;
};

}  // namespace kedge::runtime

#include "runtime/networks/dns_message.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <ldns/ldns.h>

#include <algorithm>
#include <cstdlib>

namespace kedge::runtime {

namespace {

constexpr uint32_t kTimeToLive = 5;  // seconds: a container that is replaced is forgotten soon

struct FreeText {
    void operator()(char* text) const { std::free(text); }
};
struct FreeBytes {
    void operator()(uint8_t* bytes) const { std::free(bytes); }
};

// `4.3.2.1.` is 1.2.3.4.
std::optional<Address> reversed_ipv4(const std::string& name) {
    try {
        uint32_t bits = Ipv4::parse(name).bits;
        return Ipv4{bits >> 24 | (bits >> 8 & 0xff00) | (bits << 8 & 0xff0000) | bits << 24};
    } catch (const Error&) {
        return {};
    }
}

// 32 hexadecimal digits, the last one first, with dots between them (RFC 3596, 2.5).
std::optional<Address> reversed_ipv6(const std::string& name) {
    if (name.size() != 63) return {};
    Ipv6 address;
    for (size_t at = name.size(); at-- > 0;) {
        const char c = name[at];
        if (at % 2 == 1) {
            if (c != '.') return {};
            continue;
        }
        const bool digit = c >= '0' && c <= '9';
        if (!digit && (c < 'a' || c > 'f')) return {};
        address.bits = address.bits << 4 | static_cast<unsigned>(digit ? c - '0' : c - 'a' + 10);
    }
    return address;
}

std::optional<Address> reversed_address(std::string name) {
    constexpr std::string_view suffix4 = ".in-addr.arpa.", suffix6 = ".ip6.arpa.";
    for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    if (name.ends_with(suffix4)) return reversed_ipv4(name.substr(0, name.size() - suffix4.size()));
    if (name.ends_with(suffix6)) return reversed_ipv6(name.substr(0, name.size() - suffix6.size()));
    return {};
}

ldns_pkt_rcode to_rcode(DnsQuery::Result result) {
    switch (result) {
        case DnsQuery::Result::ok: return LDNS_RCODE_NOERROR;
        case DnsQuery::Result::server_failure: return LDNS_RCODE_SERVFAIL;
        case DnsQuery::Result::no_such_name: return LDNS_RCODE_NXDOMAIN;
        case DnsQuery::Result::not_implemented: return LDNS_RCODE_NOTIMPL;
        case DnsQuery::Result::refused: return LDNS_RCODE_REFUSED;
    }
    return LDNS_RCODE_SERVFAIL;
}

std::string to_wire(const ldns_pkt* packet) {
    uint8_t* bytes = nullptr;
    size_t size = 0;
    if (ldns_pkt2wire(&bytes, packet, &size) != LDNS_STATUS_OK) return {};
    std::unique_ptr<uint8_t, FreeBytes> owned(bytes);
    return {reinterpret_cast<const char*>(bytes), size};
}

void push_record(ldns_pkt* packet, ldns_rdf* owner, ldns_rr_type type, ldns_rdf* data) {
    if (!data) return;
    ldns_rr* record = ldns_rr_new();
    if (!record) return ldns_rdf_deep_free(data);
    ldns_rr_set_owner(record, ldns_rdf_clone(owner));
    ldns_rr_set_type(record, type);
    ldns_rr_set_class(record, LDNS_RR_CLASS_IN);
    ldns_rr_set_ttl(record, kTimeToLive);
    ldns_rr_push_rdf(record, data);
    ldns_pkt_push_rr(packet, LDNS_SECTION_ANSWER, record);
}

ldns_rdf* question_owner(const ldns_pkt* packet) {
    return ldns_rr_owner(ldns_rr_list_rr(ldns_pkt_question(packet), 0));
}

}  // namespace

void DnsQuery::Free::operator()(ldns_struct_pkt* packet) const {
    ldns_pkt_free(packet);
}

std::optional<DnsQuery> DnsQuery::parse(std::string_view wire) {
    ldns_pkt* parsed = nullptr;
    if (ldns_wire2pkt(&parsed, reinterpret_cast<const uint8_t*>(wire.data()), wire.size()) != LDNS_STATUS_OK) return {};
    DnsQuery query;
    query.packet_.reset(parsed);
    if (ldns_pkt_qr(parsed) || ldns_rr_list_rr_count(ldns_pkt_question(parsed)) != 1) return {};
    ldns_rdf* owner = question_owner(parsed);
    if (!owner) return {};
    std::unique_ptr<char, FreeText> name(ldns_rdf2str(owner));
    if (!name) return {};
    query.name_ = name.get();
    const ldns_rr* question = ldns_rr_list_rr(ldns_pkt_question(parsed), 0);
    const ldns_rr_type type = ldns_rr_get_type(question);
    query.standard_ =
        ldns_pkt_get_opcode(parsed) == LDNS_PACKET_QUERY && ldns_rr_get_class(question) == LDNS_RR_CLASS_IN;
    query.ipv4_ = type == LDNS_RR_TYPE_A || type == LDNS_RR_TYPE_ANY;
    query.ipv6_ = type == LDNS_RR_TYPE_AAAA || type == LDNS_RR_TYPE_ANY;
    if (type == LDNS_RR_TYPE_PTR) query.reversed_ = reversed_address(query.name_);
    return query;
}

DnsQuery::Packet DnsQuery::begin_answer(Result result) const {
    Packet answer(ldns_pkt_new());
    if (!answer) throw std::bad_alloc();
    ldns_pkt_set_id(answer.get(), ldns_pkt_id(packet_.get()));
    ldns_pkt_set_qr(answer.get(), true);
    ldns_pkt_set_opcode(answer.get(), ldns_pkt_get_opcode(packet_.get()));
    ldns_pkt_set_rd(answer.get(), ldns_pkt_rd(packet_.get()));
    ldns_pkt_set_ra(answer.get(), true);
    ldns_pkt_set_rcode(answer.get(), static_cast<uint8_t>(to_rcode(result)));
    if (ldns_pkt_edns(packet_.get())) ldns_pkt_set_edns_udp_size(answer.get(), 1232);
    ldns_pkt_push_rr(answer.get(), LDNS_SECTION_QUESTION,
                     ldns_rr_clone(ldns_rr_list_rr(ldns_pkt_question(packet_.get()), 0)));
    return answer;
}

std::string DnsQuery::answer(Result result) const {
    return to_wire(begin_answer(result).get());
}

std::string DnsQuery::answer(const std::vector<Address>& addresses, size_t limit) const {
    Packet answer = begin_answer(Result::ok);
    for (const Address& address : addresses) {
        if (!(is_ipv6(address) ? ipv6_ : ipv4_)) continue;
        if (const auto* ipv6 = std::get_if<Ipv6>(&address)) {
            const Ipv6::Bytes bytes = ipv6->bytes();
            push_record(answer.get(), question_owner(packet_.get()), LDNS_RR_TYPE_AAAA,
                        ldns_rdf_new_frm_data(LDNS_RDF_TYPE_AAAA, bytes.size(), bytes.data()));
            continue;
        }
        const uint32_t bits = htonl(std::get<Ipv4>(address).bits);
        push_record(answer.get(), question_owner(packet_.get()), LDNS_RR_TYPE_A,
                    ldns_rdf_new_frm_data(LDNS_RDF_TYPE_A, sizeof bits, &bits));
    }
    std::string wire = to_wire(answer.get());
    if (wire.size() <= std::max<size_t>(limit, ldns_pkt_edns_udp_size(packet_.get()))) return wire;
    answer = begin_answer(Result::ok);
    ldns_pkt_set_tc(answer.get(), true);
    return to_wire(answer.get());
}

std::string DnsQuery::answer_name(const std::string& name) const {
    Packet answer = begin_answer(Result::ok);
    ldns_rdf* target = ldns_dname_new_frm_str((name + ".").c_str());
    push_record(answer.get(), question_owner(packet_.get()), LDNS_RR_TYPE_PTR, target);
    return to_wire(answer.get());
}

}  // namespace kedge::runtime

#include "dns_client.h"

#include "base/error.h"
#include "base/netns.h"
#include "runtime/networks/socket_address.h"

#include <arpa/inet.h>
#include <ldns/ldns.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>

namespace kedge::runtime {

namespace {

SocketAddress server_address(const std::string& server) {
    return SocketAddress(parse_address(server), 53);
}

Fd connect_to(int netns, const std::string& server, Protocol protocol, int timeout_ms) {
    const SocketAddress address = server_address(server);
    Fd socket = socket_in(netns, address.family(), protocol == Protocol::tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
    timeval timeout{timeout_ms / 1000, timeout_ms % 1000 * 1000};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    if (::connect(socket.get(), address.get(), address.size()) != 0) return {};
    return socket;
}

std::string to_text(char* text) {
    std::string result = text ? text : "";
    std::free(text);
    return result;
}

std::string framed(const std::string& wire) {
    return std::string{static_cast<char>(wire.size() >> 8), static_cast<char>(wire.size())} + wire;
}

std::string read_framed(int fd) {
    unsigned char size[2];
    if (::recv(fd, size, 2, MSG_WAITALL) != 2) return {};
    std::string wire(static_cast<size_t>(size[0]) << 8 | size[1], '\0');
    if (::recv(fd, wire.data(), wire.size(), MSG_WAITALL) != static_cast<ssize_t>(wire.size())) return {};
    return wire;
}

std::string to_wire(const ldns_pkt* packet) {
    uint8_t* bytes = nullptr;
    size_t size = 0;
    ldns_pkt2wire(&bytes, packet, &size);
    std::string wire(reinterpret_cast<char*>(bytes), size);
    std::free(bytes);
    return wire;
}

}  // namespace

DnsAnswer query(int netns, const std::string& server, const std::string& name, const std::string& type,
                Protocol protocol) {
    ldns_pkt* raw = nullptr;
    if (ldns_pkt_query_new_frm_str(&raw, name.c_str(), ldns_get_rr_type_by_name(type.c_str()), LDNS_RR_CLASS_IN,
                                   LDNS_RD) != LDNS_STATUS_OK) {
        throw Error(Code::invalid_argument, name);
    }
    ldns_pkt_set_random_id(raw);
    const uint16_t id = ldns_pkt_id(raw);
    const std::string wire = to_wire(raw);
    ldns_pkt_free(raw);
    Fd socket = connect_to(netns, server, protocol, 7000);
    if (!socket) return {"refused", {}};
    std::string bytes = protocol == Protocol::tcp ? framed(wire) : wire;
    if (::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) return {"refused", {}};
    std::string answer;
    if (protocol == Protocol::tcp) {
        answer = read_framed(socket.get());
    } else {
        answer.resize(65535);
        ssize_t n = ::recv(socket.get(), answer.data(), answer.size(), 0);
        answer.resize(n < 0 ? 0 : static_cast<size_t>(n));
    }
    if (answer.empty()) return {"timeout", {}};
    ldns_pkt* parsed = nullptr;
    if (ldns_wire2pkt(&parsed, reinterpret_cast<const uint8_t*>(answer.data()), answer.size()) != LDNS_STATUS_OK)
        return {"malformed", {}};
    DnsAnswer result;
    result.code = ldns_pkt_id(parsed) == id ? to_text(ldns_pkt_rcode2str(ldns_pkt_get_rcode(parsed))) : "wrong id";
    result.truncated = ldns_pkt_tc(parsed);
    const ldns_rr_list* records = ldns_pkt_answer(parsed);
    for (size_t i = 0; i < ldns_rr_list_rr_count(records); ++i)
        result.data.push_back(to_text(ldns_rdf2str(ldns_rr_rdf(ldns_rr_list_rr(records, i), 0))));
    ldns_pkt_free(parsed);
    return result;
}

std::string send_raw(int netns, const std::string& server, const std::string& bytes, int timeout_ms) {
    Fd socket = connect_to(netns, server, Protocol::udp, timeout_ms);
    (void)::send(socket.get(), bytes.data(), bytes.size(), 0);
    if (timeout_ms == 0) return {};
    std::string answer(65535, '\0');
    ssize_t n = ::recv(socket.get(), answer.data(), answer.size(), 0);
    answer.resize(n < 0 ? 0 : static_cast<size_t>(n));
    return answer;
}

Upstreams::Upstreams(int netns, const std::string& address, bool mute)
    : mute_(mute),
      udp_(socket_in(netns, AF_INET, SOCK_DGRAM, 0)),
      tcp_(socket_in(netns, AF_INET, SOCK_STREAM, 0)),
      stop_(::eventfd(0, EFD_CLOEXEC)) {
    const SocketAddress bound = server_address(address);
    for (int fd : {udp_.get(), tcp_.get()}) {
        const int on = 1;
        if (fd == tcp_.get()) ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (::bind(fd, bound.get(), bound.size()) != 0) throw_errno("bind upstream");
    }
    if (::listen(tcp_.get(), 16) != 0) throw_errno("listen");
    thread_ = std::thread([this] { serve(); });
}

Upstreams::~Upstreams() {
    uint64_t one = 1;
    (void)!::write(stop_.get(), &one, sizeof one);
    thread_.join();
}

std::string Upstreams::answer(const std::string& wire) {
    ldns_pkt* query = nullptr;
    if (ldns_wire2pkt(&query, reinterpret_cast<const uint8_t*>(wire.data()), wire.size()) != LDNS_STATUS_OK) return {};
    ldns_rr* question = ldns_rr_list_rr(ldns_pkt_question(query), 0);
    std::string name = to_text(ldns_rdf2str(ldns_rr_owner(question)));
    ldns_pkt_set_qr(query, true);
    if (name == "example.test.") {
        ldns_rr* record = nullptr;
        ldns_rr_new_frm_str(&record, "example.test. 60 IN A 203.0.113.7", 0, nullptr, nullptr);
        ldns_pkt_push_rr(query, LDNS_SECTION_ANSWER, record);
    } else {
        ldns_pkt_set_rcode(query, LDNS_RCODE_NXDOMAIN);
    }
    std::string result = to_wire(query);
    ldns_pkt_free(query);
    return result;
}

void Upstreams::serve() {
    while (true) {
        pollfd polled[] = {{stop_.get(), POLLIN, 0}, {udp_.get(), POLLIN, 0}, {tcp_.get(), POLLIN, 0}};
        if (::poll(polled, 3, -1) < 0 || polled[0].revents) return;
        if (polled[1].revents) {
            sockaddr_in peer{};
            socklen_t size = sizeof peer;
            std::string wire(4096, '\0');
            ssize_t n = ::recvfrom(udp_.get(), wire.data(), wire.size(), 0, reinterpret_cast<sockaddr*>(&peer), &size);
            if (n < 0) continue;
            ++questions_;
            wire.resize(static_cast<size_t>(n));
            std::string reply = answer(wire);
            if (!mute_)
                (void)::sendto(udp_.get(), reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&peer), size);
        }
        if (polled[2].revents) {
            Fd client(::accept4(tcp_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            ++questions_;
            std::string reply = framed(answer(read_framed(client.get())));
            if (!mute_) (void)::send(client.get(), reply.data(), reply.size(), MSG_NOSIGNAL);
        }
    }
}

}  // namespace kedge::runtime

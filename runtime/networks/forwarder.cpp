#include "runtime/networks/forwarder.h"

#include "base/error.h"

#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace kedge::runtime {

namespace {

constexpr size_t kHeader = 12;  // RFC 1035, 4.1.1

// A random id: together with a port that the kernel picks at random and a connected socket it is what keeps answers
// from being forged.
void put_random_id(std::string& message) {
    (void)!::getrandom(message.data(), 2, 0);
}

// Where the question section ends. The query was parsed before; an answer is hostile.
size_t question_end(const std::string& message) {
    size_t at = kHeader;
    while (at < message.size() && message[at] != 0) at += 1 + static_cast<unsigned char>(message[at]);
    return std::min(at + 5, message.size());
}

// The answer to this query: its id, a response, and the same question but for case.
bool answers(const std::string& answer, const std::string& query) {
    const size_t end = question_end(query);
    if (answer.size() < kHeader || answer.compare(0, 2, query, 0, 2) != 0 || !(answer[2] & 0x80)) return false;
    if (answer[4] == 0 && answer[5] == 0) return true;  // refusals may leave the question out
    auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return answer.size() >= end &&
           std::equal(query.begin() + kHeader, query.begin() + static_cast<long>(end), answer.begin() + kHeader,
                      [&](char a, char b) { return lower(a) == lower(b); });
}

}  // namespace

Forwarder::Forwarder(EventLoop& loop, std::string resolv_conf) : loop_(loop), resolv_conf_(std::move(resolv_conf)) {}

Forwarder::~Forwarder() {
    for (auto& [id, pending] : pending_) drop_socket(pending);
}

void Forwarder::ask(const std::string& query, const Address& asker, bool stream,
                    const std::vector<std::string>& servers, Reply reply) {
    size_t& count = askers_[asker];
    if (pending_.size() >= kPending || count >= kPerAsker) {
        if (count == 0) askers_.erase(asker);
        return reply({});
    }
    ++count;
    const Id id = ++last_;
    Pending& pending = pending_[id];
    pending.query = query;
    pending.asker = asker;
    pending.stream = stream;
    const std::string client_id = query.substr(0, 2);
    pending.reply = [reply = std::move(reply), client_id](std::string answer) {
        if (answer.size() >= 2) answer.replace(0, 2, client_id);
        reply(std::move(answer));
    };
    put_random_id(pending.query);
    pending.hosts = servers.empty();
    pending.servers = pending.hosts ? resolv_conf_.servers() : upstreams(servers);
    if (pending.hosts && first_server_ < pending.servers.size()) pending.first = first_server_;
    std::rotate(pending.servers.begin(), pending.servers.begin() + static_cast<long>(pending.first),
                pending.servers.end());
    try_next(id);
}

void Forwarder::try_next(Id id) {
    Pending& pending = pending_.at(id);
    drop_socket(pending);
    while (pending.next < pending.servers.size()) {
        const Upstream& server = pending.servers[pending.next++];
        if (begin(id, pending, server)) return;
    }
    finish(id, {});
}

bool Forwarder::begin(Id id, Pending& pending, const Upstream& server) {
    const int type = (pending.stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;
    Fd socket(::socket(server.address.ss_family, type, 0));
    if (!socket) return false;
    const int result = ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&server.address), server.size);
    if (result != 0 && errno != EINPROGRESS) return false;
    if (!pending.stream && ::send(socket.get(), pending.query.data(), pending.query.size(), 0) < 0) return false;
    if (pending.stream) {
        const size_t size = pending.query.size();
        pending.out = {static_cast<char>(size >> 8), static_cast<char>(size)};
        pending.out += pending.query;
        pending.in.clear();
    }
    loop_.watch(socket.get(), pending.stream ? EPOLLOUT : EPOLLIN, [this, id](uint32_t) { ready(id); });
    pending.socket = std::move(socket);
    pending.timer = loop_.at(EventLoop::Clock::now() + kPatience, [this, id] {
        pending_.at(id).timer.reset();
        try_next(id);
    });
    return true;
}

bool Forwarder::exchange_stream(Pending& pending, std::string& answer) {
    if (!pending.out.empty()) {
        ssize_t n = ::send(pending.socket.get(), pending.out.data(), pending.out.size(), MSG_NOSIGNAL);
        if (n < 0) return errno == EAGAIN;
        pending.out.erase(0, static_cast<size_t>(n));
        if (pending.out.empty()) loop_.change(pending.socket.get(), EPOLLIN);
        return true;
    }
    char data[4096];
    ssize_t n = ::recv(pending.socket.get(), data, sizeof data, 0);
    if (n <= 0) return n < 0 && errno == EAGAIN;
    pending.in.append(data, static_cast<size_t>(n));
    if (pending.in.size() < 2) return true;
    const size_t size =
        static_cast<size_t>(static_cast<unsigned char>(pending.in[0])) << 8 | static_cast<unsigned char>(pending.in[1]);
    if (pending.in.size() >= size + 2) answer = pending.in.substr(2, size);
    return true;
}

void Forwarder::ready(Id id) {
    Pending& pending = pending_.at(id);
    std::string answer;
    if (pending.stream) {
        if (!exchange_stream(pending, answer)) return try_next(id);
        if (answer.empty()) return;
    } else {
        answer.resize(65535);
        ssize_t n = ::recv(pending.socket.get(), answer.data(), answer.size(), 0);
        if (n < 0) return errno == EAGAIN ? void() : try_next(id);  // refused: the next one
        answer.resize(static_cast<size_t>(n));
    }
    if (!answers(answer, pending.query)) return pending.stream ? try_next(id) : void();
    if (pending.hosts) first_server_ = (pending.first + pending.next - 1) % pending.servers.size();
    finish(id, std::move(answer));
}

void Forwarder::drop_socket(Pending& pending) {
    if (!pending.socket) return;
    loop_.forget(pending.socket.get());
    pending.socket.reset();
    if (pending.timer) loop_.cancel(*pending.timer);
    pending.timer.reset();
}

void Forwarder::finish(Id id, std::string answer) {
    auto node = pending_.extract(id);
    drop_socket(node.mapped());
    auto asker = askers_.find(node.mapped().asker);
    if (--asker->second == 0) askers_.erase(asker);
    node.mapped().reply(std::move(answer));
}

}  // namespace kedge::runtime

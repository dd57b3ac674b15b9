#include "registry_server.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

namespace kedge::runtime::test {

namespace {

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text;
}

HostileServer::Request parse_head(const std::string& head) {
    HostileServer::Request request;
    size_t end = head.find("\r\n");
    std::string line = head.substr(0, end);
    size_t space = line.find(' '), second = line.rfind(' ');
    request.method = line.substr(0, space);
    request.target = line.substr(space + 1, second - space - 1);
    while (end + 2 < head.size()) {
        size_t begin = end + 2;
        end = head.find("\r\n", begin);
        line = head.substr(begin, end - begin);
        if (size_t colon = line.find(": "); colon != std::string::npos)
            request.headers[lower(line.substr(0, colon))] = line.substr(colon + 2);
    }
    return request;
}

bool ends_with_any(const std::string& target, const std::string& part, std::string& rest) {
    size_t at = target.find(part);
    if (at == std::string::npos) return false;
    rest = target.substr(at + part.size());
    return true;
}

}  // namespace

std::string HostileServer::Request::header(const std::string& name) const {
    auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
}

bool HostileServer::Peer::send(std::string_view bytes) const {
    while (!bytes.empty()) {
        ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n <= 0) return false;
        bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
}

void HostileServer::Peer::answer(int status, const std::map<std::string, std::string>& headers,
                                 std::string_view body) const {
    std::string head = fmt::format("HTTP/1.1 {} Said\r\n", status);
    for (const auto& [name, value] : headers) head += name + ": " + value + "\r\n";
    if (!headers.contains("Content-Length")) head += fmt::format("Content-Length: {}\r\n", body.size());
    (void)send(head + "\r\n" + std::string(body));
}

void HostileServer::Peer::wait_until_gone() const {
    char byte;
    while (::recv(fd_, &byte, 1, 0) > 0) {
    }
}

void HostileServer::Peer::hang_up() const {
    (void)::shutdown(fd_, SHUT_RDWR);
}

HostileServer::HostileServer(Handler handler) : handler_(std::move(handler)) {
    listener_ = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_.get(), 64) != 0)
        throw_errno("listen");
    if (::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) throw_errno("getsockname");
    port_ = ntohs(address.sin_port);
    acceptor_ = std::jthread([this] { accept_all(); });
}

HostileServer::~HostileServer() {
    {
        std::lock_guard lock(mutex_);
        ending_ = true;
        for (Fd& connection : connections_) (void)::shutdown(connection.get(), SHUT_RDWR);
    }
    (void)::shutdown(listener_.get(), SHUT_RDWR);
    acceptor_.join();
    threads_.clear();
}

std::vector<HostileServer::Request> HostileServer::requests() const {
    std::lock_guard lock(mutex_);
    return requests_;
}

size_t HostileServer::count(const std::string& method, const std::string& part_of_target) const {
    std::lock_guard lock(mutex_);
    return static_cast<size_t>(std::count_if(requests_.begin(), requests_.end(), [&](const Request& request) {
        return request.method == method && request.target.find(part_of_target) != std::string::npos;
    }));
}

void HostileServer::accept_all() {
    while (true) {
        Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        std::lock_guard lock(mutex_);
        if (!fd || ending_) return;
        connections_.push_back(std::move(fd));
        threads_.emplace_back([this, raw = connections_.back().get()] { serve(raw); });
    }
}

void HostileServer::serve(int fd) {
    Peer peer(fd);
    std::string buffer;
    while (true) {
        size_t end = buffer.find("\r\n\r\n");
        if (end == std::string::npos) {
            char piece[4096];
            ssize_t n = ::recv(fd, piece, sizeof piece, 0);
            if (n <= 0) return;
            if (buffer.empty() && piece[0] == 0x16) {  // a TLS client's hello
                ::shutdown(fd, SHUT_RDWR);
                return;
            }
            buffer.append(piece, static_cast<size_t>(n));
            continue;
        }
        Request request = parse_head(buffer.substr(0, end + 2));
        buffer.erase(0, end + 4);
        {
            std::lock_guard lock(mutex_);
            requests_.push_back(request);
        }
        handler_(request, peer);
    }
}

FakeRegistry::FakeRegistry(const TestImage& image, Hook before)
    : before_(std::move(before)), server_([this](const auto& request, auto& peer) { handle(request, peer); }) {
    put_manifest("1", "application/vnd.oci.image.manifest.v1+json", image.manifest);
    put_blob(Digest::of(image.config), image.config);
    for (const TestImage::Layer& layer : image.layers) put_blob(Digest::of(layer.blob), layer.blob);
}

void FakeRegistry::put_manifest(const std::string& tag, const std::string& media_type, const std::string& body) {
    std::lock_guard lock(mutex_);
    manifests_[tag] = manifests_[Digest::of(body).str()] = {media_type, body};
}

void FakeRegistry::put_blob(const Digest& digest, const std::string& body) {
    std::lock_guard lock(mutex_);
    blobs_[digest.str()] = body;
}

void FakeRegistry::handle(const HostileServer::Request& request, HostileServer::Peer& peer) {
    if (before_ && before_(request, peer)) return;
    std::unique_lock lock(mutex_);
    std::string rest;
    if (ends_with_any(request.target, "/manifests/", rest) && manifests_.contains(rest)) {
        auto [type, body] = manifests_[rest];
        lock.unlock();
        std::map<std::string, std::string> headers{{"Content-Type", type},
                                                   {"Docker-Content-Digest", Digest::of(body).str()}};
        if (request.method == "HEAD") headers["Content-Length"] = std::to_string(body.size());
        peer.answer(200, headers, request.method == "HEAD" ? "" : body);
    } else if (ends_with_any(request.target, "/blobs/", rest) && blobs_.contains(rest)) {
        std::string body = blobs_[rest];
        lock.unlock();
        std::string range = request.header("range");
        size_t from = 0;
        if (!range.starts_with("bytes=")) return peer.answer(200, {}, body);
        (void)std::from_chars(range.data() + 6, range.data() + range.size(), from);
        if (from >= body.size()) return peer.answer(416, {}, "");
        peer.answer(206, {{"Content-Range", fmt::format("bytes {}-{}/{}", from, body.size() - 1, body.size())}},
                    std::string_view(body).substr(from));
    } else {
        lock.unlock();
        peer.answer(404, {{"Content-Type", "application/json"}},
                    R"({"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]})");
    }
}

}  // namespace kedge::runtime::test

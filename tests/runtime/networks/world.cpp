#include "world.h"

#include "base/digest.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/netns.h"
#include "runtime/networks/links.h"
#include "runtime/networks/socket_address.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <nftables/libnftables.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <list>

namespace kedge::runtime {

namespace {

SocketAddress address_of(const std::string& ip, uint16_t port) {
    return {parse_address(ip), port};
}

std::string text_of(const sockaddr_storage& address) {
    char text[INET6_ADDRSTRLEN];
    const void* from = address.ss_family == AF_INET6
                           ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr)
                           : &reinterpret_cast<const sockaddr_in&>(address).sin_addr;
    return ::inet_ntop(address.ss_family, from, text, sizeof text);
}

std::string words(int error_number) {
    if (error_number == ECONNREFUSED) return "refused";
    if (error_number == EAGAIN || error_number == EINPROGRESS || error_number == ETIMEDOUT) return "timeout";
    return std::strerror(error_number);
}

}  // namespace

Fd new_namespace() {
    Fd result;
    std::thread([&] {
        if (::unshare(CLONE_NEWNET) == 0) result = open_at(AT_FDCWD, "/proc/thread-self/ns/net", O_RDONLY);
    }).join();
    if (!result) throw Error(Code::internal, "unshare");
    return result;
}

void inside(int netns, const std::function<void()>& work) {
    std::thread([&] {
        if (::setns(netns, CLONE_NEWNET) != 0) std::abort();
        work();
    }).join();
}

Service::Service(int netns, Protocol protocol, uint16_t port, std::string name, const std::string& any)
    : protocol_(protocol),
      name_(std::move(name)),
      socket_(socket_in(netns, address_of(any, port).family(),
                        (protocol == Protocol::tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK, 0)),
      stop_(::eventfd(0, EFD_CLOEXEC)) {
    const SocketAddress address = address_of(any, port);
    const int on = 1;
    if (address.family() == AF_INET6) (void)::setsockopt(socket_.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (::bind(socket_.get(), address.get(), address.size()) != 0) throw_errno("bind");
    if (protocol == Protocol::tcp && ::listen(socket_.get(), 128) != 0) throw_errno("listen");
    thread_ = std::thread([this] { protocol_ == Protocol::tcp ? serve_tcp() : serve_udp(); });
}

Service::~Service() {
    uint64_t one = 1;
    (void)!::write(stop_.get(), &one, sizeof one);
    thread_.join();
}

void Service::serve_tcp() {
    std::list<Fd> clients;
    while (true) {
        std::vector<pollfd> polled{{stop_.get(), POLLIN, 0}, {socket_.get(), POLLIN, 0}};
        for (const Fd& client : clients) polled.push_back({client.get(), POLLIN, 0});
        if (::poll(polled.data(), polled.size(), -1) < 0 || polled[0].revents) return;
        clients.remove_if([&](const Fd& client) {
            char byte;
            return ::recv(client.get(), &byte, 1, MSG_DONTWAIT) == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
        });
        sockaddr_storage peer{};
        socklen_t size = sizeof peer;
        Fd client(::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC));
        if (!client) continue;
        std::string answer = name_ + " " + text_of(peer) + "\n";
        (void)::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
        clients.push_back(std::move(client));
    }
}

void Service::serve_udp() {
    while (true) {
        pollfd polled[] = {{stop_.get(), POLLIN, 0}, {socket_.get(), POLLIN, 0}};
        if (::poll(polled, 2, -1) < 0 || polled[0].revents) return;
        sockaddr_storage peer{};
        socklen_t size = sizeof peer;
        char data[512];
        if (::recvfrom(socket_.get(), data, sizeof data, 0, reinterpret_cast<sockaddr*>(&peer), &size) < 0) continue;
        std::string answer = name_ + " " + text_of(peer) + "\n";
        (void)::sendto(socket_.get(), answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&peer), size);
    }
}

std::string ask(int netns, const std::string& ip, uint16_t port, Protocol protocol, int timeout_ms) {
    const SocketAddress address = address_of(ip, port);
    Fd socket = socket_in(netns, address.family(), protocol == Protocol::tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
    timeval timeout{timeout_ms / 1000, timeout_ms % 1000 * 1000};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    if (::connect(socket.get(), address.get(), address.size()) != 0) return words(errno);
    if (protocol == Protocol::udp && ::send(socket.get(), "?", 1, 0) != 1) return words(errno);
    char data[512];
    ssize_t n = ::recv(socket.get(), data, sizeof data, 0);
    if (n < 0) return words(errno);
    std::string answer(data, static_cast<size_t>(n));
    return answer.substr(0, answer.find('\n'));
}

Flow::Flow(int netns, const std::string& ip, uint16_t port)
    : socket_(socket_in(netns, address_of(ip, port).family(), SOCK_DGRAM, 0)) {
    timeval timeout{1, 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    const SocketAddress address = address_of(ip, port);
    if (::connect(socket_.get(), address.get(), address.size()) != 0) throw_errno("connect");
}

std::string Flow::ask() {
    char data[512];
    if (::send(socket_.get(), "?", 1, 0) != 1) return words(errno);
    ssize_t n = ::recv(socket_.get(), data, sizeof data, 0);
    if (n < 0) return words(errno);
    return {data, static_cast<size_t>(n) - 1};
}

Echo::Echo(int netns, uint16_t port, std::string name)
    : socket_(socket_in(netns, AF_INET, SOCK_STREAM, 0)), stop_(::eventfd(0, EFD_CLOEXEC)) {
    const SocketAddress address = address_of("0.0.0.0", port);
    if (::bind(socket_.get(), address.get(), address.size()) != 0) throw_errno("bind");
    if (::listen(socket_.get(), 16) != 0) throw_errno("listen");
    thread_ = std::thread([this, name = std::move(name)] {
        std::list<Fd> clients;
        while (true) {
            std::vector<pollfd> polled{{stop_.get(), POLLIN, 0}, {socket_.get(), POLLIN, 0}};
            for (const Fd& client : clients) polled.push_back({client.get(), POLLIN, 0});
            if (::poll(polled.data(), polled.size(), -1) < 0 || polled[0].revents) return;
            clients.remove_if([&](const Fd& client) {
                char data[512];
                ssize_t n = ::recv(client.get(), data, sizeof data, MSG_DONTWAIT);
                if (n <= 0) return n == 0;
                std::string answer = name + " " + std::string(data, static_cast<size_t>(n));
                return ::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL) < 0;
            });
            if (polled[1].revents) clients.emplace_back(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        }
    });
}

Echo::~Echo() {
    uint64_t one = 1;
    (void)!::write(stop_.get(), &one, sizeof one);
    thread_.join();
}

Connection::Connection(int netns, const std::string& ip, uint16_t port)
    : socket_(socket_in(netns, address_of(ip, port).family(), SOCK_STREAM, 0)) {
    timeval timeout{3, 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    const SocketAddress address = address_of(ip, port);
    if (::connect(socket_.get(), address.get(), address.size()) != 0) throw_errno("connect");
}

std::string Connection::say(const std::string& line) {
    char data[512];
    if (::send(socket_.get(), line.data(), line.size(), MSG_NOSIGNAL) < 0) return words(errno);
    ssize_t n = ::recv(socket_.get(), data, sizeof data, 0);
    return n < 0 ? words(errno) : std::string(data, static_cast<size_t>(n));
}

std::string nft(const std::string& commands) {
    std::unique_ptr<nft_ctx, void (*)(nft_ctx*)> context(nft_ctx_new(NFT_CTX_DEFAULT), nft_ctx_free);
    nft_ctx_buffer_output(context.get());
    if (nft_run_cmd_from_buffer(context.get(), commands.c_str()) != 0) throw Error(Code::internal, commands);
    return nft_ctx_get_output_buffer(context.get());
}

void World::SetUp() {
    ASSERT_EQ(::unshare(CLONE_NEWNET), 0) << std::strerror(errno);
    host = open_at(AT_FDCWD, "/proc/thread-self/ns/net", O_RDONLY);
    connect_namespace({}, host.get());  // brings loopback up
    instance = "kt" + std::to_string(::getpid());
    folder = "/tmp/kedge-networks-XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    outside = new_namespace();
    Subnet wire = Subnet::parse("192.0.2.0/24");
    const Subnet6 wire6 = Subnet6::parse("2001:db8::/64");
    make_bridge("wire", "the way out", wire.first(), wire, 0, Ends6{wire6.first(), wire6});
    Endpoint end{"wire0", "wire", "eth0", Ipv4::parse("192.0.2.2"), wire, {}, 0, false};
    end.ipv6 = {Ipv6::parse("2001:db8::2"), wire6};
    connect_namespace({end}, outside.get());
    database = std::make_unique<Database>(folder + "/kedge.db");
    restart();
}

void World::restart() {
    networks.reset();
    networks = std::make_unique<BridgeNetworks>(
        BridgeNetworks::Options{instance, {"10.199.0.0/16"}, folder + "/resolv.conf"}, *database);
}

void World::resolv_conf(const std::string& text) {
    write_file_durably(AT_FDCWD, folder + "/resolv.conf", text);
}

void World::TearDown() {
    networks.reset();
    database.reset();
    remove_tree(AT_FDCWD, folder);
}

World::Box World::reserve(const std::string& name, std::vector<NetworkAttachment> attachments,
                          std::vector<PortBinding> ports, bool publish) {
    Box box;
    box.netns = new_namespace();
    box.attachment = {random_hex(32), name, std::move(attachments), std::move(ports), publish};
    box.attached = networks->reserve(box.attachment);
    return box;
}

World::Box World::start(const std::string& name, std::vector<NetworkAttachment> attachments,
                        std::vector<PortBinding> ports, bool publish) {
    Box box = reserve(name, std::move(attachments), std::move(ports), publish);
    networks->connect(box.attachment, box.attached, box.netns.get());
    return box;
}

std::string World::network(const std::string& name, bool internal, const std::string& subnet) {
    NetworkSpec spec;
    spec.name = name;
    spec.internal = internal;
    spec.subnet = subnet;
    return networks->create(spec);
}

std::string World::network6(const std::string& name, const std::string& subnet6, bool internal) {
    NetworkSpec spec;
    spec.name = name;
    spec.internal = internal;
    spec.ipv6 = true;
    spec.subnet6 = subnet6;
    return networks->create(spec);
}

void World::hide_ipv6() {
    ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    ASSERT_EQ(::mount("none", "/proc/sys/net/ipv6", "tmpfs", 0, nullptr), 0);
}

std::string World::refusal(const std::function<void()>& work) {
    try {
        work();
    } catch (const Error& e) {
        return e.what();
    }
    return "accepted";
}

}  // namespace kedge::runtime

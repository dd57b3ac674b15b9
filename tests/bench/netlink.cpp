#include "tests/bench/netlink.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

[[noreturn]] void fail(const char* what) {
    std::perror(what);
    std::_Exit(1);
}

/// A netlink message that grows attribute by attribute.
class Message {
public:
    Message(uint16_t type, uint16_t flags) {
        std::memset(data_, 0, sizeof data_);
        head()->nlmsg_len = NLMSG_HDRLEN;
        head()->nlmsg_type = type;
        head()->nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    }
    nlmsghdr* head() { return reinterpret_cast<nlmsghdr*>(data_); }
    template <typename T>
    void body(const T& value) {
        std::memcpy(data_ + head()->nlmsg_len, &value, sizeof value);
        head()->nlmsg_len += NLMSG_ALIGN(sizeof value);
    }
    void attribute(uint16_t type, const void* value, size_t size) {
        auto* made = reinterpret_cast<rtattr*>(data_ + head()->nlmsg_len);
        made->rta_type = type;
        made->rta_len = static_cast<uint16_t>(RTA_LENGTH(size));
        if (size) std::memcpy(RTA_DATA(made), value, size);
        head()->nlmsg_len += RTA_ALIGN(made->rta_len);
    }
    template <typename T>
    void attribute(uint16_t type, const T& value) {
        attribute(type, &value, sizeof value);
    }
    void attribute(uint16_t type, const char* text) { attribute(type, text, std::strlen(text) + 1); }
    size_t open(uint16_t type) {
        size_t at = head()->nlmsg_len;
        attribute(type, nullptr, 0);
        return at;
    }
    void close(size_t at) {
        reinterpret_cast<rtattr*>(data_ + at)->rta_len = static_cast<uint16_t>(head()->nlmsg_len - at);
    }
    const char* data() const { return data_; }

private:
    alignas(8) char data_[1024];
};

void expect_ack(int socket, const char* what) {
    alignas(8) char reply[2048];
    ssize_t n = recv(socket, reply, sizeof reply, 0);
    auto* head = reinterpret_cast<nlmsghdr*>(reply);
    if (n < 0 || head->nlmsg_type != NLMSG_ERROR) fail(what);
    int error = reinterpret_cast<nlmsgerr*>(NLMSG_DATA(head))->error;
    if (error != 0) {
        errno = -error;
        fail(what);
    }
}

void talk(int socket, Message& message, const char* what) {
    if (send(socket, message.data(), message.head()->nlmsg_len, 0) < 0) fail(what);
    expect_ack(socket, what);
}

int route_socket() {
    int made = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (made < 0) fail("netlink");
    return made;
}

void set_up(int socket, int index, int master = 0) {
    Message message(RTM_NEWLINK, 0);
    ifinfomsg info{};
    info.ifi_index = index;
    info.ifi_flags = IFF_UP;
    info.ifi_change = IFF_UP;
    message.body(info);
    if (master) message.attribute(IFLA_MASTER, static_cast<uint32_t>(master));
    talk(socket, message, "link up");
}

void add_address(int socket, int index, uint32_t address) {
    Message message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
    ifaddrmsg info{};
    info.ifa_family = AF_INET;
    info.ifa_prefixlen = 16;
    info.ifa_index = static_cast<uint32_t>(index);
    message.body(info);
    uint32_t wire = htonl(address);
    message.attribute(IFA_LOCAL, wire);
    message.attribute(IFA_ADDRESS, wire);
    talk(socket, message, "address");
}

constexpr uint32_t kGateway = 0x0ad50001;  // 10.213.0.1
int host_socket = -1;
int bridge_index = 0;

void add_pair(int pid, const std::string& name) {
    Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    message.body(ifinfomsg{});
    message.attribute(IFLA_IFNAME, name.c_str());
    message.attribute(IFLA_MASTER, static_cast<uint32_t>(bridge_index));
    size_t info = message.open(IFLA_LINKINFO);
    message.attribute(IFLA_INFO_KIND, "veth");
    size_t data = message.open(IFLA_INFO_DATA);
    size_t peer = message.open(VETH_INFO_PEER);
    message.body(ifinfomsg{});
    message.attribute(IFLA_IFNAME, "eth0");
    message.attribute(IFLA_NET_NS_PID, static_cast<uint32_t>(pid));
    message.close(peer);
    message.close(data);
    message.close(info);
    talk(host_socket, message, "veth");
}

}  // namespace

void prepare_bridge() {
    host_socket = route_socket();
    bridge_index = static_cast<int>(if_nametoindex("kfloor0"));
    if (bridge_index != 0) return;
    Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    message.body(ifinfomsg{});
    message.attribute(IFLA_IFNAME, "kfloor0");
    size_t info = message.open(IFLA_LINKINFO);
    message.attribute(IFLA_INFO_KIND, "bridge");
    message.close(info);
    talk(host_socket, message, "bridge");
    bridge_index = static_cast<int>(if_nametoindex("kfloor0"));
    add_address(host_socket, bridge_index, kGateway);
    set_up(host_socket, bridge_index);
}

void connect_namespace(int pid, int number) {
    std::string name = "kfl" + std::to_string(number);
    add_pair(pid, name);
    set_up(host_socket, static_cast<int>(if_nametoindex(name.c_str())));
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    int there = open(("/proc/" + std::to_string(pid) + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC);
    if (setns(there, CLONE_NEWNET) != 0) fail("setns");
    int inside = route_socket();
    int link = static_cast<int>(if_nametoindex("eth0"));
    if (setns(home, CLONE_NEWNET) != 0) fail("setns back");
    set_up(inside, 1);
    add_address(inside, link, kGateway + 1 + static_cast<uint32_t>(number));
    set_up(inside, link);
    Message route(RTM_NEWROUTE, NLM_F_CREATE);
    rtmsg body{};
    body.rtm_family = AF_INET;
    body.rtm_table = RT_TABLE_MAIN;
    body.rtm_protocol = RTPROT_BOOT;
    body.rtm_scope = RT_SCOPE_UNIVERSE;
    body.rtm_type = RTN_UNICAST;
    route.body(body);
    route.attribute(RTA_GATEWAY, htonl(kGateway));
    talk(inside, route, "route");
    close(inside);
    close(there);
    close(home);
}

#include "runtime/containers/launch_limits.h"

#include "runtime/shim/launch_plan.h"

#include <gtest/gtest.h>

namespace kedge::runtime {

namespace {

/// Whether such a start waits for its network before it writes the setting.
bool waits_for_links(const std::string& key, bool own_namespace = true) {
    LaunchRequest request;
    request.spec.sysctls[key] = "1";
    request.new_network_namespace = own_namespace;
    request.join_network = own_namespace ? -1 : 0;
    LaunchSpec spec;
    plan_sysctls(request, spec);
    return (spec.flags & shim::kSettingsOfLinks) != 0;
}

}  // namespace

TEST(LaunchLimits, SettingsOfLinksWaitUntilTheseAreThere) {
    for (const char* key : {"net.ipv6.conf.eth0.accept_ra", "net.ipv4.conf.eth1.forwarding",
                            "net.ipv4.neigh.eth0.delay_first_probe_time", "net.ipv4.conf.vlan0/5.forwarding"})
        EXPECT_TRUE(waits_for_links(key)) << key;
    for (const char* key : {"net.ipv6.conf.all.forwarding", "net.ipv6.conf.default.accept_ra", "net.ipv4.conf.lo.mtu",
                            "net.core.somaxconn", "net.ipv4.ip_forward", "kernel.shmmax"})
        EXPECT_FALSE(waits_for_links(key)) << key;
    EXPECT_FALSE(waits_for_links("net.ipv6.conf.eth0.accept_ra", false)) << "those of another's network are there";
}

}  // namespace kedge::runtime

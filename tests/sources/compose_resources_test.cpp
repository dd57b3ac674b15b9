#include "tests/sources/compose_testing.h"

#include "base/digest.h"

using namespace kedge;
using namespace kedge::sources;

using ComposeResourcesTest = ComposeTest;
using Map = std::map<std::string, std::string>;

namespace {

const std::string kWeb = "services:\n  web:\n    image: app\n";

}  // namespace

TEST_F(ComposeResourcesTest, NetworksAreReadWhole) {
    auto network = [&](const std::string& body) {
        return load(kWeb + "    networks: [n]\nnetworks:\n  n: " + body + "\n").networks.at("n");
    };
    Network plain;
    plain.key = "n";
    plain.name = "shop_n";
    EXPECT_EQ(network(""), plain);
    EXPECT_EQ(network("{}"), plain);
    auto changed = [&](auto&& change) {
        Network copy = plain;
        change(copy);
        return copy;
    };
    EXPECT_EQ(network("{name: other.net}"), changed([](Network& n) { n.name = "other.net"; }));
    EXPECT_EQ(network("{internal: true}"), changed([](Network& n) { n.internal = true; }));
    EXPECT_EQ(network("{driver: bridge}"), changed([](Network& n) { n.driver = "bridge"; }));
    EXPECT_EQ(network("{external: true}"), changed([](Network& n) {
                  n.external = true;
                  n.name = "n";
              }));
    EXPECT_EQ(network("{external: true, name: given, x-why: a}"), changed([](Network& n) {
                  n.external = true;
                  n.name = "given";
              }));
    EXPECT_EQ(network("{external: {name: old}}"), changed([](Network& n) {
                  n.external = true;
                  n.name = "old";
              }));
    EXPECT_EQ(network("{external: false, labels: [a=b]}"), changed([](Network& n) { n.labels = Map{{"a", "b"}}; }));
    EXPECT_EQ(network("{labels: {a: 1}}"), changed([](Network& n) { n.labels = Map{{"a", "1"}}; }));
    EXPECT_EQ(network("{driver_opts: {com.docker.network.driver.mtu: 1400}}"), changed([](Network& n) {
                  n.driver_opts = Map{{"com.docker.network.driver.mtu", "1400"}};
              }));
    EXPECT_EQ(network("{ipam: {driver: default, config: [{subnet: 10.1.0.0/16, gateway: 10.1.0.9}]}}"),
              changed([](Network& n) {
                  n.subnet = "10.1.0.0/16";
                  n.gateway = "10.1.0.9";
              }));
    EXPECT_EQ(network("{attachable: true}"), changed([](Network& n) { n.attachable = true; }));
    EXPECT_EQ(network("{ipam: {config: [{subnet: 10.1.0.0/16, ip_range: 10.1.5.0/24, aux_addresses: {a: 10.1.0.2, b: "
                      "10.1.0.3}}]}}"),
              changed([](Network& n) {
                  n.subnet = "10.1.0.0/16";
                  n.ip_range = "10.1.5.0/24";
                  n.aux_addresses = {{"a", "10.1.0.2"}, {"b", "10.1.0.3"}};
              }));
    EXPECT_EQ(network("{enable_ipv4: false, enable_ipv6: true, ipam: {config: [{subnet: 'fd00:5::/64', ip_range: "
                      "'fd00:5::100/120', aux_addresses: {a: 'fd00:5::7'}}]}}"),
              changed([](Network& n) {
                  n.enable_ipv4 = false;
                  n.enable_ipv6 = true;
                  n.subnet6 = "fd00:5::/64";
                  n.ip_range6 = "fd00:5::100/120";
                  n.aux_addresses6 = {{"a", "fd00:5::7"}};
              }));
}

TEST_F(ComposeResourcesTest, WhatANetworkCantBeIsNamed) {
    auto one = [](const std::string& body, const std::string& wanted) {
        return std::pair(kWeb + "networks:\n  n: " + body, "5: networks.n" + wanted);
    };
    expect_errors({
        one("{name: ''}", ".name: invalid name \"\", only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"),
        one("{name: a/b}", ".name: invalid name \"a/b\", only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"),
        one("{name: host}", ": the network host is not supported yet here"),
        one("{external: true, name: none}", ": the network none is not supported yet here"),
        one("{external: maybe}", ".external: \"maybe\" is not true or false"),
        one("{external: true, driver: bridge}",
            ".driver: conflicting parameters \"external\" and \"driver\" specified for network"),
        one("{external: {nam: a}}", ".external.nam: unknown key"),
        one("{internal: 5}", ".internal: must be true or false"),
        one("{driver: overlay}", ".driver: the network driver \"overlay\" is not supported yet"),
        one("{driver_opts: {a: b}}", ".driver_opts.a: the network option is not supported yet"),
        one("{driver_opts: {com.docker.network.driver.mtu: 5}}",
            ".driver_opts.com.docker.network.driver.mtu: 5 is not between 68 and 65535"),
        one("{driver_opts: {com.docker.network.bridge.name: a/b}}",
            ".driver_opts.com.docker.network.bridge.name: \"a/b\" is not a bridge's name"),
        one("{driver_opts: {com.docker.network.bridge.enable_icc: false}}",
            ".driver_opts.com.docker.network.bridge.enable_icc: the value \"false\" is not supported yet"),
        one("{labels: a}", ".labels: must be a mapping or a list of NAME=value"),
        one("{ipam: {driver: dhcp}}", ".ipam.driver: \"dhcp\" is not one of default"),
        one("{ipam: {config: {}}}", ".ipam.config: must be a list"),
        one("{ipam: {config: [{subnet: 10.0.0.0}]}}", ".ipam.config[0].subnet: \"10.0.0.0\" is not a subnet"),
        one("{ipam: {config: [{subnet: 10.0.0.0/33}]}}", ".ipam.config[0].subnet: \"10.0.0.0/33\" is not a subnet"),
        one("{ipam: {config: [{subnet: 10.0.0.0/x}]}}", ".ipam.config[0].subnet: \"10.0.0.0/x\" is not a subnet"),
        one("{ipam: {config: [{subnet: 10.0.0.0/31}]}}",
            ".ipam.config[0].subnet: the subnet 10.0.0.0/31 has no room for containers"),
        one("{ipam: {config: [{subnet: 10.0.0.5/16}]}}",
            ".ipam.config[0].subnet: the subnet 10.0.0.5/16 should be 10.0.0.0/16"),
        one("{ipam: {config: [{subnet: 127.0.0.0/8}]}}",
            ".ipam.config[0].subnet: the subnet 127.0.0.0/8 can't be used for containers"),
        one("{ipam: {config: [{subnet: 224.0.0.0/8}]}}",
            ".ipam.config[0].subnet: the subnet 224.0.0.0/8 can't be used for containers"),
        one("{ipam: {config: [{subnet: 0.0.0.0/0}]}}",
            ".ipam.config[0].subnet: the subnet 0.0.0.0/0 can't be used for containers"),
        one("{ipam: {config: [{subnet: 'fd00::/64'}]}}", ".ipam: the subnet fd00::/64 needs enable_ipv6: true"),
        one("{ipam: {config: [{subnet: 'fd00::/129'}]}}", ".ipam.config[0].subnet: \"fd00::/129\" is not a subnet"),
        one("{ipam: {config: [{subnet: 'fd00::g/64'}]}}", ".ipam.config[0].subnet: \"fd00::g/64\" is not a subnet"),
        one("{ipam: {config: [{subnet: 'fd00::/127'}]}}",
            ".ipam.config[0].subnet: the subnet fd00::/127 has no room for containers"),
        one("{ipam: {config: [{subnet: 'fd00:0:0:17::/60'}]}}",
            ".ipam.config[0].subnet: the subnet fd00:0:0:17::/60 should be fd00:0:0:10::/60"),
        one("{ipam: {config: [{subnet: 'fe80::/64'}]}}",
            ".ipam.config[0].subnet: the subnet fe80::/64 can't be used for containers"),
        one("{ipam: {config: [{subnet: '::/0'}]}}",
            ".ipam.config[0].subnet: the subnet ::/0 can't be used for containers"),
        one("{enable_ipv6: true, ipam: {config: [{subnet: 'fd00::/64', gateway: 'fd01::1'}]}}",
            ".ipam.config[0].gateway: fd01::1 is not in the subnet fd00::/64"),
        one("{enable_ipv6: true, ipam: {config: [{subnet: 'fd00::/64', gateway: 'fd00::'}]}}",
            ".ipam.config[0].gateway: fd00:: is not in the subnet fd00::/64"),
        one("{enable_ipv6: true, ipam: {config: [{subnet: 'fd00::/64', gateway: 10.0.0.1}]}}",
            ".ipam.config[0].gateway: 10.0.0.1 is not in the subnet fd00::/64"),
        one("{enable_ipv6: true, ipam: {config: [{subnet: 'fd00::/64'}, {subnet: 'fd01::/64'}]}}",
            ".ipam.config[1].subnet: more than one subnet of a family is not supported yet"),
        one("{enable_ipv4: false}", ".enable_ipv4: IPv4 or IPv6 must be enabled"),
        one("{enable_ipv4: x}", ".enable_ipv4: \"x\" is not true or false"),
        one("{attachable: x}", ".attachable: \"x\" is not true or false"),
        one("{enable_ipv4: false, enable_ipv6: true, ipam: {config: [{subnet: 10.0.0.0/16}]}}",
            ".ipam: the subnet 10.0.0.0/16 is of IPv4, which enable_ipv4 turns off"),
        one("{ipam: {config: [{ip_range: 10.0.0.0/24}]}}", ".ipam.config[0].ip_range: needs a subnet"),
        one("{ipam: {config: [{subnet: 10.0.0.0/16, ip_range: 10.1.0.0/24}]}}",
            ".ipam.config[0].ip_range: the range 10.1.0.0/24 is not in the subnet 10.0.0.0/16"),
        one("{ipam: {config: [{subnet: 10.0.0.0/16, ip_range: 10.0.0.0/8}]}}",
            ".ipam.config[0].ip_range: the range 10.0.0.0/8 is not in the subnet 10.0.0.0/16"),
        one("{ipam: {config: [{subnet: 10.0.0.0/16, ip_range: 'fd00::/64'}]}}",
            ".ipam.config[0].ip_range: the range fd00::/64 is not in the subnet 10.0.0.0/16"),
        one("{ipam: {config: [{subnet: 10.0.0.0/16, ip_range: 10.0.5.1/24}]}}",
            ".ipam.config[0].ip_range: the range 10.0.5.1/24 should be 10.0.5.0/24"),
        one("{ipam: {config: [{subnet: 10.0.0.0/16, ip_range: 10.0.5.1}]}}",
            ".ipam.config[0].ip_range: \"10.0.5.1\" is not a range of addresses"),
        one("{enable_ipv6: true, ipam: {config: [{subnet: 'fd00:5::/64', ip_range: 'fd00:5::1:0/129'}]}}",
            ".ipam.config[0].ip_range: \"fd00:5::1:0/129\" is not a range of addresses"),
        one("{ipam: {config: [{aux_addresses: {a: 10.0.0.1}}]}}", ".ipam.config[0].aux_addresses: needs a subnet"),
        one("{ipam: {config: [{subnet: 10.0.0.0/16, aux_addresses: {a: x}}]}}",
            ".ipam.config[0].aux_addresses.a: \"x\" is not an IP address"),
        one("{ipam: {config: [{subnet: 10.0.0.0/16, aux_addresses: {a: 10.1.0.1}}]}}",
            ".ipam.config[0].aux_addresses.a: 10.1.0.1 is not in the subnet 10.0.0.0/16"),
        one("{enable_ipv6: x}", ".enable_ipv6: \"x\" is not true or false"),
        one("{ipam: {config: [{gateway: 10.0.0.1}]}}", ".ipam.config[0].gateway: needs a subnet"),
        one("{ipam: {config: [{subnet: 10.0.0.0/16, gateway: 10.1.0.1}]}}",
            ".ipam.config[0].gateway: 10.1.0.1 is not in the subnet 10.0.0.0/16"),
        one("{ipam: {config: [{subnet: 10.0.0.0/16, gateway: x}]}}",
            ".ipam.config[0].gateway: \"x\" is not an IP address"),
        one("{ipam: {config: [{subnet: 10.0.0.0/16}, {subnet: 10.1.0.0/16}]}}",
            ".ipam.config[1].subnet: more than one subnet of a family is not supported yet"),
    });
}

TEST_F(ComposeResourcesTest, ServicesJoinNetworksByNamePriorityAndAddress) {
    Project project = load(kWeb + R"(
    networks:
      back:
      front: {aliases: [www, shop], priority: 100, ipv4_address: 10.1.0.7}
networks:
  back: {internal: true}
  front: {ipam: {config: [{subnet: 10.1.0.0/16}]}}
  unused: {}
)");
    EXPECT_EQ(project.services.at("web").networks,
              (std::vector<NetworkUse>{{"front", {"www", "shop"}, "10.1.0.7", 100}, {"back", {}, "", 0}}));
    EXPECT_FALSE(project.networks.contains("unused"));
    EXPECT_FALSE(project.networks.contains("default"));
    auto address = [](const std::string& ip, const std::string& network) {
        return kWeb + "    networks:\n      n: {ipv4_address: " + ip + "}\nnetworks: {n: " + network + "}\n";
    };
    EXPECT_EQ(error(address("10.1.0.7", "{}")),
              "compose.yaml:5: services.web.networks.n.ipv4_address: the network n has no subnet of its own");
    EXPECT_EQ(error(address("10.2.0.7", "{ipam: {config: [{subnet: 10.1.0.0/16}]}}")),
              "compose.yaml:5: services.web.networks.n.ipv4_address: 10.2.0.7 is not in the subnet 10.1.0.0/16");
    EXPECT_EQ(error(address("10.1.0.0", "{ipam: {config: [{subnet: 10.1.0.0/16}]}}")),
              "compose.yaml:5: services.web.networks.n.ipv4_address: 10.1.0.0 is not in the subnet 10.1.0.0/16");
    EXPECT_EQ(error(address("10.2.0.7", "{external: true}")), "") << "what it has is known to its owner";
}

TEST_F(ComposeResourcesTest, AServiceSaysHowItsEndOfANetworkIs) {
    Project project = load(kWeb + R"(
    networks:
      back: {gw_priority: 5}
      front:
        priority: 100
        mac_address: 02:42:0a:05:00:07
        interface_name: wan0
        driver_opts: {com.docker.network.endpoint.sysctls: net.ipv4.conf.IFNAME.log_martians=1}
networks: {back: {}, front: {}}
)");
    NetworkUse back, front;
    back.network = "back";
    back.gw_priority = 5;
    front.network = "front";
    front.priority = 100;
    front.mac_address = "02:42:0a:05:00:07";
    front.interface_name = "wan0";
    front.driver_opts = {{"com.docker.network.endpoint.sysctls", "net.ipv4.conf.IFNAME.log_martians=1"}};
    EXPECT_EQ(project.services.at("web").networks, (std::vector<NetworkUse>{front, back}));
    auto one = [](const std::string& uses) { return kWeb + "    networks: " + uses + "\nnetworks: {n: {}, m: {}}\n"; };
    const std::string at = "compose.yaml:4: services.web.networks.n";
    EXPECT_EQ(error(one("{n: {link_local_ips: [169.254.1.1]}}")), at + ".link_local_ips: is not supported yet");
    EXPECT_EQ(error(one("{n: {gw_priority: x}}")), at + ".gw_priority: \"x\" is not a whole number");
    for (const char* bad : {"x", "02:42:0a:05:00", "03:42:0a:05:00:07", "00:00:00:00:00:00", "02:42-0a:05:00:07"})
        EXPECT_EQ(error(one("{n: {mac_address: '" + std::string(bad) + "'}}")),
                  at + ".mac_address: \"" + bad + "\" is not a MAC address");
    for (const char* bad : {"lo", "a/b", "sixteen-letters-x", ".."})
        EXPECT_EQ(error(one("{n: {interface_name: '" + std::string(bad) + "'}}")),
                  at + ".interface_name: \"" + bad + "\" is not an interface's name");
    EXPECT_EQ(error(one("{n: {driver_opts: {a: b}}}")),
              at + ".driver_opts.a: the endpoint option is not supported yet");
    EXPECT_EQ(error(one("{n: {driver_opts: {com.docker.network.endpoint.ifname: a0}, interface_name: b0}}")),
              at + ".interface_name: driver_opts say a0");
    EXPECT_EQ(error(one("{m: {interface_name: a0}, n: {driver_opts: {com.docker.network.endpoint.ifname: a0}}}")),
              at + ": another network has the interface a0 already");
    EXPECT_EQ(error(one("{m: {interface_name: eth1}, n: {aliases: [x]}}")),
              at + ": another network has the interface eth1 already");
    EXPECT_EQ(error(one("{m: {interface_name: eth1}, n: {interface_name: eth0}}")), "");
}

TEST_F(ComposeResourcesTest, NetworksMayHaveIpv6) {
    Project project = load(kWeb + R"(
    networks:
      front: {ipv4_address: 10.1.0.7, ipv6_address: 'fd00:5::7'}
      auto:
networks:
  front:
    enable_ipv6: true
    ipam: {config: [{subnet: 10.1.0.0/16}, {subnet: 'fd00:5::/64', gateway: 'fd00:5::99'}]}
  auto: {enable_ipv6: true}
)");
    const Network& front = project.networks.at("front");
    EXPECT_TRUE(front.enable_ipv6);
    EXPECT_EQ(front.subnet, "10.1.0.0/16");
    EXPECT_EQ(front.subnet6, "fd00:5::/64");
    EXPECT_EQ(front.gateway6, "fd00:5::99");
    EXPECT_TRUE(project.networks.at("auto").enable_ipv6);
    EXPECT_EQ(project_from_json(to_json_text(project)), project);
    const std::vector<NetworkUse>& uses = project.services.at("web").networks;
    const bool first = uses[0].network == "front";
    EXPECT_EQ(uses[first ? 0 : 1].ipv6_address, "fd00:5::7");
    auto address = [](const std::string& ip, const std::string& network) {
        return kWeb + "    networks:\n      n: {ipv6_address: '" + ip + "'}\nnetworks: {n: " + network + "}\n";
    };
    const std::string at = "compose.yaml:5: services.web.networks.n.ipv6_address: ";
    EXPECT_EQ(error(address("fd00:5::7", "{enable_ipv6: true}")), at + "the network n has no subnet of its own");
    const std::string network = "{enable_ipv6: true, ipam: {config: [{subnet: 'fd00:5::/64'}]}}";
    EXPECT_EQ(error(address("fd00:6::7", network)), at + "fd00:6::7 is not in the subnet fd00:5::/64");
    EXPECT_EQ(error(address("fd00:5::", network)), at + "fd00:5:: is not in the subnet fd00:5::/64");
    EXPECT_EQ(error(address("10.0.0.1", network)), at + "\"10.0.0.1\" is not an IPv6 address");
    EXPECT_EQ(error(address("fd00:5::7", network)), "");
}

TEST_F(ComposeResourcesTest, TheDefaultNetworkMayBeChanged) {
    EXPECT_EQ(load(kWeb + "networks: {default: {name: ours, internal: true}}").networks.at("default").name, "ours");
    EXPECT_TRUE(load(kWeb + "networks: {default: {external: true, name: theirs}}").networks.at("default").external);
}

TEST_F(ComposeResourcesTest, VolumesAreReadWhole) {
    auto volume = [&](const std::string& body) {
        return load(kWeb + "    volumes: ['v:/v']\nvolumes:\n  v: " + body + "\n").volumes.at("v");
    };
    EXPECT_EQ(volume(""), (Volume{"v", "shop_v", false, "", {}, {}}));
    EXPECT_EQ(volume("{name: mine}"), (Volume{"v", "mine", false, "", {}, {}}));
    EXPECT_EQ(volume("{driver: local, labels: {a: b}}"), (Volume{"v", "shop_v", false, "local", {{"a", "b"}}, {}}));
    EXPECT_EQ(volume("{driver_opts: {type: tmpfs, device: tmpfs, o: 'size=1m'}}").driver_opts,
              (Map{{"type", "tmpfs"}, {"device", "tmpfs"}, {"o", "size=1m"}}));
    EXPECT_EQ(volume("{external: true}"), (Volume{"v", "v", true, "", {}, {}}));
    EXPECT_EQ(volume("{external: true, name: theirs}"), (Volume{"v", "theirs", true, "", {}, {}}));
    auto one = [](const std::string& body, const std::string& wanted) {
        return std::pair(kWeb + "volumes:\n  v: " + body, "5: volumes.v" + wanted);
    };
    expect_errors({
        one("{name: ../x}", ".name: invalid name \"../x\", only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"),
        one("{driver: nfs}", ".driver: the volume driver \"nfs\" is not supported yet"),
        one("{driver_opts: {size: 1g}}", ".driver_opts.size: is no option of the local driver (type, device, o)"),
        one("{external: true, labels: {a: b}}",
            ".labels: conflicting parameters \"external\" and \"labels\" specified for volume"),
    });
    EXPECT_FALSE(load(kWeb + "volumes: {v: {}}").volumes.contains("v")) << "nobody uses it";
}

TEST_F(ComposeResourcesTest, SecretsAndConfigsComeFromFilesVariablesAndTheFileItself) {
    write("pass.txt", "secret");
    input.environment["TOKEN"] = "t";
    Project project = load(kWeb + R"(
    secrets: [pass, {source: token, target: tok, uid: '1000', gid: '100', mode: 0440}]
    configs: [conf, {source: inline, target: /etc/app/x.conf, mode: '0600'}, {source: pass, target: ../etc/p}]
secrets:
  pass: {file: ./pass.txt}
  token: {environment: TOKEN}
configs:
  conf: {file: pass.txt, name: any}
  inline: {content: "a $$b ${TOKEN}"}
  pass: {environment: TOKEN}
)");
    const Service& web = project.services.at("web");
    EXPECT_EQ(web.secrets, (std::vector<FileUse>{{"pass", "/run/secrets/pass", "", "", std::nullopt},
                                                 {"token", "/run/secrets/tok", "1000", "100", 0440}}));
    EXPECT_EQ(web.configs, (std::vector<FileUse>{{"conf", "/conf", "", "", std::nullopt},
                                                 {"inline", "/etc/app/x.conf", "", "", 0600},
                                                 {"pass", "/etc/p", "", "", std::nullopt}}));
    std::string digest = Digest::of("secret").str();
    EXPECT_EQ(project.secrets.at("pass"), (FileSource{"pass", input.directory + "/pass.txt", "", digest}));
    EXPECT_EQ(project.secrets.at("token"), (FileSource{"token", "", "t", Digest::of("t").str()}));
    EXPECT_EQ(project.configs.at("conf"), (FileSource{"conf", input.directory + "/pass.txt", "", digest}));
    EXPECT_EQ(project.configs.at("inline"), (FileSource{"inline", "", "a $b t", Digest::of("a $b t").str()}));
}

TEST_F(ComposeResourcesTest, WhatASecretCantBeIsNamed) {
    auto secret = [](const std::string& body, const std::string& wanted) {
        return std::pair(kWeb + "    secrets: [s]\nsecrets:\n  s: " + body, "6: secrets.s" + wanted);
    };
    expect_errors({
        secret("{}", ": has no source: give it a file or environment"),
        secret("{file: a, environment: B}", ".file: a not found"),
        secret("{file: none}", ".file: none not found"),
        secret("{file: 5}", ".file: must be a string"),
        secret("{environment: NONE}", ".environment: environment variable \"NONE\" is not set"),
        secret("{external: true}", ".external: is not supported yet"),
        secret("{content: a}", ".content: unknown key"),
        {kWeb + "secrets: {s: {file: 5}}", "4: secrets.s.file: must be a string"},
        {kWeb + "configs: {s: {content: a, environment: B}}", "4: configs.s: has more than one source"},
        {kWeb + "configs: {s: {content: [a]}}", "4: configs.s.content: must be a string"},
        {kWeb + "    secrets: [s]", "4: services.web.secrets[0]: service \"web\" refers to undefined secret s"},
        {kWeb + "    configs: [{source: c}]",
         "4: services.web.configs[0]: service \"web\" refers to undefined config c"},
        {kWeb + "    secrets: s", "4: services.web.secrets: must be a list"},
        {kWeb + "    secrets: [5]", "4: services.web.secrets[0]: must be a string"},
        {kWeb + "    secrets: [{target: a}]", "4: services.web.secrets[0]: source is missing"},
        {kWeb + "    secrets: [{source: a, uid: root}]",
         "4: services.web.secrets[0].uid: \"root\" is not a whole number"},
        {kWeb + "    secrets: [{source: a, uid: 5}]", "4: services.web.secrets[0].uid: must be a string"},
        {kWeb + "    secrets: [{source: a, gid: '5000000000'}]",
         "4: services.web.secrets[0].gid: 5000000000 is not between 0 and 4294967294"},
        {kWeb + "    secrets: [{source: a, mode: rw}]", "4: services.web.secrets[0].mode: \"rw\" is not a file mode"},
        {kWeb + "    secrets: [{source: a, mode: 99999}]",
         "4: services.web.secrets[0].mode: \"99999\" is not a file mode"},
        {kWeb + "    secrets: [{source: a, target: /}]", "4: services.web.secrets[0]: the mount path can't be \"/\""},
        {kWeb + "    secrets: [a, {source: b, target: a}]\nsecrets: {a: {file: f}, b: {file: f}}",
         "4: services.web.secrets: duplicate mount point: /run/secrets/a"},
    });
    EXPECT_EQ(error(kWeb + "secrets: {s: {file: none}, t: {environment: NONE}}"), "") << "nobody uses them";
}

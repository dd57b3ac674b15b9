#include "tests/sources/compose_testing.h"

using namespace kedge;
using namespace kedge::sources;

using ComposePortsTest = ComposeTest;
using Ports = std::vector<Port>;

TEST_F(ComposePortsTest, BothFormsGiveTheSamePorts) {
    const std::pair<const char*, Ports> cases[] = {
        {"[80]", {{"", 0, 0, 80, "tcp"}}},
        {"['80']", {{"", 0, 0, 80, "tcp"}}},
        {"['80/udp']", {{"", 0, 0, 80, "udp"}}},
        {"['8080:80']", {{"", 8080, 0, 80, "tcp"}}},
        {"['8080:80/UDP']", {{"", 8080, 0, 80, "udp"}}},
        {"['8080:80/tcp']", {{"", 8080, 0, 80, "tcp"}}},
        {"['127.0.0.1:8080:80']", {{"127.0.0.1", 8080, 0, 80, "tcp"}}},
        {"['127.0.0.1::80']", {{"127.0.0.1", 0, 0, 80, "tcp"}}},
        {"['127.0.0.1:0:80']", {{"127.0.0.1", 0, 0, 80, "tcp"}}},
        {"['0:80']", {{"", 0, 0, 80, "tcp"}}},
        {"['80-82']", {{"", 0, 0, 80, "tcp"}, {"", 0, 0, 81, "tcp"}, {"", 0, 0, 82, "tcp"}}},
        {"['8080-8081:80-81']", {{"", 8080, 0, 80, "tcp"}, {"", 8081, 0, 81, "tcp"}}},
        {"['8000-9000:80']", {{"", 8000, 9000, 80, "tcp"}}},
        {"['127.0.0.1:8000-8001:80-81/udp']", {{"127.0.0.1", 8000, 0, 80, "udp"}, {"127.0.0.1", 8001, 0, 81, "udp"}}},
        {"['65535:65535']", {{"", 65535, 0, 65535, "tcp"}}},
        {"[{target: 80}]", {{"", 0, 0, 80, "tcp"}}},
        {"[{target: 80, published: 8080}]", {{"", 8080, 0, 80, "tcp"}}},
        {"[{target: '80', published: '8080', protocol: udp, host_ip: 10.0.0.1, mode: host, name: web, app_protocol: "
         "http}]",
         {{"10.0.0.1", 8080, 0, 80, "udp"}}},
        {"[{target: 80, published: 8000-8010, mode: ingress}]", {{"", 8000, 8010, 80, "tcp"}}},
        {"[{target: 80, published: ''}]", {{"", 0, 0, 80, "tcp"}}},
        {"['80:80', '80:80', {target: 80, published: 80}]", {{"", 80, 0, 80, "tcp"}}},
        {"['80:80', '80:80/udp', '81:80']", {{"", 80, 0, 80, "tcp"}, {"", 80, 0, 80, "udp"}, {"", 81, 0, 80, "tcp"}}},
        {"['127.0.0.1:80:80', '127.0.0.2:80:80']", {{"127.0.0.1", 80, 0, 80, "tcp"}, {"127.0.0.2", 80, 0, 80, "tcp"}}},
        {"[]", {}},
    };
    for (const auto& [text, wanted] : cases) EXPECT_EQ(service(std::string("ports: ") + text).ports, wanted) << text;
}

TEST_F(ComposePortsTest, WhatIsNoPortIsNamed) {
    auto one = [](const std::string& text, const std::string& wanted) {
        return std::pair("ports: [" + text + "]", "4: services.web.ports[0]" + wanted);
    };
    std::vector<std::pair<std::string, std::string>> cases = {
        {"ports: '80:80'", "4: services.web.ports: must be a list"},
        {"ports: {80: 80}", "4: services.web.ports: must be a list"}};
    for (const std::string text : {"80:x",
                                   "x:80",
                                   ":80",
                                   "",
                                   ":",
                                   "::",
                                   "80:",
                                   "0",
                                   "80:0",
                                   "65536:80",
                                   "80:65536",
                                   "-80",
                                   "80-",
                                   "81-80",
                                   "1.5",
                                   "80:80:",
                                   " 80",
                                   "80 ",
                                   "8080:80:90:100x",
                                   "0x50",
                                   "+80",
                                   "1-0:80",
                                   "0-5:80"}) {
        cases.push_back(one("'" + text + "'", ": \"" + text + "\" is not a port"));
    }
    cases.push_back(one("1.5", ": \"1.5\" is not a port"));
    cases.push_back(one("true", ": must be a string or number"));
    cases.push_back(one("[80]", ": must be a string, number or mapping"));
    cases.push_back(one("null", ": must be a string, number or mapping"));
    cases.push_back(one("'8080-8082:80-81'", ": \"8080-8082:80-81\": the ranges differ in length"));
    cases.push_back(one("'8080:80-81'", ": \"8080:80-81\": the ranges differ in length"));
    cases.push_back(one("'80/sctp'", ": the protocol sctp is not supported yet"));
    cases.push_back(one("'80/http'", ": \"http\" is not a protocol"));
    cases.push_back(one("'80/'", ": \"\" is not a protocol"));
    cases.push_back(one("'[::g]:8080:80'", ": \"::g\" is not an IP address"));
    cases.push_back(one("'[::1:8080:80'", ": \"[::1\" is not an IP address"));
    cases.push_back(one("'1.2.3:8080:80'", ": \"1.2.3\" is not an IP address"));
    cases.push_back(one("'localhost:8080:80'", ": \"localhost\" is not an IP address"));
    cases.push_back(one("{published: 80}", ": target is missing"));
    cases.push_back(one("{target: 80-81}", ".target: \"80-81\" is not a whole number"));
    cases.push_back(one("{target: 0}", ".target: 0 is not between 1 and 65535"));
    cases.push_back(one("{target: 80, published: x}", ".published: \"x\" is not a port"));
    cases.push_back(one("{target: 80, published: 70000}", ".published: \"70000\" is not a port"));
    cases.push_back(one("{target: 80, published: [1]}", ".published: must be a string or number"));
    cases.push_back(one("{target: 80, protocol: sctp}", ".protocol: the protocol sctp is not supported yet"));
    cases.push_back(one("{target: 80, mode: swarm}", ".mode: \"swarm\" is not one of host, ingress"));
    cases.push_back(one("{target: 80, host_ip: '::g'}", ".host_ip: \"::g\" is not an IP address"));
    cases.push_back(one("{target: 80, host_ip: x}", ".host_ip: \"x\" is not an IP address"));
    expect_service_errors(cases);
}

TEST_F(ComposePortsTest, TheHostsAddressMayBeOfEitherFamily) {
    const std::vector<Port> ports =
        service("ports: ['[::1]:8080:80', '::1:8081:81/udp', {target: 82, published: 8082, host_ip: 'fd00::1'}]").ports;
    ASSERT_EQ(ports.size(), 3u);
    EXPECT_EQ(ports[0], (Port{"::1", 8080, 0, 80, "tcp"}));
    EXPECT_EQ(ports[1], (Port{"::1", 8081, 0, 81, "udp"}));
    EXPECT_EQ(ports[2], (Port{"fd00::1", 8082, 0, 82, "tcp"}));
    EXPECT_EQ(service("ports: ['127.0.0.1:80:1', '[::1]:80:2', '[fd00::1]:80:3']").ports.size(), 3u);
    EXPECT_EQ(service("ports: ['0.0.0.0:80:1', '[::]:80:2']").ports.size(), 2u);
}

TEST_F(ComposePortsTest, AHostPortCanBePublishedOnce) {
    expect_service_errors({
        {"ports: ['80:80', '80:81']",
         "4: services.web.ports: the host port 80/tcp is already published by another entry"},
        {"ports: ['80-82:80-82', '81:1']",
         "4: services.web.ports: the host port 81/tcp is already published by another entry"},
        {"ports: ['80:80', '127.0.0.1:80:80']",
         "4: services.web.ports: the host port 80/tcp is already published by another entry"},
        {"ports: ['80:80', '[::1]:80:80']",
         "4: services.web.ports: the host port 80/tcp is already published by another entry"},
        {"ports: ['[::1]:80:80', '[::]:80:80']",
         "4: services.web.ports: the host port 80/tcp is already published by another entry"},
        {"ports: ['127.0.0.1:80:80', '0.0.0.0:80:80']",
         "4: services.web.ports: the host port 80/tcp is already published by another entry"},
    });
    auto two = [](const std::string& a, const std::string& b, const std::string& more = "") {
        return "services:\n  a: {image: i, ports: [" + a + "]" + more + "}\n  b: {image: i, ports: [" + b + "]}\n";
    };
    EXPECT_EQ(error(two("'80:1'", "'80:2'")),
              "compose.yaml:3: services.b.ports: the host port 80/tcp is already published by service a");
    EXPECT_EQ(error(two("'80:1'", "'80:2/udp'")), "");
    EXPECT_EQ(error(two("'80:1'", "'80-81:2'")), "") << "there is another one in the range";
    EXPECT_EQ(error(two("80", "80")), "");
    EXPECT_EQ(error(two("'127.0.0.1:80:1'", "'127.0.0.2:80:2'")), "");
    EXPECT_EQ(error(two("'80:1'", "'80:2'", ", profiles: [p]")), "") << "only one of them runs";
    EXPECT_EQ(error(two("'80:1'", "'80:2'", ", scale: 0")), "");
    EXPECT_EQ(error(two("'80:1'", "'80:2'", ", depends_on: {b: {condition: service_completed_successfully}}")), "")
        << "a job hands it on";
    EXPECT_EQ(error(two("'80:1'", "'80:2'", ", depends_on: [b]")),
              "compose.yaml:3: services.b.ports: the host port 80/tcp is already published by service a");
}

TEST_F(ComposePortsTest, ReplicasNeedAsManyHostPorts) {
    EXPECT_EQ(service("scale: 2\nports: [80]").replicas, 2);
    EXPECT_EQ(service("scale: 2\nports: ['8000-8001:80']").replicas, 2);
    expect_service_errors({
        {"scale: 2\nports: ['80:80']", "5: services.web.ports: 2 replicas can't share the host port 80"},
        {"deploy: {replicas: 3}\nports: ['8000-8001:80']",
         "5: services.web.ports: 3 replicas can't share the host port 8000"},
        {"scale: 2\ncontainer_name: one",
         "5: services.web.container_name: can't set container_name and scale as container name must be unique"},
        {"deploy: {replicas: 2}\ncontainer_name: one",
         "5: services.web.container_name: can't set container_name and deploy.replicas as container name must be "
         "unique"},
        {"scale: 1001", "4: services.web.scale: 1001 is not between 0 and 1000"},
        {"scale: -1", "4: services.web.scale: -1 is not between 0 and 1000"},
        {"scale: 2\nnetworks: {default: {ipv4_address: 10.0.0.2}}",
         "5: services.web.networks.default.ipv4_address: 2 replicas can't share the address 10.0.0.2"},
        {"scale: 2\nnetworks: {default: {ipv6_address: 'fd00::2'}}",
         "5: services.web.networks.default.ipv6_address: 2 replicas can't share the address fd00::2"},
        {"scale: 2\nnetworks: {default: {mac_address: '02:42:0a:05:00:07'}}",
         "5: services.web.networks.default.mac_address: 2 replicas can't share the address 02:42:0a:05:00:07"},
    });
}

TEST_F(ComposePortsTest, TheNumberOfPortsHasABound) {
    EXPECT_EQ(service_error("ports: ['1-65535', '1-65535/udp']"),
              "compose.yaml:4: services.web.ports[1]: the project has more than 100000 ports");
}

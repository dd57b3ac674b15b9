#include "tests/sources/compose_testing.h"

#include <fmt/format.h>

#include <array>

using namespace kedge;
using namespace kedge::sources;

using Strings = std::vector<std::string>;
using Map = std::map<std::string, std::string>;

namespace {

struct ComposeMergeTest : ComposeTest {
    /// The service `web` of these bodies, each of a file over the ones before.
    Service merged(const std::vector<std::string>& bodies, const std::string& more = "") {
        input.files.clear();
        for (size_t i = 0; i < bodies.size(); ++i) {
            std::string name = fmt::format("{}.yaml", i);
            write(name, (i == 0 ? more : "") + "services:\n  web:\n    image: app\n" + indented(bodies[i]));
            input.files.push_back(input.directory + "/" + name);
        }
        return load_compose(input).services.at("web");
    }
};

}  // namespace

TEST_F(ComposeMergeTest, ValuesAreReplacedMapsMergedAndListsAppended) {
    const std::vector<std::array<std::string, 3>> cases = {
        {"user: a", "user: b", "user: b"},
        {"user: a", "hostname: h", "user: a\nhostname: h"},
        {"user: a", "user:", "user: a"},
        {"command: [a, b]", "command: [c]", "command: [c]"},
        {"command: a b", "command: [c]", "command: [c]"},
        {"entrypoint: [a, b]", "entrypoint: c", "entrypoint: [c]"},
        {"healthcheck: {test: [CMD, a], interval: 5s}", "healthcheck: {test: [CMD, b]}",
         "healthcheck: {test: [CMD, b], interval: 5s}"},
        {"healthcheck: {test: [CMD, a]}", "healthcheck: {disable: true}", "healthcheck: {disable: true}"},
        {"environment: {A: 1, B: 2}", "environment: [B=3, C=4]", "environment: {A: 1, B: 3, C: 4}"},
        {"environment: [A=1]", "environment: [A]", "environment: [A]"},
        {"environment: {A: 1}", "environment: {A: null}", "environment: {A: }"},
        {"labels: [a=1, b=2]", "labels: {b: 3}", "labels: {a: 1, b: 3}"},
        {"labels: {a: 1}", "labels: [a]", "labels: {a: ''}"},
        {"cap_add: [CHOWN]", "cap_add: [KILL, CHOWN]", "cap_add: [CHOWN, KILL]"},
        {"dns: 1.1.1.1", "dns: [2.2.2.2, 1.1.1.1]", "dns: [1.1.1.1, 2.2.2.2]"},
        {"tmpfs: /a", "tmpfs: /b", "tmpfs: [/a, /b]"},
        {"extra_hosts: ['a:1.1.1.1']", "extra_hosts: {b: 2.2.2.2}", "extra_hosts: ['a:1.1.1.1', 'b:2.2.2.2']"},
        {"ports: ['80:80']", "ports: ['81:81']", "ports: ['80:80', '81:81']"},
        {"ports: ['80:80']", "ports: [{target: 80, published: 80}]", "ports: ['80:80']"},
        {"ports: ['8080:80']", "ports: ['9090:80']", "ports: ['8080:80', '9090:80']"},
        {"volumes: ['/a:/x', '/b:/y']", "volumes: ['/c:/x:ro']", "volumes: ['/c:/x:ro', '/b:/y']"},
        {"volumes: ['/a:/x']", "volumes: [{type: bind, source: /c, target: /x/}]", "volumes: ['/c:/x']"},
        {"depends_on: []\nnetworks: [default]", "networks: {default: {aliases: [w]}}",
         "networks: {default: {aliases: [w]}}"},
        {"networks: {default: {aliases: [a]}}", "networks: {default: {aliases: [b]}}",
         "networks: {default: {aliases: [a, b]}}"},
        {"ulimits: {nofile: {soft: 1, hard: 5}}", "ulimits: {nofile: {soft: 2}}",
         "ulimits: {nofile: {soft: 2, hard: 5}}"},
        {"ulimits: {nofile: {soft: 1, hard: 5}}", "ulimits: {nofile: 7}", "ulimits: {nofile: 7}"},
        {"sysctls: [net.a=1]", "sysctls: {net.b: 2}", "sysctls: {net.a: 1, net.b: 2}"},
        {"logging: {driver: json-file, options: {max-file: 3}}", "logging: {options: {max-size: 1m}}",
         "logging: {driver: json-file, options: {max-file: 3, max-size: 1m}}"},
        {"logging: {driver: json-file, options: {max-file: 3}}", "logging: {driver: none}", "logging: {driver: none}"},
        {"deploy: {replicas: 2, resources: {limits: {cpus: 1}}}",
         "deploy: {replicas: 3, resources: {limits: {memory: 64m}}}",
         "deploy: {replicas: 3, resources: {limits: {cpus: 1, memory: 64m}}}"},
        {"devices: ['/dev/a:/dev/x']", "devices: ['/dev/b:/dev/x', /dev/c]", "devices: ['/dev/b:/dev/x', /dev/c]"},
        {"x-kedge: {probe: {http: {port: 1}}}", "x-kedge: {probe: {http: {path: /p}}}",
         "x-kedge: {probe: {http: {port: 1, path: /p}}}"},
        {"x-a: {ports: [nonsense]}", "x-a: {ports: [more]}", ""},
        {"profiles: []", "expose: [80]", ""},
    };
    for (const auto& [base, over, wanted] : cases)
        EXPECT_EQ(merged({base, over}), merged({wanted})) << base << "\n" << over;
}

TEST_F(ComposeMergeTest, SecretsAndConfigsAreReplacedByTheirTarget) {
    input.environment["E"] = "e";
    std::string more =
        "secrets: {a: {environment: E}, b: {environment: E}}\nconfigs: {a: {content: x}, b: {content: y}}\n";
    Service s = merged(
        {"secrets: [a]\nconfigs: [a]", "secrets: [{source: b, target: a}]\nconfigs: [{source: b, target: /a}]"}, more);
    ASSERT_EQ(s.secrets.size(), 1u);
    EXPECT_EQ(s.secrets[0].source, "b");
    ASSERT_EQ(s.configs.size(), 1u);
    EXPECT_EQ(s.configs[0].source, "b");
    EXPECT_EQ(merged({"secrets: [a]", "secrets: [{source: b, target: /run/secrets/a}]"}, more).secrets.size(), 1u);
    EXPECT_EQ(merged({"secrets: [a]", "secrets: [b]"}, more).secrets.size(), 2u);
}

TEST_F(ComposeMergeTest, ResetRemovesAndOverrideReplaces) {
    EXPECT_EQ(merged({"ports: ['80:80']", "ports: !reset []"}).ports.size(), 0u);
    EXPECT_EQ(merged({"user: a", "user: !reset null"}).user, "");
    EXPECT_EQ(merged({"ports: ['80:80']", "ports: !override ['81:81']"}).ports[0].published, 81);
    EXPECT_EQ(merged({"environment: {A: 1, B: 2}", "environment: {A: !reset null}"}).environment, (Map{{"B", "2"}}));
    EXPECT_EQ(merged({"environment: {A: 1, B: 2}", "environment: !override {C: 3}"}).environment, (Map{{"C", "3"}}));
    EXPECT_EQ(merged({"ports: ['80:80']", "ports: !reset []", "ports: ['82:82']"}).ports[0].published, 82);
    EXPECT_EQ(merged({"", "ports: !override ['81:81']", "ports: ['82:82']"}).ports.size(), 2u)
        << "what follows is merged again";
    EXPECT_EQ(merged({"ports: ['80:80']", "ports: !override ['81:81']", "ports: ['82:82']"}).ports.size(), 2u);
    EXPECT_EQ(merged({"deploy: {replicas: 2}", "deploy: {replicas: !reset null}"}).replicas, 1);
}

TEST_F(ComposeMergeTest, ServicesAndOthersHaveNamesThatMeanNothingForMerging) {
    std::string base, over;
    for (const char* name : {"environment", "labels", "ports", "command", "logging", "x-a"}) {
        base += fmt::format("  {}: {{image: a, user: u, labels: {{a: 1}}, networks: {{{}: {{aliases: [a]}}}}}}\n", name,
                            name);
        over +=
            fmt::format("  {}: {{hostname: h, labels: {{b: 2}}, networks: {{{}: {{aliases: [b]}}}}}}\n", name, name);
    }
    write("0.yaml", "services:\n" + base +
                        "networks: {environment: {}, labels: {}, ports: {}, command: {}, logging: {}, x-a: {}}\n");
    write("1.yaml", "services:\n" + over + "networks: {environment: {internal: true}}\n");
    input.files = {input.directory + "/0.yaml", input.directory + "/1.yaml"};
    Project project = load_compose(input);
    ASSERT_EQ(project.services.size(), 6u);
    for (const auto& [name, s] : project.services) {
        EXPECT_EQ(s.user, "u") << name;
        EXPECT_EQ(s.hostname, "h") << name;
        EXPECT_EQ(s.labels, (Map{{"a", "1"}, {"b", "2"}})) << name;
        EXPECT_EQ(s.networks[0].aliases, (Strings{"a", "b"})) << name;
    }
    EXPECT_TRUE(project.networks.at("environment").internal);
}

TEST_F(ComposeMergeTest, SectionsOfSeveralFilesAreMerged) {
    write("compose.override.yaml",
          "services: {db: {image: pg}}\nnetworks: {default: {internal: true}}\nvolumes: {v: {labels: {b: 2}}}\n");
    Project project = load("services: {web: {image: app, volumes: ['v:/v']}}\nvolumes: {v: {labels: [a=1]}}\n");
    EXPECT_EQ(project.services.size(), 2u);
    EXPECT_TRUE(project.networks.at("default").internal);
    EXPECT_EQ(project.volumes.at("v").labels, (Map{{"a", "1"}, {"b", "2"}}));
}

TEST_F(ComposeMergeTest, ErrorsNameTheFileThatTheValueComesFrom) {
    write("compose.override.yaml", "services:\n  web:\n    ports:\n      - 80:x\n");
    EXPECT_EQ(service_error("ports: ['80:80']"),
              "compose.override.yaml:4: services.web.ports[0]: \"80:x\" is not a port");
    write("compose.override.yaml", "services: {web: {user: b}}\n");
    EXPECT_EQ(service_error("ports: ['80:y']"), "compose.yaml:4: services.web.ports[0]: \"80:y\" is not a port");
}

TEST_F(ComposeMergeTest, AnchorsAndMergeKeysWorkWithKeysForPeople) {
    Project project = load(R"(
x-common: &common
  image: app
  restart: always
  environment: &env {A: 1, B: 2}
services:
  web:
    <<: *common
    environment: {<<: *env, B: 3}
  worker:
    <<: [*common, {user: u, restart: "no"}]
    command: [work]
)");
    EXPECT_EQ(project.services.at("web").environment, (Map{{"A", "1"}, {"B", "3"}}));
    EXPECT_EQ(project.services.at("web").restart, "always");
    EXPECT_EQ(project.services.at("worker").restart, "always");
    EXPECT_EQ(project.services.at("worker").user, "u");
    EXPECT_EQ(project.services.at("worker").environment, (Map{{"A", "1"}, {"B", "2"}}));
}

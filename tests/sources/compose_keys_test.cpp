#include "tests/sources/compose_testing.h"

#include <fmt/format.h>

#include <algorithm>

using namespace kedge;
using namespace kedge::sources;

using ComposeKeysTest = ComposeTest;

namespace {

/// A kind of object of the specification: where it is and which keys of it kedge can't do yet.
struct Place {
    std::string path;    ///< as in messages
    std::string before;  ///< the file up to the object
    int indentation;
    std::vector<std::string> later;
};

const std::string kService = "services:\n  web:\n    image: app\n";

const std::vector<Place> kPlaces = {
    {"", "services: {web: {image: app}}\n", 0, {"models"}},
    {"services.web",
     kService,
     4,
     {"annotations",
      "blkio_config",
      "build",
      "cgroup",
      "cgroup_parent",
      "cpu_count",
      "cpu_percent",
      "cpu_period",
      "cpu_quota",
      "cpu_rt_period",
      "cpu_rt_runtime",
      "cpu_shares",
      "cpuset",
      "credential_spec",
      "develop",
      "device_cgroup_rules",
      "dns_opt",
      "external_links",
      "gpus",
      "ipc",
      "isolation",
      "label_file",
      "links",
      "mac_address",
      "mem_swappiness",
      "models",
      "oom_kill_disable",
      "oom_score_adj",
      "pid",
      "post_start",
      "pre_stop",
      "provider",
      "runtime",
      "storage_opt",
      "use_api_socket",
      "userns_mode",
      "uts",
      "volumes_from"}},
    {"services.web.healthcheck", kService + "    healthcheck:\n      test: [CMD, true_]\n", 6, {}},
    {"services.web.depends_on.db", kService + "    depends_on:\n      db:\n        restart: true\n", 8, {}},
    {"services.web.networks.n", kService + "    networks:\n      n:\n        priority: 1\n", 8, {"link_local_ips"}},
    {"services.web.ports[0]", kService + "    ports:\n      - target: 80\n", 8, {}},
    {"services.web.volumes[0]", kService + "    volumes:\n      - type: tmpfs\n        target: /t\n", 8, {"image"}},
    {"services.web.volumes[0].bind",
     kService + "    volumes:\n      - type: bind\n        source: /a\n        target: /t\n        bind:\n          "
                "create_host_path: true\n",
     10,
     {"recursive"}},
    {"services.web.volumes[0].volume",
     kService + "    volumes:\n      - type: volume\n        target: /t\n        volume:\n          nocopy: true\n",
     10,
     {"subpath", "labels"}},
    {"services.web.volumes[0].tmpfs",
     kService + "    volumes:\n      - type: tmpfs\n        target: /t\n        tmpfs:\n          size: 1m\n",
     10,
     {}},
    {"services.web.logging", kService + "    logging:\n      driver: json-file\n", 6, {}},
    {"services.web.ulimits.nofile",
     kService + "    ulimits:\n      nofile:\n        soft: 1\n        hard: 2\n",
     8,
     {}},
    {"services.web.secrets[0]", kService + "    secrets:\n      - source: s\n", 8, {}},
    {"services.web.configs[0]", kService + "    configs:\n      - source: s\n", 8, {}},
    {"services.web.env_file[0]", kService + "    env_file:\n      - path: a.env\n", 8, {}},
    {"services.web.devices[0]", kService + "    devices:\n      - source: /dev/null\n", 8, {}},
    {"services.web.extends", kService + "    extends:\n      service: web\n", 6, {}},
    {"services.web.deploy", kService + "    deploy:\n      replicas: 1\n", 6, {"endpoint_mode", "placement"}},
    {"services.web.deploy.resources", kService + "    deploy:\n      resources:\n        limits: {}\n", 8, {}},
    {"services.web.deploy.resources.limits",
     kService + "    deploy:\n      resources:\n        limits:\n          cpus: 1\n",
     10,
     {"devices", "generic_resources"}},
    {"services.web.deploy.resources.reservations",
     kService + "    deploy:\n      resources:\n        reservations:\n          memory: 1m\n",
     10,
     {"cpus", "pids", "devices", "generic_resources"}},
    {"services.web.deploy.restart_policy",
     kService + "    deploy:\n      restart_policy:\n        condition: any\n",
     8,
     {"delay", "window"}},
    {"services.web.deploy.update_config",
     kService + "    deploy:\n      update_config:\n        order: stop-first\n",
     8,
     {}},
    {"services.web.deploy.rollback_config",
     kService + "    deploy:\n      rollback_config:\n        order: stop-first\n",
     8,
     {}},
    {"services.web.x-kedge", kService + "    x-kedge:\n      probe: {tcp: 1}\n", 6, {}},
    {"services.web.x-kedge.probe", kService + "    x-kedge:\n      probe:\n        tcp: 1\n", 8, {}},
    {"services.web.x-kedge.probe.http",
     kService + "    x-kedge:\n      probe:\n        http:\n          port: 1\n",
     10,
     {}},
    {"networks.n", kService + "networks:\n  n:\n    internal: true\n", 4, {}},
    {"networks.n.ipam", kService + "networks:\n  n:\n    ipam:\n      driver: default\n", 6, {"options"}},
    {"networks.n.ipam.config[0]",
     kService + "networks:\n  n:\n    ipam:\n      config:\n        - subnet: 10.1.0.0/16\n",
     10,
     {}},
    {"volumes.v", kService + "volumes:\n  v:\n    driver: local\n", 4, {}},
    {"secrets.s",
     kService + "secrets:\n  s:\n    file: a\n",
     4,
     {"driver", "driver_opts", "labels", "template_driver"}},
    {"configs.c", kService + "configs:\n  c:\n    content: a\n", 4, {"labels", "template_driver"}},
    {"include[0]", kService + "include:\n  - path: a.yaml\n", 4, {}},
};

std::string with_key(const Place& place, const std::string& key) {
    return place.before + std::string(static_cast<size_t>(place.indentation), ' ') + key + ":\n";
}

std::string message(const Place& place, const std::string& key, const std::string& what) {
    auto line = std::count(place.before.begin(), place.before.end(), '\n') + 1;
    return fmt::format("compose.yaml:{}: {}{}{}: {}", line, place.path, place.path.empty() ? "" : ".", key, what);
}

}  // namespace

TEST_F(ComposeKeysTest, AKeyThatTheSpecificationLacksIsAnErrorWhereverItStands) {
    for (const Place& place : kPlaces)
        EXPECT_EQ(error(with_key(place, "imgae")), message(place, "imgae", "unknown key")) << place.path;
}

TEST_F(ComposeKeysTest, AKeyThatIsNotSupportedYetIsAnErrorOfItsOwn) {
    for (const Place& place : kPlaces) {
        for (const std::string& key : place.later) {
            EXPECT_EQ(error(with_key(place, key)), message(place, key, "is not supported yet")) << place.path;
        }
    }
}

TEST_F(ComposeKeysTest, KeysForPeopleMayStandAnywhere) {
    write("a.yaml", "services: {}\nx-of-included: 1\n");
    write("a.env", "");
    for (const Place& place : kPlaces) {
        if (place.path.find("x-kedge") != std::string::npos || place.path.ends_with(".extends")) continue;
        std::string message = error(with_key(place, "x-team"));
        // Some of the objects refer to what the file lacks; that comes after its keys.
        EXPECT_EQ(message.find("x-team"), std::string::npos) << message;
    }
    EXPECT_EQ(error("x-a: {b: [1, {c: 2}]}\nservices:\n  web: {image: app, x-b: !!str 5}\n"), "");
}

TEST_F(ComposeKeysTest, XKedgeIsAKeyOfServicesOnly) {
    EXPECT_EQ(error("services: {web: {image: app}}\nx-kedge: {}\n"), "compose.yaml:2: x-kedge: unknown key");
    EXPECT_EQ(service_error("deploy: {x-kedge: {}}"), "compose.yaml:4: services.web.deploy.x-kedge: unknown key");
    EXPECT_EQ(service_error("x-kedge: {prob: {}}"), "compose.yaml:4: services.web.x-kedge.prob: unknown key");
}

TEST_F(ComposeKeysTest, KeysInInactiveServicesAndInOtherFilesAreCheckedToo) {
    EXPECT_EQ(error("services:\n  web: {image: app}\n  tool:\n    image: app\n    profiles: [t]\n    healthcheck: "
                    "{intervl: 1s}\n"),
              "compose.yaml:6: services.tool.healthcheck.intervl: unknown key");
    write("other.yaml", "services: {web: {image: app}}\nnetwrks: {}\n");
    EXPECT_EQ(error("include: [other.yaml]\nservices: {}\n"), "other.yaml:2: netwrks: unknown key");
    EXPECT_EQ(service_error("extends: {file: other.yaml, service: web}"), "other.yaml:2: netwrks: unknown key");
    write("compose.override.yaml", "services:\n  web:\n    imge: b\n");
    EXPECT_EQ(service_error(""), "compose.override.yaml:3: services.web.imge: unknown key");
}

TEST_F(ComposeKeysTest, NamesThatLookLikeKeysForPeopleAreNames) {
    input.environment["S"] = "s";
    write("compose.override.yaml", "services: {x-web: {labels: {x-b: 2}, environment: {x-d: 2}}}\n");
    Project project = load(R"(
services:
  x-web:
    image: app
    labels: {x-a: 1, x-b: 1}
    environment: {x-c: 1, x-d: 1}
    networks: {x-net: {aliases: [w]}}
    volumes: ["x-data:/d"]
    secrets: [x-secret]
networks: {x-net: {internal: true}}
volumes: {x-data: {}}
secrets: {x-secret: {environment: S}}
)");
    const Service& web = project.services.at("x-web");
    EXPECT_EQ(web.labels, (std::map<std::string, std::string>{{"x-a", "1"}, {"x-b", "2"}}));
    EXPECT_EQ(web.environment, (std::map<std::string, std::string>{{"x-c", "1"}, {"x-d", "2"}}));
    EXPECT_EQ(web.networks[0].network, "x-net");
    EXPECT_TRUE(project.networks.at("x-net").internal);
    EXPECT_TRUE(project.volumes.contains("x-data"));
    EXPECT_TRUE(project.secrets.contains("x-secret"));
    EXPECT_EQ(error("services: {web: {image: app}, x-base: {imge: app}}"),
              "compose.yaml:1: services.x-base.imge: unknown key");
}

TEST_F(ComposeKeysTest, EntriesHaveNamesThatFileSystemsAndResolversTake) {
    std::string what = ": a name consists of letters, digits, dots, hyphens and underscores";
    for (const std::string name : {"a b", "a/b", "ä", "a:b", "$A", "a*"}) {
        EXPECT_EQ(error("services: {web: {image: a}, \"" + name + "\": {image: a}}"),
                  "compose.yaml:1: services." + name + what);
        for (const std::string section : {"networks", "volumes", "secrets", "configs"}) {
            EXPECT_EQ(error("services: {web: {image: a}}\n" + section + ": {\"" + name + "\": {}}"),
                      "compose.yaml:2: " + section + "." + name + what);
        }
    }
    EXPECT_EQ(error("services: {\"" + std::string(201, 'a') + "\": {image: a}}"),
              "compose.yaml:1: services." + std::string(201, 'a') + what);
    EXPECT_EQ(error("services: {\"a\\nb\": {image: a}}"), "compose.yaml:1: services.a\\x0ab" + what)
        << "a message stays on one line";
}

TEST_F(ComposeKeysTest, SectionsAndObjectsThatAreSomethingElseAreRefused) {
    expect_errors({
        {"services: [web]", "1: services: must be a mapping"},
        {"services: web", "1: services: must be a mapping"},
        {"services:", "1: no services"},
        {"name: a", "1: no services"},
        {"services: {web: }", "1: services.web: must be a mapping"},
        {"services: {web: app}", "1: services.web: must be a mapping"},
        {"services: {web: [app]}", "1: services.web: must be a mapping"},
        {"services: {web: {image: a}}\nnetworks: [a]", "2: networks: must be a mapping"},
        {"services: {web: {image: a}}\nnetworks: {n: 5}", "2: networks.n: must be a mapping"},
        {"services: {web: {image: a}}\nvolumes: 5", "2: volumes: must be a mapping"},
        {"services: {web: {image: a}}\nvolumes: {v: [a]}", "2: volumes.v: must be a mapping"},
        {"services: {web: {image: a}}\nsecrets: {s: a}", "2: secrets.s: must be a mapping"},
        {"services: {web: {image: a}}\nconfigs: {c: }", "2: configs.c: must be a mapping"},
        {"services: {web: {image: a}}\nversion: [3]", "2: version: must be a string"},
        {"services: {web: {image: a}}\ninclude: a.yaml", "2: include: must be a list"},
        {"", "1: empty compose file"},
        {"# nothing", "1: empty compose file"},
        {"[services]", "1: top-level object must be a mapping"},
        {"services", "1: top-level object must be a mapping"},
    });
}

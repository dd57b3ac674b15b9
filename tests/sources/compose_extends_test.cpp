#include "tests/sources/compose_testing.h"

#include <fmt/format.h>

using namespace kedge;
using namespace kedge::sources;

using ComposeExtendsTest = ComposeTest;
using Strings = std::vector<std::string>;
using Map = std::map<std::string, std::string>;

TEST_F(ComposeExtendsTest, AServiceTakesWhatAnotherOneOfTheFileHas) {
    Project project = load(R"(
services:
  base: {image: app, environment: {A: 1, B: 2}, ports: ['80:80'], command: [a, b], profiles: [never]}
  web:
    extends: base
    environment: {B: 3}
    command: [c]
    profiles: !reset []
  deep:
    extends: {service: web}
    ports: !override ['81:81']
)");
    EXPECT_EQ(project.services.at("web").image, "app");
    EXPECT_EQ(project.services.at("web").environment, (Map{{"A", "1"}, {"B", "3"}}));
    EXPECT_EQ(project.services.at("web").command, Strings{"c"});
    EXPECT_EQ(project.services.at("deep").ports.at(0).published, 81);
    EXPECT_EQ(project.services.at("deep").command, Strings{"c"});
    EXPECT_EQ(project.services.at("deep").name, "deep");
}

TEST_F(ComposeExtendsTest, AServiceOfAnotherFileBringsItsPathsAlong) {
    write("common/base.yaml", R"(
services:
  base:
    image: app
    env_file: [base.env, {path: ./more.env, required: false}]
    volumes: ['./data:/data', 'named:/n', '/abs:/abs', {type: bind, source: conf, target: /conf}, '../up:/up']
    security_opt: ['seccomp:./profile.json']
    extends: {file: ../deeper/deep.yaml, service: deep}
)");
    write("common/base.env", "A=base\n");
    write("common/profile.json", "{}");
    write("deeper/deep.yaml", "services: {deep: {image: deep, user: u, volumes: ['./d:/d']}}\n");
    Service web = load(
                      "services:\n  web:\n    extends: {file: common/base.yaml, service: base}\n    hostname: "
                      "h\nvolumes: {named: {}}\n")
                      .services.at("web");
    EXPECT_EQ(web.image, "app");
    EXPECT_EQ(web.user, "u");
    EXPECT_EQ(web.hostname, "h");
    EXPECT_EQ(web.environment, (Map{{"A", "base"}}));
    EXPECT_EQ(web.security_opt, Strings{"seccomp={}"});
    Map sources;
    for (const VolumeMount& mount : web.volumes) sources[mount.target] = mount.source;
    EXPECT_EQ(sources, (Map{{"/data", input.directory + "/common/data"},
                            {"/n", "named"},
                            {"/abs", "/abs"},
                            {"/conf", input.directory + "/common/conf"},
                            {"/up", input.directory + "/up"},
                            {"/d", input.directory + "/deeper/d"}}));
}

TEST_F(ComposeExtendsTest, TheOtherFilesVariablesAndOverridesCount) {
    input.environment["TAG"] = "7";
    write("base.yaml", "services: {base: {image: 'app:${TAG}'}}\n");
    write("compose.override.yaml", "services: {web: {user: over}}\n");
    Service web = load("services: {web: {extends: {file: base.yaml, service: base}, user: own}}").services.at("web");
    EXPECT_EQ(web.image, "app:7");
    EXPECT_EQ(web.user, "over");
}

TEST_F(ComposeExtendsTest, WhatCantBeExtendedIsNamed) {
    write("other.yaml", "services:\n  a: {image: i, extends: {file: compose.yaml, service: web}}\n");
    write("list.yaml", "[a]");
    write("bad.yaml", "services: {base: {image: a, ports: ['x']}}\n");
    expect_errors({
        {"services: {web: {extends: none}}",
         "1: services.web.extends: cannot extend service \"web\": service \"none\" not found in compose.yaml"},
        {"services: {web: {extends: {service: none, file: other.yaml}}}",
         "1: services.web.extends: cannot extend service \"web\": service \"none\" not found in other.yaml"},
        {"services: {web: {extends: {service: a, file: none.yaml}}}", "1: services.web.extends: none.yaml not found"},
        {"services: {web: {extends: {file: other.yaml}}}", "1: services.web.extends: service is missing"},
        {"services: {web: {extends: {service: 5}}}", "1: services.web.extends.service: must be a string"},
        {"services: {web: {extends: [a]}}", "1: services.web.extends: must be a string"},
        {"services: {web: {extends: {service: a, file: .}}}",
         "1: services.web.extends: " + input.directory + " is not a regular file"},
        {"services: {web: {image: a, extends: web}}",
         "1: services.web.extends: circular reference: web in compose.yaml extends web in compose.yaml"},
        {"services:\n  web: {extends: b}\n  b: {extends: c}\n  c: {extends: web}",
         "2: services.web.extends: circular reference: web in compose.yaml extends b in compose.yaml extends c in "
         "compose.yaml extends web in compose.yaml"},
        {"services: {web: {image: i, extends: {file: other.yaml, service: a}}}",
         "1: services.web.extends: circular reference: web in compose.yaml extends a in other.yaml extends web in "
         "compose.yaml"},
    });
    EXPECT_EQ(error("services: {web: {extends: {file: list.yaml, service: a}}}"),
              "list.yaml:1: top-level object must be a mapping");
    EXPECT_EQ(error("services: {web: {extends: {file: bad.yaml, service: base}}}"),
              "bad.yaml:1: services.base.ports[0]: \"x\" is not a port");
}

TEST_F(ComposeExtendsTest, ChainsAndSizesHaveBounds) {
    std::string chain = "services:\n  s0: {image: a}\n";
    for (int i = 1; i <= 40; ++i) chain += fmt::format("  s{}: {{extends: s{}}}\n", i, i - 1);
    EXPECT_NE(error(chain).find("circular reference"), std::string::npos);
    // A thousand small services with a large one in each.
    std::string wide = "services:\n  base: {image: a, labels: {a: " + std::string(500000, 'x') + "}}\n";
    for (int i = 0; i < 900; ++i) wide += fmt::format("  s{}: {{extends: base}}\n", i);
    EXPECT_EQ(error(wide).substr(error(wide).find(": the")),
              ": the project takes more than 67108864 bytes from files and variables");
    std::string many = "services:\n  base: {image: a, labels: [";
    for (int i = 0; i < 300; ++i) many += fmt::format("l{},", i);
    many += "]}\n";
    for (int i = 0; i < 900; ++i) many += fmt::format("  s{}: {{extends: base}}\n", i);
    EXPECT_NE(error(many).find("extended services have more than 100000 values"), std::string::npos);
}

#include "tests/sources/compose_testing.h"

#include <fmt/format.h>

using namespace kedge;
using namespace kedge::sources;

using ComposeIncludeTest = ComposeTest;
using Map = std::map<std::string, std::string>;

TEST_F(ComposeIncludeTest, AnIncludedFileBringsItsServicesPathsAndVariables) {
    write("db/compose.yaml", R"(
services:
  db:
    image: "pg:${VERSION}"
    env_file: db.env
    environment: [PASSED, SHARED]
    volumes: ['./data:/data', 'dbdata:/v']
    secrets: [pass, token]
    configs: [conf]
networks: {default: {internal: true}}
volumes: {dbdata: {}}
secrets: {pass: {file: pass.txt}, token: {environment: PASSED}}
configs: {conf: {file: ./conf.txt}}
)");
    write("db/.env", "VERSION=16\nPASSED=by-db\nSHARED=by-db\n");
    write("db/db.env", "FROM_FILE=1\n");
    write("db/pass.txt", "p");
    write("db/conf.txt", "c");
    write(".env", "SHARED=by-shop\n");
    Project project = load("include: [db/compose.yaml]\nservices: {web: {image: app, depends_on: [db]}}\n");
    const Service& db = project.services.at("db");
    EXPECT_EQ(db.image, "pg:16");
    EXPECT_EQ(db.environment, (Map{{"FROM_FILE", "1"}, {"PASSED", "by-db"}, {"SHARED", "by-shop"}}));
    EXPECT_EQ(db.volumes[0].source, input.directory + "/db/data");
    EXPECT_EQ(project.secrets.at("pass").path, input.directory + "/db/pass.txt");
    EXPECT_EQ(project.configs.at("conf").path, input.directory + "/db/conf.txt");
    EXPECT_EQ(project.secrets.at("token").content, "by-db");
    EXPECT_TRUE(project.networks.at("default").internal);
    EXPECT_EQ(project.volumes.at("dbdata").name, "shop_dbdata");
    EXPECT_EQ(project.services.at("web").environment, Map{}) << "what the included project sets stays with it";
}

TEST_F(ComposeIncludeTest, TheLongFormNamesFilesFolderAndVariables) {
    write("a/one.yaml", "services: {s: {image: 'i:${T}', volumes: ['./x:/x']}}\n");
    write("b/two.yaml", "services: {s: {user: two}}\n");
    write("vars.env", "T=1\n");
    write("more.env", "T=2$T\n");
    Service s = load(
                    "include:\n  - path: [a/one.yaml, b/two.yaml]\n    project_directory: b\n    env_file: [vars.env, "
                    "more.env]\nservices: {}\n")
                    .services.at("s");
    EXPECT_EQ(s.image, "i:21");
    EXPECT_EQ(s.user, "two");
    EXPECT_EQ(s.volumes[0].source, input.directory + "/b/x");
    write("b/.env", "T=folder\n");
    EXPECT_EQ(load("include: [{path: [a/one.yaml], project_directory: b}]").services.at("s").image, "i:folder");
    EXPECT_EQ(load("include: [{path: a/one.yaml, project_directory: b, env_file: /dev/null}]").services.at("s").image,
              "i:")
        << "no file at all";
}

TEST_F(ComposeIncludeTest, TheSameMayBeIncludedTwiceAndOverriddenLater) {
    write("base.yaml", "services: {s: {image: a}}\nvolumes: {v: {}}\n");
    write("mid/.env", "V=name-of-nothing\n");
    write("mid/mid.yaml",
          "include: [../base.yaml]\nservices: {m: {image: b, secrets: [s]}}\nsecrets: {s: {environment: V}}\n");
    write("mid.yaml", "include: [mid/mid.yaml]\nservices: {}\n");
    write("compose.override.yaml", "services: {s: {image: other}}\n");
    Project project = load("include: [base.yaml, mid.yaml]\nservices: {}\n");
    EXPECT_EQ(project.services.at("s").image, "other");
    EXPECT_EQ(project.services.size(), 2u);
    EXPECT_EQ(project.secrets.at("s").content, "name-of-nothing") << "known two files further out";
}

TEST_F(ComposeIncludeTest, WhatCantBeIncludedIsNamed) {
    write("same.yaml", "services:\n  web: {image: other}\n");
    write("self.yaml", "include: [self.yaml]\nservices: {}\n");
    write("a.yaml", "include: [b.yaml]\nservices: {}\n");
    write("b.yaml", "include: [a.yaml]\nservices: {}\n");
    write("list.yaml", "services: [a]\n");
    write("later.yaml", "services: {}\nmodels: {}\n");
    write("odd.yaml", "services: {s: {image: a, ports: [x]}}\n");
    std::string in = input.directory;
    expect_errors({
        {"include: [same.yaml]\nservices:\n  web: {image: a}",
         "3: services.web: conflicts with the one in the included file same.yaml"},
        {"include: [none.yaml]\nservices: {}", "1: include[0]: none.yaml not found"},
        {"include: [.]\nservices: {}", "1: include[0]: " + in + " is not a regular file"},
        {"include: [5]\nservices: {}", "1: include[0]: must be a string"},
        {"include: [{}]\nservices: {}", "1: include[0]: path is missing"},
        {"include: [{path: []}]\nservices: {}", "1: include[0]: path is missing"},
        {"include: [{path: [5]}]\nservices: {}", "1: include[0].path[0]: must be a string"},
        {"include: [{path: a.yaml, project_directory: []}]\nservices: {}",
         "1: include[0].project_directory: must be a string"},
        {"include: [{path: a.yaml, env_file: none.env}]\nservices: {}", "1: include[0]: none.env not found"},
        {"include: {path: a.yaml}\nservices: {}", "1: include: must be a list"},
    });
    auto one = [&](const std::string& file) { return error("include: [" + file + "]\nservices: {}"); };
    EXPECT_EQ(one("self.yaml"),
              "self.yaml:1: include[0]: include cycle detected: " + in + "/self.yaml includes " + in + "/self.yaml");
    EXPECT_EQ(one("a.yaml"), "b.yaml:1: include[0]: include cycle detected: " + in + "/a.yaml includes " + in +
                                 "/b.yaml includes " + in + "/a.yaml");
    EXPECT_EQ(one("list.yaml"), "list.yaml:1: services: must be a mapping");
    EXPECT_EQ(one("later.yaml"), "later.yaml:2: models: is not supported yet");
    EXPECT_EQ(one("odd.yaml"), "odd.yaml:1: services.s.ports[0]: \"x\" is not a port");
}

TEST_F(ComposeIncludeTest, DepthAndBreadthHaveBounds) {
    // Not a cycle by name, but endless through a link.
    write("loop/compose.yaml", "include: [next/compose.yaml]\nservices: {}\n");
    ASSERT_EQ(::symlink(".", (input.directory + "/loop/next").c_str()), 0);
    EXPECT_NE(error("include: [loop/compose.yaml]\nservices: {}"), "");
    for (int i = 0; i < 150; ++i)
        write(fmt::format("c{}.yaml", i), fmt::format("include: [c{}.yaml]\nservices: {{}}\n", i + 1));
    write("c150.yaml", "services: {deep: {image: a}}\n");
    EXPECT_TRUE(load("include: [c0.yaml]\nservices: {}").services.contains("deep"));
    // Each includes the next one twice: 2^20 files if nobody counted.
    for (int i = 0; i < 20; ++i)
        write(fmt::format("d{}.yaml", i), fmt::format("include: [d{0}.yaml, ./d{0}.yaml]\nservices: {{}}\n", i + 1));
    write("d20.yaml", "services: {}\n");
    EXPECT_NE(error("include: [d0.yaml]\nservices: {}").find("more than 200 files are extended or included"),
              std::string::npos);
}

#include "tests/sources/compose_testing.h"

using namespace kedge;
using namespace kedge::sources;
using namespace std::chrono_literals;

using Strings = std::vector<std::string>;
using Map = std::map<std::string, std::string>;

TEST_F(ComposeTest, AnOrdinaryFileIsReadWhole) {
    Project project = load(R"(
services:
  web:
    image: nginx:1.27
    command: ["nginx", "-g", "daemon off;"]
    ports: ["8080:80", "127.0.0.1:8443:443/tcp"]
    volumes: [data:/data, "/srv/www:/www:ro"]
    networks: [front]
    environment: [A=1, B=two=2]
    depends_on:
      db: {condition: service_healthy, restart: true}
    restart: unless-stopped
  db:
    image: postgres
    healthcheck:
      test: pg_isready
      interval: 5s
      timeout: 1m30s
      retries: 4
    networks: {front: {aliases: [database]}}
networks:
  front:
volumes:
  data: {}
)");
    EXPECT_EQ(project.name, "shop");
    EXPECT_EQ(project.directory, input.directory);
    EXPECT_EQ(project.files, Strings{input.directory + "/compose.yaml"});
    const Service& web = project.services.at("web");
    EXPECT_EQ(web.image, "nginx:1.27");
    EXPECT_EQ(web.command, (Strings{"nginx", "-g", "daemon off;"}));
    ASSERT_EQ(web.ports.size(), 2u);
    EXPECT_EQ(web.ports[0], (Port{"", 8080, 0, 80, "tcp"}));
    EXPECT_EQ(web.ports[1], (Port{"127.0.0.1", 8443, 0, 443, "tcp"}));
    ASSERT_EQ(web.volumes.size(), 2u);
    EXPECT_EQ(web.volumes[0].type, "volume");
    EXPECT_EQ(web.volumes[0].source, "data");
    EXPECT_EQ(web.volumes[1].type, "bind");
    EXPECT_EQ(web.volumes[1].source, "/srv/www");
    EXPECT_TRUE(web.volumes[1].read_only && web.volumes[1].create_host_path);
    EXPECT_EQ(web.environment, (Map{{"A", "1"}, {"B", "two=2"}}));
    ASSERT_EQ(web.depends_on.size(), 1u);
    EXPECT_EQ(web.depends_on[0], (Dependency{"db", "service_healthy", true, true}));
    EXPECT_EQ(web.restart, "unless-stopped");
    const Service& db = project.services.at("db");
    EXPECT_EQ(db.healthcheck->test, (Strings{"CMD-SHELL", "pg_isready"}));
    EXPECT_EQ(db.healthcheck->interval, 5s);
    EXPECT_EQ(db.healthcheck->timeout, 90s);
    EXPECT_EQ(db.healthcheck->retries, 4);
    EXPECT_EQ(db.networks[0].aliases, Strings{"database"});
    EXPECT_EQ(db.restart, "no");
    EXPECT_EQ(project.networks.at("front").name, "shop_front");
    EXPECT_EQ(project.volumes.at("data").name, "shop_data");
    EXPECT_FALSE(project.networks.contains("default")) << "no service uses it";
    EXPECT_EQ(project_from_json(to_json_text(project)), project);
}

TEST_F(ComposeTest, AServiceWithoutNetworksGetsTheDefaultOne) {
    Project project = load("services: {web: {image: a}}");
    EXPECT_EQ(project.services.at("web").networks[0].network, "default");
    EXPECT_EQ(project.networks.at("default").name, "shop_default");
}

TEST_F(ComposeTest, AnErrorNamesFileLinePathAndValue) {
    EXPECT_EQ(error("services:\n  web:\n    image: a\n    ports:\n      - \"80:x\"\n"),
              "compose.yaml:5: services.web.ports[0]: \"80:x\" is not a port");
}

TEST_F(ComposeTest, AServiceExtendsAnotherAndOnlyACircleIsCalledOne) {
    EXPECT_EQ(load("services:\n  base: {image: app}\n  web: {extends: base}\n").services.at("web").image, "app");
    EXPECT_EQ(
        error("services:\n  web: {image: app, extends: web}\n"),
        "compose.yaml:2: services.web.extends: circular reference: web in compose.yaml extends web in compose.yaml");
}

TEST_F(ComposeTest, ACircleOfDependenciesIsSpelledOut) {
    EXPECT_EQ(error("services:\n  a: {image: app, depends_on: [b]}\n  b: {image: app, depends_on: [a]}\n"),
              "compose.yaml:2: services.a.depends_on: dependency cycle detected: a -> b -> a");
}

#include "tests/sources/compose_testing.h"

#include <fmt/format.h>

using namespace kedge;
using namespace kedge::sources;

using ComposeProjectTest = ComposeTest;
using Strings = std::vector<std::string>;

namespace {

const std::string kSome = "services: {web: {image: app}}\n";

Strings names_of(const Project& project) {
    Strings names;
    for (const auto& [name, service] : project.services) names.push_back(name);
    return names;
}

}  // namespace

TEST_F(ComposeProjectTest, TheNameIsGivenOrInTheEnvironmentOrInTheFileOrTheFolders) {
    EXPECT_EQ(load(kSome).name, "shop");
    EXPECT_EQ(load("name: in-file\n" + kSome).name, "in-file");
    write("compose.override.yaml", "name: over\n");
    EXPECT_EQ(load("name: in-file\n" + kSome).name, "over");
    input.environment["X"] = "x";
    write("compose.override.yaml", "name: ${X}-${Y:-y}\n");
    EXPECT_EQ(load(kSome).name, "x-y");
    write(".env", "COMPOSE_PROJECT_NAME=dotenv\n");
    EXPECT_EQ(load(kSome).name, "dotenv");
    input.project_name = "given";
    Project project = load("services: {web: {image: 'a:$COMPOSE_PROJECT_NAME'}}");
    EXPECT_EQ(project.name, "given");
    EXPECT_EQ(project.services.at("web").image, "a:given");
}

TEST_F(ComposeProjectTest, ANameThatCantBeIsRefused) {
    std::string what =
        "\": must consist only of lowercase alphanumeric characters, hyphens, and underscores as well as start with a "
        "letter or number";
    EXPECT_EQ(error("name: My App\n" + kSome), "compose.yaml:1: name: invalid project name \"My App" + what);
    EXPECT_EQ(error("name: -a\n" + kSome), "compose.yaml:1: name: invalid project name \"-a" + what);
    EXPECT_EQ(error("name: 5\n" + kSome), "compose.yaml:1: name: must be a string");
    EXPECT_EQ(error("name: [a]\n" + kSome), "compose.yaml:1: name: must be a string");
    input.project_name = "good";
    EXPECT_EQ(error("name: [a]\n" + kSome), "compose.yaml:1: name: must be a string") << "also where it isn't needed";
    input.project_name = "a/b";
    EXPECT_EQ(error(kSome), "invalid project name \"a/b" + what);
    input.project_name = std::string(200, 'p');
    EXPECT_EQ(error("services: {" + std::string(100, 's') + ": {image: a}}"),
              "compose.yaml:1: services." + std::string(100, 's') +
                  ": its containers' names would be longer than 255 characters");
}

TEST_F(ComposeProjectTest, TheUsualFilesAreFoundInTheirOrder) {
    auto found = [&] { return load_compose(input).files; };
    auto below = [&](Strings names) {
        for (std::string& name : names) name = input.directory + "/" + name;
        return names;
    };
    EXPECT_EQ(load_error(), "no compose file in " + input.directory);
    for (const char* name : {"docker-compose.yml", "docker-compose.yaml", "compose.yml", "compose.yaml"}) {
        write(name, kSome);
        EXPECT_EQ(found(), below({name}));
    }
    for (const char* name : {"docker-compose.override.yaml", "docker-compose.override.yml", "compose.override.yaml",
                             "compose.override.yml"}) {
        write(name, kSome);
        EXPECT_EQ(found(), below({"compose.yaml", name}));
    }
    write("a.yaml", kSome);
    write("b.yaml", kSome);
    write(".env", "COMPOSE_FILE=a.yaml:b.yaml\n");
    EXPECT_EQ(found(), below({"a.yaml", "b.yaml"}));
    write(".env", "COMPOSE_FILE=a.yaml;b.yaml\nCOMPOSE_PATH_SEPARATOR=;\n");
    EXPECT_EQ(found(), below({"a.yaml", "b.yaml"}));
    input.files = below({"b.yaml"});
    EXPECT_EQ(found(), below({"b.yaml"}));
    input.files = below({"none.yaml"});
    EXPECT_EQ(load_error(), "none.yaml not found");
}

TEST_F(ComposeProjectTest, ServicesOfInactiveProfilesAreLeftOut) {
    const std::string text =
        "services: {web: {image: a}, debug: {image: a, profiles: [dev, test]}, job: {image: a, profiles: [jobs]}}";
    auto active = [&](const Strings& profiles) {
        input.profiles = profiles;
        return names_of(load(text));
    };
    EXPECT_EQ(active({}), (Strings{"web"}));
    EXPECT_EQ(active({"test"}), (Strings{"debug", "web"}));
    EXPECT_EQ(active({"none"}), (Strings{"web"}));
    EXPECT_EQ(active({"*"}), (Strings{"debug", "job", "web"}));
    write(".env", "COMPOSE_PROFILES=dev,jobs\n");
    EXPECT_EQ(active({}), (Strings{"debug", "job", "web"}));
    EXPECT_EQ(active({"dev"}), (Strings{"debug", "web"})) << "what is given goes before";
}

TEST_F(ComposeProjectTest, AnInactiveServiceNeedsNoFilesButIsCheckedForWhatItSays) {
    input.confine_to = path;
    EXPECT_EQ(error("services: {web: {image: a}, t: {image: a, profiles: [p], env_file: none.env, volumes: "
                    "['./none:/x'], security_opt: [seccomp=none], secrets: [s], depends_on: [gone]}}\n"
                    "secrets: {s: {file: none}}\n"),
              "");
    EXPECT_EQ(error("services: {web: {image: a}, t: {image: a, profiles: [p], ports: [x]}}"),
              "compose.yaml:1: services.t.ports[0]: \"x\" is not a port");
}

TEST_F(ComposeProjectTest, DependenciesHaveThreeConditionsAndMustBeThere) {
    Project project = load(R"(
services:
  web:
    image: a
    depends_on:
      a: {condition: service_started}
      b: {condition: service_healthy, restart: true}
      c: {condition: service_completed_successfully}
      d:
      e: {required: false}
      f: {required: false, condition: service_healthy}
  a: {image: a}
  b: {image: a, depends_on: [a, c, a]}
  c: {image: a}
  d: {image: a}
  e: {image: a}
  f: {image: a, profiles: [off]}
  sidecar: {image: a, network_mode: "service:web"}
)");
    EXPECT_EQ(project.services.at("web").depends_on,
              (std::vector<Dependency>{{"a", "service_started", false, true},
                                       {"b", "service_healthy", true, true},
                                       {"c", "service_completed_successfully", false, true},
                                       {"d", "service_started", false, true},
                                       {"e", "service_started", false, false}}));
    EXPECT_EQ(project.services.at("b").depends_on.size(), 2u);
    EXPECT_EQ(project.services.at("sidecar").depends_on,
              (std::vector<Dependency>{{"web", "service_started", true, true}}));
    expect_errors({
        {"services:\n  web:\n    image: a\n    depends_on:\n      - none\n",
         "5: services.web.depends_on[0]: service \"web\" depends on undefined service \"none\""},
        {"services:\n  web:\n    image: a\n    depends_on:\n      none: {required: true}\n",
         "5: services.web.depends_on.none: service \"web\" depends on undefined service \"none\""},
        {"services:\n  web: {image: a, depends_on: [off]}\n  off: {image: a, profiles: [x, y]}\n",
         "2: services.web.depends_on[0]: service \"off\" is required by \"web\" but is disabled. Can be enabled by "
         "profiles [x y]"},
        {"services:\n  a: {image: i, depends_on: [b]}\n  b: {image: i, depends_on: [c]}\n  c: {image: i, depends_on: "
         "[b]}\n",
         "3: services.b.depends_on: dependency cycle detected: b -> c -> b"},
        {"services:\n  a: {image: i, network_mode: 'service:b'}\n  b: {image: i, depends_on: [a]}\n",
         "2: services.a: dependency cycle detected: a -> b -> a"},
        {"services:\n  a: {image: i, container_name: same}\n  b: {image: i, container_name: same}\n",
         "3: services.b.container_name: container name \"same\" is already in use by service a"},
    });
}

TEST_F(ComposeProjectTest, AThousandServicesAreReadAndNotOneMore) {
    auto many = [](int count, const std::string& each) {
        std::string text = "services:\n";
        for (int i = 0; i < count; ++i)
            text += fmt::format("  s{:04}: {{image: a{}}}\n", i, i > 0 ? fmt::format(fmt::runtime(each), i - 1) : "");
        return text;
    };
    EXPECT_EQ(load(many(1000, ", depends_on: [s{:04}]")).services.size(), 1000u);
    EXPECT_EQ(error(many(1001, "")), "compose.yaml:1: services: more than 1000 services");
    write("compose.override.yaml", "services: {one-more: {image: a}}\n");
    EXPECT_EQ(error(many(1000, "")), "compose.yaml:1: services: more than 1000 services");
}

TEST_F(ComposeProjectTest, AnOldVersionIsIgnoredWithAWarning) {
    EXPECT_EQ(load("version: '3.8'\n" + kSome).warnings, Strings{"compose.yaml:1: version is obsolete, it is ignored"});
    EXPECT_TRUE(load(kSome).warnings.empty());
}

TEST_F(ComposeProjectTest, LoadingTwiceGivesTheSameProject) {
    write("conf/a", "x");
    input.confine_to = path;
    std::string text =
        "services: {web: {image: a, volumes: ['./conf:/c'], labels: {b: 1, a: 2}, networks: [y, x]}, db: {image: "
        "b}}\nnetworks: {x: {}, y: {}}\n";
    Project first = load(text);
    EXPECT_EQ(load(text), first);
    EXPECT_EQ(to_json_text(load(text)), to_json_text(first));
}

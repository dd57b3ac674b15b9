#include "tests/sources/compose_testing.h"

using namespace kedge;
using namespace kedge::sources;

using ComposeEnvironmentTest = ComposeTest;
using Map = std::map<std::string, std::string>;
using Strings = std::vector<std::string>;

TEST_F(ComposeEnvironmentTest, TheShellGoesBeforeDotEnvAndTheServiceBeforeItsFiles) {
    write(".env", "A=dotenv\nB=dotenv\nTAG=1\n");
    write("one.env", "X=one\nY=one\nZ=one\nA=file\n");
    write("two.env", "Y=two\nZ=two\n");
    input.environment = {{"A", "shell"}};
    Service s = service("env_file: [one.env, two.env]\nenvironment: {Z: own, A: , B: , TAGGED: 'v${TAG}', NONE: }");
    EXPECT_EQ(s.environment,
              (Map{{"X", "one"}, {"Y", "two"}, {"Z", "own"}, {"A", "shell"}, {"B", "dotenv"}, {"TAGGED", "v1"}}));
    EXPECT_EQ(service("env_file: one.env\nenvironment: [X]").environment,
              (Map{{"Y", "one"}, {"Z", "one"}, {"A", "file"}}))
        << "a name without a value anywhere takes it away";
}

TEST_F(ComposeEnvironmentTest, ValuesInFilesReferToTheProjectThenToTheServiceThenToTheFile) {
    write("a.env", "P=file\nS=file\nF=file\nALL=$P-$S-$F-${NONE:-none}\n");
    input.environment = {{"P", "project"}};
    Service s = service("env_file: a.env\nenvironment: {P: service, S: service}");
    EXPECT_EQ(s.environment.at("ALL"), "project-service-file-none");
    EXPECT_EQ(s.environment.at("P"), "service");
}

TEST_F(ComposeEnvironmentTest, FilesMayBeRawOrAbsent) {
    write("raw.env", "A='q' $B # c\r\n#no\n\nC=\"x\n=no\nnone\n");
    EXPECT_EQ(service("env_file: [{path: raw.env, format: raw}, {path: none.env, required: false}]").environment,
              (Map{{"A", "'q' $B # c"}, {"C", "\"x"}}));
    EXPECT_EQ(service_error("env_file: [{path: none.env, required: true}]"),
              "compose.yaml:4: services.web.env_file[0]: none.env not found");
    EXPECT_EQ(service_error("env_file: [{path: raw.env}]"),
              "compose.yaml:4: services.web.env_file[0]: raw.env:1: unexpected text after the quoted value of A");
}

TEST_F(ComposeEnvironmentTest, OtherEnvFilesTakeThePlaceOfDotEnv) {
    write(".env", "T=dotenv\n");
    write("a.env", "T=a\n");
    write("b.env", "T=${T}b\n");
    auto image = [&] { return load("services: {web: {image: 'i:$T'}}").services.at("web").image; };
    EXPECT_EQ(image(), "i:dotenv");
    input.env_files = {input.directory + "/a.env", input.directory + "/b.env"};
    EXPECT_EQ(image(), "i:ab");
    input.environment["T"] = "shell";
    EXPECT_EQ(image(), "i:shell");
    input.environment.clear();
    input.env_files = {"/dev/null"};
    EXPECT_EQ(image(), "i:");
    input.env_files = {input.directory + "/none.env"};
    EXPECT_EQ(load_error(), "none.env not found");
    input.env_files.clear();
    write(".env", "T='x\n");
    EXPECT_EQ(load_error(), ".env:1: the value of T has no closing quote");
}

TEST_F(ComposeEnvironmentTest, AVariableThatIsNotSetIsBlankWithOneWarning) {
    Project project = load("services: {web: {image: 'i:$TAG', user: '$TAG', hostname: '${H:-h}'}}");
    EXPECT_EQ(project.services.at("web").image, "i:");
    EXPECT_EQ(project.warnings, Strings{"the \"TAG\" variable is not set, defaulting to a blank string"});
}

TEST_F(ComposeEnvironmentTest, InterpolationReachesValuesOfEveryKindButNoKeys) {
    input.environment = {{"V", "v"}, {"N", "80"}, {"I", "img"}};
    Project project = load(R"(
x-a: ${V:-x}
services:
  web:
    image: i:$V
    command: [run, "${V}$$V", $$$$]
    labels: {$V: $V, l: "${V:+yes}"}
    networks: {n: {aliases: ["a-$V"]}}
    depends_on: {db: {condition: "service_${C-started}"}}
  db: {image: "${I:?no image}", ports: ["${N}:${N}"]}
networks: {n: {name: "net-$V"}}
)");
    EXPECT_EQ(project.services.at("web").image, "i:v");
    EXPECT_EQ(project.services.at("web").command, (Strings{"run", "v$V", "$$"}));
    EXPECT_EQ(project.services.at("web").labels, (Map{{"$V", "v"}, {"l", "yes"}}));
    EXPECT_EQ(project.services.at("web").networks[0].aliases, Strings{"a-v"});
    EXPECT_EQ(project.services.at("web").depends_on[0].condition, "service_started");
    EXPECT_EQ(project.services.at("db").image, "img");
    EXPECT_EQ(project.services.at("db").ports[0].published, 80);
    EXPECT_EQ(project.networks.at("n").name, "net-v");
}

TEST_F(ComposeEnvironmentTest, ErrorsOfInterpolationNameTheValue) {
    expect_service_errors({
        {"user: ${", "4: services.web.user: invalid interpolation format: \"${\""},
        {"user: $1", "4: services.web.user: invalid interpolation format: \"$1\""},
        {"labels: [a=b, 'c=${D?}']", "4: services.web.labels[1]: required variable D is missing a value"},
        {"user: '${U:?say who}'", "4: services.web.user: required variable U is missing a value: say who"},
        {"user: '${U:?${W:-nobody} is no answer}'",
         "4: services.web.user: required variable U is missing a value: nobody is no answer"},
        {"command: [a, '${B!}']", "4: services.web.command[1]: invalid interpolation format: \"${B!}\""},
        {"x-a: '${'", "4: services.web.x-a: invalid interpolation format: \"${\""},
    });
    EXPECT_EQ(error("name: ${\nservices: {}"), "compose.yaml:1: name: invalid interpolation format: \"${\"");
}

TEST_F(ComposeEnvironmentTest, BytesThatAreNoTextAreRefusedWhereTheyAreUsed) {
    input.environment = {{"BAD", "a\xff"}};
    EXPECT_EQ(service_error("user: u"), "");
    EXPECT_EQ(service_error("user: $BAD"), "compose.yaml:4: services.web.user: a variable in it is not valid UTF-8");
    EXPECT_EQ(service_error("environment: [BAD]"),
              "compose.yaml:4: services.web.environment[0]: the variable BAD is not valid UTF-8");
    write("bad.env", "A=1\nB=\xc3\n");
    EXPECT_EQ(service_error("env_file: bad.env"),
              "compose.yaml:4: services.web.env_file: bad.env:1: is not valid UTF-8");
    EXPECT_EQ(service_error("env_file: [{path: bad.env, format: raw}]"),
              "compose.yaml:4: services.web.env_file[0]: bad.env:2: is not valid UTF-8");
    write("zero.env", std::string("A=1\0", 4));
    EXPECT_EQ(service_error("env_file: zero.env"),
              "compose.yaml:4: services.web.env_file: zero.env:1: a zero byte is not allowed");
    EXPECT_EQ(service_error("env_file: [{path: zero.env, format: raw}]"),
              "compose.yaml:4: services.web.env_file[0]: zero.env:1: a zero byte is not allowed");
    EXPECT_EQ(service_error("user: \"a\\0b\""), "compose.yaml:4: a zero byte is not allowed");
    EXPECT_EQ(service_error("? \"a\\0b\"\n: c"), "compose.yaml:4: a zero byte is not allowed");
}

#include "tests/sources/compose_testing.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <ctime>
#include <thread>

using namespace kedge;
using namespace kedge::sources;

namespace {

/// A repository that may be read, with secrets of the machine beside it.
struct ComposeHostileTest : ComposeTest {
    const std::string secret = "SECRET=hunter2\n";
    std::string outside;

    void SetUp() override {
        ComposeTest::SetUp();
        input.confine_to = input.directory;
        outside = path + "/outside";
        Fd file = open_at(AT_FDCWD, outside, O_WRONLY | O_CREAT, 0600);
        write_all(file.get(), secret);
    }

    void link(const std::string& target, const std::string& name) {
        ASSERT_EQ(::symlink(target.c_str(), (input.directory + "/" + name).c_str()), 0);
    }

    /// Every way to have a file read.
    std::vector<std::string> bodies(const std::string& file) const {
        return {
            "services: {web: {image: a, env_file: '" + file + "'}}",
            "services: {web: {image: a, env_file: [{path: '" + file + "', required: false}]}}",
            "services: {web: {image: a, env_file: [{path: '" + file + "', format: raw}]}}",
            "services: {web: {image: a, security_opt: ['seccomp=" + file + "']}}",
            "services: {web: {image: a, secrets: [s]}}\nsecrets: {s: {file: '" + file + "'}}",
            "services: {web: {image: a, configs: [s]}}\nconfigs: {s: {file: '" + file + "'}}",
            "services: {web: {extends: {file: '" + file + "', service: a}}}",
            "services: {web: {image: a}}\ninclude: ['" + file + "']",
            "services: {web: {image: a}}\ninclude: [{path: in.yaml, env_file: '" + file + "'}]",
        };
    }
};

}  // namespace

TEST_F(ComposeHostileTest, NothingOutsideTheTreeIsRead) {
    write("in.yaml", "services: {}\n");
    link("../outside", "up");
    link(outside, "absolute");
    link("/etc/passwd", "passwd");
    link("..", "parent");
    link("/proc/self/root", "magic");
    for (const std::string& file :
         {std::string("../outside"), outside, std::string("/etc/passwd"), std::string("up"), std::string("absolute"),
          std::string("passwd"), std::string("parent/outside"), std::string("magic/etc/passwd"),
          std::string("./x/../../outside"), std::string("~/x")}) {
        for (const std::string& text : bodies(file)) {
            std::string message = error(text);
            bool optional = text.find("required: false") != std::string::npos;
            EXPECT_TRUE(optional || !message.empty()) << text;
            EXPECT_EQ(message.find("hunter2"), std::string::npos) << message;
            EXPECT_EQ(message.find("root:"), std::string::npos) << message;
        }
    }
    EXPECT_EQ(error(bodies("../outside")[0]),
              "compose.yaml:1: services.web.env_file: " + outside + " lies outside the repository");
    EXPECT_EQ(error(bodies("/etc/passwd")[0]),
              "compose.yaml:1: services.web.env_file: /etc/passwd lies outside the repository");
    EXPECT_EQ(error(bodies("up")[0]), "compose.yaml:1: services.web.env_file: up not found")
        << "the link is resolved inside the tree";
}

TEST_F(ComposeHostileTest, TheFilesThatAreFoundBySearchingAreConfinedToo) {
    write("compose.yaml", "services: {web: {image: 'a:$SECRET'}}\n");
    link("../outside", ".env");
    EXPECT_EQ(load_compose(input).services.at("web").image, "a:") << "a link to nothing inside";
    ASSERT_EQ(::unlink((input.directory + "/.env").c_str()), 0);
    write(".env", "COMPOSE_FILE=../outside\n");
    EXPECT_EQ(load_error(), outside + " lies outside the repository");
    write(".env", "COMPOSE_FILE=/etc/passwd\n");
    EXPECT_EQ(load_error(), "/etc/passwd lies outside the repository");
    input.files = {outside};
    EXPECT_EQ(load_error(), outside + " lies outside the repository");
    input.files.clear();
    input.directory = path;
    EXPECT_NE(load_error().find("lies outside the repository"), std::string::npos);
}

TEST_F(ComposeHostileTest, MountsThroughLinksLeadToWhatTheyAreInsideTheTree) {
    write("real/file", "x");
    link("real", "alias");
    link("../outside", "up");
    link("/", "everything");
    EXPECT_EQ(service("volumes: ['./alias/file:/f']").volumes[0].source, input.directory + "/real/file")
        << "the engine follows no link of the repository";
    EXPECT_EQ(service_error("volumes: ['./up:/f']"),
              "compose.yaml:4: services.web.volumes[0]: up is a link that leads nowhere inside the repository");
    EXPECT_EQ(service("volumes: ['./everything:/f']").volumes[0].source, input.directory)
        << "the tree is all that there is";
    EXPECT_NE(service_error("volumes: ['../outside:/f']").find("lies outside the repository"), std::string::npos);
}

TEST_F(ComposeHostileTest, PipesDevicesAndSocketsAreNoFiles) {
    input.confine_to.clear();
    write("in.yaml", "services: {}\n");
    ASSERT_EQ(::mkfifo((input.directory + "/pipe").c_str(), 0600), 0);
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::string name = input.directory + "/socket";
    name.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    for (const std::string& file : {std::string("pipe"), std::string("socket"), std::string("/dev/zero"),
                                    std::string("/dev/tty"), std::string(".")}) {
        for (const std::string& text : bodies(file)) EXPECT_NE(error(text), "") << text;
    }
    EXPECT_EQ(error(bodies("pipe")[0]), "compose.yaml:1: services.web.env_file: pipe is not a regular file");
    EXPECT_EQ(error(bodies("/dev/zero")[4]), "compose.yaml:2: secrets.s.file: /dev/zero is not a regular file");
    ASSERT_EQ(::mkfifo((input.directory + "/.env").c_str(), 0600), 0);
    EXPECT_EQ(error("services: {web: {image: a}}"), ".env is not a regular file");
}

TEST_F(ComposeHostileTest, LoopsOfLinksAndFilesInThePlaceOfFoldersAreErrorsOfTheProject) {
    write("in.yaml", "services: {}\n");
    link("two", "one");
    link("one", "two");
    for (const std::string& file : {std::string("one"), std::string("in.yaml/x"), std::string(300, 'n'),
                                    std::string("a/").append(std::string(2000, 'b'))}) {
        for (const std::string& text : bodies(file)) {
            std::string message = error(text);
            EXPECT_TRUE(!message.empty() || text.find("required: false") != std::string::npos) << text;
        }
    }
    link("loop", "loop");
    write(".env", "COMPOSE_FILE=loop/x\n");
    EXPECT_NE(load_error(), "");
}

TEST_F(ComposeHostileTest, ALinkThatChangesWhileItIsReadNeverLeadsOut) {
    write("good.env", "GOOD=1\n");
    std::string name = input.directory + "/x.env", next = input.directory + "/next";
    link("good.env", "x.env");
    std::atomic<bool> stop = false;
    std::thread swapper([&] {
        for (int i = 0; !stop; ++i) {
            (void)::symlink(i % 2 ? "good.env" : outside.c_str(), next.c_str());
            (void)::rename(next.c_str(), name.c_str());
        }
    });
    int good = 0;
    write("compose.yaml",
          "services: {web: {image: a, env_file: x.env, secrets: [s], volumes: ['./x.env:/x']}}\nsecrets: {s: {file: "
          "x.env}}\n");
    for (int i = 0; i < 2000; ++i) {
        try {
            Project project = load_compose(input);
            ++good;
            EXPECT_FALSE(project.services.at("web").environment.contains("SECRET"));
            EXPECT_EQ(project.services.at("web").volumes.at(0).source, input.directory + "/good.env");
            EXPECT_EQ(project.secrets.at("s").path, input.directory + "/good.env");
        } catch (const Error& e) {
            EXPECT_EQ(e.code(), Code::invalid_argument) << e.what();
        }
    }
    stop = true;
    swapper.join();
    EXPECT_GT(good, 0);
}

TEST_F(ComposeHostileTest, SizesHaveBounds) {
    write("big.env", std::string((1u << 20) + 1, '#'));
    EXPECT_EQ(error(bodies("big.env")[0]),
              "compose.yaml:1: services.web.env_file: big.env is larger than 1048576 bytes");
    EXPECT_EQ(error(std::string((1u << 20) + 1, '#')), "compose.yaml is larger than 1048576 bytes");
    // A thousand services that each take a whole megabyte.
    write("mega.env", "A=" + std::string(1000000, 'x') + "\n");
    std::string many = "services:\n";
    for (int i = 0; i < 900; ++i) many += fmt::format("  s{}: {{image: a, env_file: mega.env}}\n", i);
    EXPECT_NE(error(many).find("the project takes more than 67108864 bytes from files and variables"),
              std::string::npos);
    // Variables that grow when they are put in.
    input.environment["BIG"] = std::string(200000, 'x');
    std::string labels = "services:\n  web:\n    image: a\n    labels:\n";
    for (int i = 0; i < 1000; ++i) labels += fmt::format("      l{}: $BIG\n", i);
    EXPECT_NE(error(labels).find("variables expand to more than 8388608 bytes"), std::string::npos);
    std::string names = "services:\n";
    for (int i = 0; i < 900; ++i) names += fmt::format("  s{}: {{image: a, environment: [BIG]}}\n", i);
    EXPECT_NE(error(names).find("the project takes more than 67108864 bytes"), std::string::npos);
}

TEST_F(ComposeHostileTest, LongKeysAndValuesGiveShortMessages) {
    std::string long_text(900000, 'k');
    const std::string texts[] = {
        long_text + ": 1",
        "services: {" + long_text + ": {image: a}}",
        "services: {web: {image: a, " + long_text + ": 1}}",
        "services: {web: {image: a, restart: " + long_text + "}}",
        "services: {web: {image: a, ports: ['" + long_text + "']}}",
        "services: {web: {image: a, volumes: ['" + long_text + "']}}",
        "services: {web: {image: a, volumes: ['./" + long_text + ":/x']}}",
        "services: {web: {image: a, volumes: ['/x:/" + long_text + "']}}",
        "services: {web: {image: a, env_file: '" + long_text + "'}}",
        "services: {web: {image: a, depends_on: ['" + long_text + "']}}",
        "services: {web: {image: a, networks: ['" + long_text + "']}}",
        "services: {web: {image: a, secrets: [{source: a, target: '" + long_text + "'}]}}",
        "services: {web: {extends: '" + long_text + "'}}",
        "services: {web: {extends: {service: a, file: '" + long_text + "'}}}",
        "services: {web: {image: a}}\ninclude: ['" + long_text + "']",
        "services: {web: {image: a, user: '${" + long_text + ":?no}'}}",
        "services: {web: {image: a, user: '${" + long_text + "'}}",
        "services: {web: {image: a, cap_add: ['" + long_text + "'], x: 1}}",
        "name: " + long_text + "!\nservices: {}",
        "services: {web: {image: a, healthcheck: {interval: " + long_text + "}}}",
    };
    for (const std::string& text : texts) {
        std::string message = error(text);
        EXPECT_FALSE(message.empty()) << text.substr(0, 60);
        EXPECT_LT(message.size(), 2500u) << text.substr(0, 60);
        EXPECT_EQ(message.find('\n'), std::string::npos);
    }
}

TEST_F(ComposeHostileTest, OddBytesInNamesNeverReachAMessageRaw) {
    write("odd\n\x1b[31m.yaml", "services: {odd: {image: 5}}\n");
    EXPECT_EQ(error("services: {web: {image: a}}\ninclude: [\"odd\\n\\e[31m.yaml\"]"),
              "odd\\x0a\\x1b[31m.yaml:1: services.odd.image: must be a string");
    EXPECT_EQ(service_error("\"a\\rb\": 1"), "compose.yaml:4: services.web.a\\x0db: unknown key");
    EXPECT_EQ(service_error("restart: \"x\\ny\""),
              "compose.yaml:4: services.web.restart: \"x\\x0ay\" is not a restart policy");
    link("na\xffme", "plain");
    write("na\xffme", "x");
    input.files = {input.directory + "/na\xffme"};
    EXPECT_EQ(load_error(), "na\\xffme: the path is not valid UTF-8");
    input.files.clear();
    EXPECT_EQ(service_error("volumes: ['./plain:/x']"),
              "compose.yaml:4: services.web.volumes[0]: plain leads to a name that is not valid UTF-8");
}

TEST_F(ComposeHostileTest, WorkIsBoundedWhateverTheFileRefersTo) {
    const std::clock_t start = std::clock();  // of the processor: it doesn't matter what else the machine does
    // Every service depends on every other one before it, and mounts long paths.
    std::string wide = "services:\n";
    std::string before;
    for (int i = 0; i < 300; ++i) {
        wide += fmt::format("  s{0}: {{image: a, depends_on: [{1}]}}\n", i, before);
        before += fmt::format("{}s{}", before.empty() ? "" : ",", i);
    }
    EXPECT_EQ(error(wide), "");
    std::string dots = "services:\n  web:\n    image: a\n    volumes:\n";
    for (int i = 0; i < 100; ++i) {
        std::string target;
        while (target.size() < 4000) target += "/a/..";
        dots += fmt::format("      - '/x:{}/t{}'\n", target, i);
    }
    EXPECT_EQ(error(dots), "");
    std::string files;
    for (int i = 0; i < 60; ++i) {
        write(fmt::format("f{}.yaml", i), "services: {}\nx-a: [" + std::string(1000000, ' ') + "]\n");
        files += fmt::format("f{}.yaml,", i);
    }
    EXPECT_EQ(error("services: {}\ninclude: [" + files + "]"), "");
    EXPECT_LT((std::clock() - start) / CLOCKS_PER_SEC, 60);
}

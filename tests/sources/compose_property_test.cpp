#include "tests/sources/compose_testing.h"

#include <rapidcheck.h>

#include <tuple>

using namespace kedge;
using namespace kedge::sources;

using ComposePropertyTest = ComposeTest;

namespace {

/// One of everything that is supported, so that a changed byte may hit any reader.
const std::string kGood = R"(name: shop
x-common: &common
  restart: on-failure:3
  environment: &env {A: "1", B: "${B:-b}"}
include: [other.yaml]
services:
  base: {image: app, profiles: [never], labels: [a=1]}
  web:
    <<: *common
    extends: {service: base, file: compose.yaml}
    profiles: !reset []
    image: "app:${TAG:?tag}"
    command: ["run", "a b"]
    entrypoint: sh -c 'x "y"'
    env_file: [a.env, {path: none.env, required: false}]
    environment: {<<: *env, C: }
    ports: ["8080-8081:80-81/udp", "127.0.0.1::443", {target: 90, published: "9000-9010", protocol: tcp}]
    volumes: ["data:/data:ro", "./conf:/conf", {type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 0700}}, {type: bind, source: /srv, target: /srv}]
    networks: {front: {aliases: [w], ipv4_address: 10.1.0.7, priority: 2}, back: }
    depends_on: {db: {condition: service_healthy, restart: true, required: false}}
    healthcheck: {test: [CMD, true_], interval: 1m30s, timeout: 5s, retries: 3, start_period: 1s, start_interval: 1s}
    user: "1:1"
    working_dir: /srv
    hostname: web
    stop_signal: SIGINT
    stop_grace_period: 10s
    read_only: true
    init: true
    tmpfs: ["/run:size=1m,mode=755", /var]
    cap_add: [NET_ADMIN]
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true", "seccomp:./a.env"]
    extra_hosts: {one: 1.1.1.1, two: [host-gateway]}
    mem_limit: 64m
    memswap_limit: 128m
    cpus: 0.5
    pids_limit: 10
    ulimits: {nofile: {soft: 1, hard: 2}, core: 0}
    sysctls: [net.core.somaxconn=1]
    devices: [/dev/null:/dev/x:r]
    logging: {driver: json-file, options: {max-size: 1m, max-file: "2"}}
    dns: 1.1.1.1
    secrets: [pass, {source: tok, target: t, uid: "1", mode: 0400}]
    configs: [{source: conf, target: /etc/c}]
    x-kedge: {probe: {http: {port: 80, path: /h, status: 200-299, headers: {A: b}}}}
    deploy:
      replicas: 1
      update_config: {parallelism: 1, delay: 1s, failure_action: pause, order: start-first, max_failure_ratio: 0.5, monitor: 1s}
      rollback_config: {order: stop-first}
      resources: {limits: {cpus: "0.5", memory: 64m, pids: 10}, reservations: {memory: 32m}}
      restart_policy: {condition: on-failure, max_attempts: 2}
  db: {image: pg, network_mode: none, scale: 2}
networks:
  front: {ipam: {config: [{subnet: 10.1.0.0/16, gateway: 10.1.0.1}]}, labels: {a: b}}
  back: {internal: true, driver: bridge, driver_opts: {com.docker.network.driver.mtu: 1400}}
volumes: {data: {name: data1, labels: [a=b]}}
secrets: {pass: {file: ./a.env}, tok: {environment: TAG}}
configs: {conf: {content: "a $$ b"}}
)";

/// Place, kind, byte, length.
using Change = std::tuple<unsigned, unsigned, unsigned, unsigned>;

std::string changed(std::string text, const std::vector<Change>& changes) {
    const std::string bytes = "\n :-[]{}'\"$&*!#|>%@`,?\\~/.=0a\t\xff";
    for (auto [place, kind, pick, length] : changes) {
        if (text.empty()) break;
        size_t at = place % text.size();
        char byte = pick % 3 ? bytes[pick % bytes.size()] : static_cast<char>(pick);
        switch (kind % 5) {
            case 0: text[at] = byte; break;
            case 1: text.insert(at, 1, byte); break;
            case 2: text.erase(at, length % 40 + 1); break;
            case 3: text.insert(at, text.substr(pick % text.size(), length % 200)); break;
            default: text.insert(at, std::string(length % 20 + 1, byte));
        }
    }
    return text;
}

rc::Gen<std::vector<Change>> some_changes() {
    auto number = rc::gen::inRange(0u, 1000000u);
    auto one = rc::gen::tuple(number, number, number, number);
    return rc::gen::resize(6, rc::gen::container<std::vector<Change>>(one));
}

}  // namespace

TEST_F(ComposePropertyTest, AChangedFileIsLoadedTheSameTwiceOrRefusedWithAnError) {
    write("other.yaml", "services: {}\n");
    write("a.env", "P=1\n");
    write("conf/file", "x");
    input.environment = {{"TAG", "1"}};
    ASSERT_EQ(error(kGood), "");
    ASSERT_GT(load(kGood).services.at("web").ports.size(), 0u);
    input.confine_to = input.directory;
    input.data_folder = path + "/data";
    int good = 0, bad = 0;
    EXPECT_TRUE(rc::check([&] {
        write("compose.yaml", changed(kGood, *some_changes()));
        try {
            Project project = load_compose(input);
            RC_ASSERT(load_compose(input) == project);
            RC_ASSERT(project_from_json(to_json_text(project)) == project);
            ++good;
        } catch (const Error& e) {
            std::string message = e.what();
            RC_ASSERT(!message.empty());
            RC_ASSERT(message.size() < 3000u);
            RC_ASSERT(message.find('\n') == std::string::npos);
            ++bad;
        }
    }));
    EXPECT_GT(good, 0);
    EXPECT_GT(bad, 0);
}

TEST_F(ComposePropertyTest, EveryBeginningOfAFileIsLoadedOrRefused) {
    write("other.yaml", "services: {}\n");
    write("a.env", "P=1\n");
    input.environment = {{"TAG", "1"}};
    for (size_t length = 0; length < kGood.size(); length += 7) (void)error(kGood.substr(0, length));
    for (size_t start = 0; start < kGood.size(); start += 31) (void)error(kGood.substr(start));
}

TEST_F(ComposePropertyTest, AFileOverItselfChangesNothing) {
    write("other.yaml", "services: {}\n");
    write("a.env", "P=1\n");
    input.environment = {{"TAG", "1"}};
    Project once = load(kGood);
    input.files = {input.directory + "/compose.yaml", input.directory + "/compose.yaml"};
    Project twice = load_compose(input);
    twice.files = once.files;
    EXPECT_EQ(to_json_text(twice), to_json_text(once));
}

TEST_F(ComposePropertyTest, AnyValueOfAKeyIsReadOrRefusedWithItsPlace) {
    const std::vector<std::string> keys = {"image",
                                           "command",
                                           "entrypoint",
                                           "environment",
                                           "env_file",
                                           "ports",
                                           "volumes",
                                           "networks",
                                           "depends_on",
                                           "healthcheck",
                                           "restart",
                                           "labels",
                                           "user",
                                           "working_dir",
                                           "hostname",
                                           "domainname",
                                           "container_name",
                                           "stop_signal",
                                           "stop_grace_period",
                                           "read_only",
                                           "tmpfs",
                                           "init",
                                           "cap_add",
                                           "cap_drop",
                                           "security_opt",
                                           "extra_hosts",
                                           "mem_limit",
                                           "memswap_limit",
                                           "mem_reservation",
                                           "shm_size",
                                           "cpus",
                                           "pids_limit",
                                           "secrets",
                                           "configs",
                                           "profiles",
                                           "deploy",
                                           "ulimits",
                                           "sysctls",
                                           "devices",
                                           "logging",
                                           "dns",
                                           "dns_search",
                                           "group_add",
                                           "pull_policy",
                                           "platform",
                                           "scale",
                                           "network_mode",
                                           "extends",
                                           "expose",
                                           "attach",
                                           "tty",
                                           "x-kedge"};
    const std::vector<std::string> values = {"null",
                                             "~",
                                             "''",
                                             "0",
                                             "-1",
                                             "1.5",
                                             "1e400",
                                             "99999999999999999999",
                                             "0x10",
                                             ".inf",
                                             "true",
                                             "x",
                                             "'a b'",
                                             "\"a\\nb\"",
                                             "/",
                                             "..",
                                             ":",
                                             "::",
                                             "=",
                                             "a=",
                                             "=a",
                                             "$$",
                                             "[]",
                                             "{}",
                                             "[null]",
                                             "[[]]",
                                             "[{}]",
                                             "[1]",
                                             "['']",
                                             "[a, a]",
                                             "[/a, /a]",
                                             "{a: }",
                                             "{'': a}",
                                             "{a: [b]}",
                                             "{a: {b: c}}",
                                             "{a: {a: {a: a}}}",
                                             "!reset null",
                                             "!override []",
                                             "!override {a: }",
                                             "!reset x",
                                             "{<<: {a: b}}",
                                             "[!reset a]",
                                             "é",
                                             "'\xf0\x9f\x98\x80'"};
    for (const std::string& key : keys) {
        for (const std::string& value : values) {
            std::string text = "services:\n  web:\n    image: app\n    " + key + ": " + value + "\n";
            if (key == "image") text = "services:\n  web:\n    image: " + value + "\n";
            std::string message = error(text);
            EXPECT_TRUE(message.empty() || message.starts_with("compose.yaml:")) << text << message;
            if (std::string("[{!").find(value[0]) == std::string::npos) continue;
            write("compose.override.yaml", text);
            (void)service_error("");
            ASSERT_EQ(::unlink((input.directory + "/compose.override.yaml").c_str()), 0);
        }
    }
}

TEST_F(ComposePropertyTest, InterpolationEndsWithAResultOrAnErrorAndHasBounds) {
    const std::string alphabet = "$${{}}:-?+AB_ x";
    const std::map<std::string, std::string> variables = {{"A", "a"}, {"B", ""}, {"AA", std::string(1000, 'x')}};
    auto lookup = [&](const std::string& name) -> const std::string* {
        auto found = variables.find(name);
        return found == variables.end() ? nullptr : &found->second;
    };
    int good = 0;
    EXPECT_TRUE(rc::check([&](const std::vector<unsigned char>& picks) {
        std::string text;
        for (unsigned char pick : picks) text += alphabet[pick % alphabet.size()];
        try {
            std::string result = interpolate(text, lookup);
            RC_ASSERT(result.size() <= text.size() * 1000 + 1);
            RC_ASSERT(interpolate(text, lookup) == result);
            ++good;
        } catch (const Error& e) {
            RC_ASSERT(e.code() == Code::invalid_argument);
        }
    }));
    EXPECT_GT(good, 10);
    EXPECT_TRUE(rc::check([&](const std::string& text) {
        try {
            (void)interpolate("${NONE:-" + text + "}", lookup);
            (void)interpolate("$" + text, lookup);
        } catch (const Error&) {
        }
    }));
}

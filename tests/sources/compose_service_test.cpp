#include "tests/sources/compose_testing.h"

#include <functional>

using namespace kedge;
using namespace kedge::sources;
using namespace std::chrono_literals;

using ComposeServiceTest = ComposeTest;
using Strings = std::vector<std::string>;
using Map = std::map<std::string, std::string>;

namespace {

/// What a body says, told by changing an ordinary service the same way.
struct Case {
    const char* body;
    std::function<void(Service&)> change;
};

constexpr int64_t kMiB = 1 << 20;

}  // namespace

TEST_F(ComposeServiceTest, AServiceWithNothingButAnImageHasTheDefaults) {
    Service wanted;
    wanted.name = "web";
    wanted.image = "app";
    wanted.restart = "no";
    wanted.networks = {{"default", {}, "", 0}};
    wanted.update_config.failure_action = "rollback";
    wanted.rollback_config.failure_action = "pause";
    EXPECT_EQ(service(""), wanted);
}

TEST_F(ComposeServiceTest, EachKeyFillsItsField) {
    using S = Service;
    auto health = [](S& s) -> Healthcheck& { return s.healthcheck ? *s.healthcheck : s.healthcheck.emplace(); };
    const Case cases[] = {
        {"command: echo hi",
         [](S& s) {
             s.command = Strings{"echo", "hi"};
         }},
        {"command: [echo, 'a b']",
         [](S& s) {
             s.command = Strings{"echo", "a b"};
         }},
        {"command: sh -c 'a \"b\" $$c' \"d e\" f\\ g ''",
         [](S& s) { s.command = Strings{"sh", "-c", "a \"b\" $c", "d e", "f g", ""}; }},
        {"command: \"a \\\"b \\\\\\\" c\\\"\"",
         [](S& s) {
             s.command = Strings{"a", "b \" c"};
         }},
        {"command: []", [](S& s) { s.command = Strings{}; }},
        {"command: ''", [](S& s) { s.command = Strings{}; }},
        {"command:", [](S&) {}},
        {"entrypoint: /bin/app -x",
         [](S& s) {
             s.entrypoint = Strings{"/bin/app", "-x"};
         }},
        {"entrypoint: [/bin/app]", [](S& s) { s.entrypoint = Strings{"/bin/app"}; }},
        {"entrypoint: []", [](S& s) { s.entrypoint = Strings{}; }},
        {"environment: {A: x, B: 1, C: 1.50, D: true, E: '', F: null, G: 0440}",
         [](S& s) {
             s.environment = {{"A", "x"}, {"B", "1"}, {"C", "1.50"}, {"D", "true"}, {"E", ""}, {"G", "0440"}};
         }},
        {"environment: [A=x, B=, C, D=a=b, A=last]",
         [](S& s) {
             s.environment = {{"A", "last"}, {"B", ""}, {"D", "a=b"}};
         }},
        {"labels: {a: x, b: 1, c: true, d: null}",
         [](S& s) {
             s.labels = {{"a", "x"}, {"b", "1"}, {"c", "true"}, {"d", ""}};
         }},
        {"labels: [a=x, b=1=2, c]",
         [](S& s) {
             s.labels = {{"a", "x"}, {"b", "1=2"}, {"c", ""}};
         }},
        {"user: '1000:1000'", [](S& s) { s.user = "1000:1000"; }},
        {"working_dir: /srv/app", [](S& s) { s.working_dir = "/srv/app"; }},
        {"hostname: web-1.example", [](S& s) { s.hostname = "web-1.example"; }},
        {"domainname: example.org", [](S& s) { s.domainname = "example.org"; }},
        {"container_name: my_web.1", [](S& s) { s.container_name = "my_web.1"; }},
        {"stop_signal: SIGUSR1", [](S& s) { s.stop_signal = "SIGUSR1"; }},
        {"stop_signal: 9", [](S& s) { s.stop_signal = "9"; }},
        {"stop_signal: quit", [](S& s) { s.stop_signal = "quit"; }},
        {"stop_signal: RTMIN+3", [](S& s) { s.stop_signal = "RTMIN+3"; }},
        {"stop_grace_period: 1m30s", [](S& s) { s.stop_grace_period = 90s; }},
        {"stop_grace_period: 0s", [](S& s) { s.stop_grace_period = 0s; }},
        {"stop_grace_period: 1h5m30s20ms", [](S& s) { s.stop_grace_period = 1h + 5min + 30s + 20ms; }},
        {"read_only: true", [](S& s) { s.read_only = true; }},
        {"read_only: 'yes'", [](S& s) { s.read_only = true; }},
        {"read_only: 'off'", [](S&) {}},
        {"init: true", [](S& s) { s.init = true; }},
        {"init: false", [](S&) {}},
        {"privileged: true", [](S& s) { s.privileged = true; }},
        {"tty: true\nstdin_open: true", [](S& s) { s.tty = s.stdin_open = true; }},
        {"attach: false\nexpose: [80, '81', '82-83', '84/udp']", [](S&) {}},
        {"tmpfs: /run", [](S& s) { s.tmpfs = {"/run"}; }},
        {"tmpfs: [/run, '/tmp/../t/:size=64m,mode=1777,ro']",
         [](S& s) {
             s.tmpfs = {"/run", "/t:size=67108864,mode=1777,ro"};
         }},
        {"tmpfs: /run:size=1.5G,noexec,nosuid,nodev,rw",
         [](S& s) { s.tmpfs = {"/run:size=1610612736,noexec,nosuid,nodev,rw"}; }},
        {"cap_add: [NET_ADMIN, CAP_SYS_TIME]",
         [](S& s) {
             s.cap_add = {"NET_ADMIN", "CAP_SYS_TIME"};
         }},
        {"cap_drop: [ALL]", [](S& s) { s.cap_drop = {"ALL"}; }},
        {"security_opt: ['no-new-privileges:true', seccomp=unconfined]",
         [](S& s) {
             s.security_opt = {"no-new-privileges=true", "seccomp=unconfined"};
         }},
        {"security_opt: [no-new-privileges, apparmor=unconfined, 'label:type:svirt_t', 'seccomp:builtin']",
         [](S& s) {
             s.security_opt = {"no-new-privileges", "apparmor=unconfined", "label=type:svirt_t", "seccomp=builtin"};
         }},
        {"extra_hosts: ['db:10.0.0.1', six=::1, 'seven:::2', 'eight=[::3]', 'gw:host-gateway']",
         [](S& s) {
             s.extra_hosts = {"db:10.0.0.1", "six:::1", "seven:::2", "eight:::3", "gw:host-gateway"};
         }},
        {"extra_hosts: {db: 10.0.0.1, two: [10.0.0.2, 10.0.0.3]}",
         [](S& s) {
             s.extra_hosts = {"db:10.0.0.1", "two:10.0.0.2", "two:10.0.0.3"};
         }},
        {"dns: 1.1.1.1", [](S& s) { s.dns = {"1.1.1.1"}; }},
        {"dns: [1.1.1.1, '::1']\ndns_search: example.org",
         [](S& s) {
             s.dns = {"1.1.1.1", "::1"};
             s.dns_search = {"example.org"};
         }},
        {"group_add: [audio, 1000]",
         [](S& s) {
             s.group_add = {"audio", "1000"};
         }},
        {"mem_limit: 512m", [](S& s) { s.mem_limit = 512 * kMiB; }},
        {"mem_limit: 1.5g", [](S& s) { s.mem_limit = 1536 * kMiB; }},
        {"mem_limit: 10485760", [](S& s) { s.mem_limit = 10 * kMiB; }},
        {"mem_limit: '64MB'\nmem_reservation: 32MiB\nmemswap_limit: 128 m",
         [](S& s) {
             s.mem_limit = 64 * kMiB;
             s.mem_reservation = 32 * kMiB;
             s.memswap_limit = 128 * kMiB;
         }},
        {"memswap_limit: -1", [](S& s) { s.memswap_limit = -1; }},
        {"shm_size: 64kb", [](S& s) { s.shm_size = 64 << 10; }},
        {"cpus: 0.5", [](S& s) { s.cpus = 0.5; }},
        {"cpus: '1.25'", [](S& s) { s.cpus = 1.25; }},
        {"cpus: 2", [](S& s) { s.cpus = 2; }},
        {"pids_limit: 100", [](S& s) { s.pids_limit = 100; }},
        {"pids_limit: -1", [](S& s) { s.pids_limit = -1; }},
        {"restart: 'no'", [](S&) {}},
        {"restart: no", [](S&) {}},
        {"restart: always", [](S& s) { s.restart = "always"; }},
        {"restart: unless-stopped", [](S& s) { s.restart = "unless-stopped"; }},
        {"restart: on-failure", [](S& s) { s.restart = "on-failure"; }},
        {"restart: on-failure:3", [](S& s) { s.restart = "on-failure:3"; }},
        {"pull_policy: always", [](S& s) { s.pull_policy = "always"; }},
        {"pull_policy: if_not_present", [](S& s) { s.pull_policy = "missing"; }},
        {"platform: linux/arm64", [](S& s) { s.platform = "linux/arm64"; }},
        {"logging: {driver: json-file, options: {max-size: 10m, max-file: 3}}",
         [](S& s) {
             s.logging_driver = "json-file";
             s.logging_options = {{"max-size", "10m"}, {"max-file", "3"}};
         }},
        {"logging: {driver: none}", [](S& s) { s.logging_driver = "none"; }},
        {"ulimits: {nofile: {soft: 10, hard: 20}, core: -1}",
         [](S& s) {
             s.ulimits = {{"core", -1, -1}, {"nofile", 10, 20}};
         }},
        {"sysctls: {net.core.somaxconn: 1024}",
         [](S& s) {
             s.sysctls = {{"net.core.somaxconn", "1024"}};
         }},
        {"sysctls: [kernel.shmmax=1]",
         [](S& s) {
             s.sysctls = {{"kernel.shmmax", "1"}};
         }},
        {"devices: [/dev/a, '/dev/b:/dev/c', '/dev/d:/dev/e:r', '/dev/f:rw', {source: /dev/g, target: /dev/h, "
         "permissions: m}]",
         [](S& s) {
             s.devices = {"/dev/a:/dev/a:rwm", "/dev/b:/dev/c:rwm", "/dev/d:/dev/e:r", "/dev/f:/dev/f:rw",
                          "/dev/g:/dev/h:m"};
         }},
        {"scale: 3", [](S& s) { s.replicas = 3; }},
        {"network_mode: host",
         [](S& s) {
             s.network_mode = "host";
             s.networks.clear();
         }},
        {"network_mode: none",
         [](S& s) {
             s.network_mode = "none";
             s.networks.clear();
         }},
        {"network_mode: container:other",
         [](S& s) {
             s.network_mode = "container:other";
             s.networks.clear();
         }},
        {"healthcheck: {test: curl -f http://x || exit 1}",
         [&](S& s) {
             health(s).test = {"CMD-SHELL", "curl -f http://x || exit 1"};
         }},
        {"healthcheck: {test: [CMD, curl, x]}",
         [&](S& s) {
             health(s).test = {"CMD", "curl", "x"};
         }},
        {"healthcheck: {test: [CMD-SHELL, curl x]}",
         [&](S& s) {
             health(s).test = {"CMD-SHELL", "curl x"};
         }},
        {"healthcheck: {test: [NONE]}",
         [&](S& s) {
             health(s).test = {"NONE"};
             health(s).disable = true;
         }},
        {"healthcheck: {test: NONE}",
         [&](S& s) {
             health(s).test = {"NONE"};
             health(s).disable = true;
         }},
        {"healthcheck: {disable: true, test: [CMD, a]}",
         [&](S& s) {
             health(s).test = {"NONE"};
             health(s).disable = true;
         }},
        {"healthcheck: {interval: 1m30s, timeout: 10s, retries: 3, start_period: 40s, start_interval: 500ms}",
         [&](S& s) {
             health(s).interval = 90s;
             health(s).timeout = 10s;
             health(s).retries = 3;
             health(s).start_period = 40s;
             health(s).start_interval = 500ms;
         }},
    };
    for (const Case& c : cases) {
        Service wanted = service("");
        c.change(wanted);
        EXPECT_EQ(canonical_text(service(c.body)), canonical_text(wanted)) << c.body;
        EXPECT_EQ(service(c.body), wanted) << c.body;
    }
}

TEST_F(ComposeServiceTest, EveryValueMayComeFromAVariable) {
    input.environment = {{"YES", "true"},     {"N", "3"},       {"SIZE", "8m"},  {"TIME", "5s"},
                         {"FRACTION", "0.5"}, {"MODE", "0400"}, {"PORT", "8080"}};
    Service s = service(
        "init: $YES\nscale: $N\nmem_limit: $SIZE\nstop_grace_period: $TIME\ncpus: $FRACTION\npids_limit: $N\n"
        "ports: ['${PORT}-8090:80', {target: $N}]\nhealthcheck: {retries: $N}\nulimits: {nofile: $N}");
    EXPECT_TRUE(s.init);
    EXPECT_EQ(s.replicas, 3);
    EXPECT_EQ(s.mem_limit, 8 * kMiB);
    EXPECT_EQ(s.stop_grace_period, 5s);
    EXPECT_EQ(s.cpus, 0.5);
    EXPECT_EQ(s.pids_limit, 3);
    EXPECT_EQ(s.ports[0], (Port{"", 8080, 8090, 80, "tcp"}));
    EXPECT_EQ(s.ports[1].target, 3);
    EXPECT_EQ(s.healthcheck->retries, 3);
    EXPECT_EQ(s.ulimits[0].soft, 3);
    EXPECT_EQ(service_error("init: ${NONE:-maybe}"),
              "compose.yaml:4: services.web.init: \"maybe\" is not true or false");
}

TEST_F(ComposeServiceTest, ASeccompProfileIsReadFromItsFile) {
    write("profile.json", "{\"a\": 1}");
    EXPECT_EQ(service("security_opt: ['seccomp:./profile.json']").security_opt, Strings{"seccomp={\"a\": 1}"});
    EXPECT_EQ(service_error("security_opt: [seccomp=none.json]"),
              "compose.yaml:4: services.web.security_opt[0]: none.json not found");
}

TEST_F(ComposeServiceTest, AProbeOfKedgesOwnIsRead) {
    auto probe = [&](const std::string& text) { return *service("x-kedge: {probe: " + text + "}").probe; };
    EXPECT_EQ(probe("{tcp: 5432}"), (Probe{"tcp", 5432, "/", 200, 399, {}}));
    EXPECT_EQ(probe("{http: 'http://:8080/health?x=1'}"), (Probe{"http", 8080, "/health?x=1", 200, 399, {}}));
    EXPECT_EQ(probe("{http: 'http://localhost'}"), (Probe{"http", 80, "/", 200, 399, {}}));
    EXPECT_EQ(probe("{http: {port: 80, path: /p, status: 204, headers: {Host: x}}}"),
              (Probe{"http", 80, "/p", 204, 204, {{"Host", "x"}}}));
    EXPECT_EQ(probe("{http: {port: 80, status: 200-299}}"), (Probe{"http", 80, "/", 200, 299, {}}));
    expect_service_errors({
        {"x-kedge: {probe: {}}", "4: services.web.x-kedge.probe: needs either http or tcp"},
        {"x-kedge: {probe: {tcp: 1, http: 'http://:1'}}", "4: services.web.x-kedge.probe: needs either http or tcp"},
        {"x-kedge: {probe: {tcp: 0}}", "4: services.web.x-kedge.probe.tcp: 0 is not between 1 and 65535"},
        {"x-kedge: {probe: {http: 'https://:1'}}",
         "4: services.web.x-kedge.probe.http: \"https://:1\" is not an address such as http://:8080/health"},
        {"x-kedge: {probe: {http: 'http://evil:1/'}}",
         "4: services.web.x-kedge.probe.http: \"evil\": a probe asks the service's own container, not other hosts"},
        {"x-kedge: {probe: {http: 'http://:x/'}}", "4: services.web.x-kedge.probe.http: \"x\" is not a whole number"},
        {"x-kedge: {probe: {http: \"http://:1/a\\r\\nb\"}}",
         "4: services.web.x-kedge.probe.http: \"/a\\x0d\\x0ab\" has blanks or control characters"},
        {"x-kedge: {probe: {http: {path: /}}}", "4: services.web.x-kedge.probe.http: port is missing"},
        {"x-kedge: {probe: {http: {port: 1, path: x}}}",
         "4: services.web.x-kedge.probe.http.path: \"x\" is not a path"},
        {"x-kedge: {probe: {http: {port: 1, status: 300-200}}}",
         "4: services.web.x-kedge.probe.http.status: 200 is not between 300 and 599"},
        {"x-kedge: {probe: {http: {port: 1, headers: {'a b': c}}}}",
         "4: services.web.x-kedge.probe.http.headers: \"a b\" is not a header"},
    });
}

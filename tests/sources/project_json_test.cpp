#include "base/error.h"
#include "sources/project.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <nlohmann/json.hpp>

using namespace kedge;
using namespace kedge::sources;
using namespace std::chrono_literals;

namespace {

/// Every field has a value of its own that isn't the default.
Service full_service() {
    Service s;
    s.name = "web";
    s.image = "app";
    s.command = {{"a", ""}};
    s.entrypoint = std::vector<std::string>{};
    s.environment = {{"A", "1"}, {"B", ""}};
    s.ports = {{"127.0.0.1", 8000, 8010, 80, "udp"}};
    s.volumes = {{"bind", "/a", "/b", true, true, true, "rslave", 5, 0700, "sha256:0", true}};
    s.networks = {{"n", {"x", "y"}, "10.0.0.1", -3, "fd00::1", "02:42:0a:05:00:07", "wan0", {{"o", "v"}}, 7}};
    s.network_mode = "host";
    s.depends_on = {{"db", "service_healthy", true, false}};
    s.healthcheck = Healthcheck{{"CMD", "x"}, 1s, 2s, 3s, 4s, 5, true};
    s.probe = Probe{"http", 80, "/p", 201, 299, {{"H", "v"}}};
    s.restart = "always";
    s.labels = {{"l", "v"}};
    s.user = "u";
    s.working_dir = "/w";
    s.hostname = "h";
    s.domainname = "d";
    s.container_name = "c";
    s.stop_signal = "INT";
    s.stop_grace_period = 0s;
    s.read_only = s.init = s.privileged = s.tty = s.stdin_open = true;
    s.tmpfs = {"/t"};
    s.cap_add = {"A"};
    s.cap_drop = {"B"};
    s.security_opt = {"C"};
    s.extra_hosts = {"D"};
    s.group_add = {"E"};
    s.dns = {"F"};
    s.dns_search = {"G"};
    s.devices = {"H"};
    s.sysctls = {{"s", "1"}};
    s.ulimits = {{"core", -1, INT64_MAX}};
    s.mem_limit = 1;
    s.memswap_limit = -1;
    s.mem_reservation = 2;
    s.shm_size = 3;
    s.cpus = 0.1;
    s.pids_limit = -1;
    s.pull_policy = "never";
    s.platform = "linux/arm";
    s.logging_options = {{"o", "v"}};
    s.logging_driver = "none";
    s.secrets = {{"s", "/t", "1", "2", 0}};
    s.configs = {{"c", "/u", "", "", std::nullopt}};
    s.replicas = 0;
    s.update_config = {2, 1s, "pause", 3s, 0.25, "start-first"};
    s.rollback_config = {0, 2s, "continue", 4s, 1, "start-first"};
    return s;
}

Project full_project() {
    Project p;
    p.name = "shop";
    p.directory = "/d";
    p.files = {"/d/compose.yaml"};
    p.services = {{"web", full_service()}, {"other", {}}};
    p.networks = {{"n",
                   {"n",
                    "shop_n",
                    true,
                    true,
                    "bridge",
                    "10.0.0.0/8",
                    "10.0.0.1",
                    {{"a", "b"}},
                    {{"c", "d"}},
                    true,
                    "fd00::/64",
                    "fd00::1",
                    false,
                    true,
                    "10.1.0.0/16",
                    "fd00::100/120",
                    {{"e", "10.0.0.9"}},
                    {{"f", "fd00::9"}}}}};
    p.volumes = {{"v", {"v", "shop_v", true, "local", {{"a", "b"}}, {{"c", "d"}}}}};
    p.secrets = {{"s", {"s", "/p", "", "sha256:1"}}};
    p.configs = {{"c", {"c", "", "text\n", "sha256:2"}}};
    return p;
}

/// How many leaves differ between two documents: keys that are missing in one count too.
size_t leaves(const nlohmann::json& j) {
    if (!j.is_structured() || j.empty()) return 1;
    size_t count = 0;
    for (const auto& child : j) count += leaves(child);
    return count;
}

}  // namespace

TEST(ProjectJson, EveryFieldComesBack) {
    Project project = full_project();
    EXPECT_EQ(project_from_json(to_json_text(project)), project);
    EXPECT_EQ(project_from_json(to_json_text(Project{})), Project{});
}

TEST(ProjectJson, EachFieldOfAServiceIsInTheText) {
    // Taken out of the text one by one, each must be missed by the value that is read again.
    nlohmann::json whole = nlohmann::json::parse(to_json_text(full_project()));
    const nlohmann::json service = whole["services"]["web"];
    EXPECT_GT(leaves(service), 80u);
    for (const auto& [key, value] : service.items()) {
        nlohmann::json without = whole;
        without["services"]["web"].erase(key);
        EXPECT_NE(project_from_json(without.dump()), full_project()) << key;
    }
}

TEST(ProjectJson, TheSameValueGivesTheSameTextAndWarningsAreNotPartOfIt) {
    Project project = full_project(), other = full_project();
    other.warnings = {"something"};
    EXPECT_EQ(project, other);
    EXPECT_EQ(to_json_text(project), to_json_text(other));
    other.services.at("web").environment["Z"] = "";
    EXPECT_NE(to_json_text(project), to_json_text(other));
    EXPECT_NE(canonical_text(project.services.at("web")), canonical_text(other.services.at("web")));
}

TEST(ProjectJson, AnyTextAndNumbersComeBack) {
    EXPECT_TRUE(rc::check([](const std::vector<unsigned char>& bytes, int64_t number, double fraction, uint16_t port) {
        std::string text;
        for (unsigned char c : bytes) text += c < 0x80 ? std::string(1, static_cast<char>(c)) : "é";
        Project project;
        Service& service = project.services[text];
        service.environment[text] = text;
        service.command = {{text, text}};
        service.mem_limit = number;
        service.cpus = fraction;
        service.ports.push_back({text, port, 0, port, "tcp"});
        service.stop_grace_period = Nanoseconds(number);
        project.configs[text].content = text;
        RC_ASSERT(project_from_json(to_json_text(project)) == project);
    }));
}

TEST(ProjectJson, DamagedTextIsAnErrorOrAProjectButNeverACrash) {
    std::string good = to_json_text(full_project());
    for (const char* text : {"", "null", "5", "[]", "{\"services\": 5}", "{\"services\": {\"a\": []}}", "{\"name\": 1}",
                             "{", "{\"services\": {\"a\": {\"ports\": [{\"target\": \"x\"}]}}}"}) {
        EXPECT_THROW(project_from_json(text), Error) << text;
    }
    EXPECT_TRUE(rc::check([&](unsigned place, char byte) {
        std::string text = good;
        text[place % text.size()] = byte;
        try {
            (void)project_from_json(text);
        } catch (const Error& e) {
            RC_ASSERT(e.code() == Code::invalid_argument);
        }
    }));
}

#include "base/error.h"
#include "runtime/container_spec.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace kedge::runtime {

namespace {

ContainerSpec full() {
    ContainerSpec s;
    s.name = "web";
    s.image = "sha256:abc";
    s.image_name = "web:1";
    s.entrypoint = std::vector<std::string>{"sh", "-c"};
    s.command = std::vector<std::string>{};
    s.environment = {"A=1", "B=\"quoted\" \xc3\xa4\n"};
    s.labels = {{"com.docker.compose.project", "p"}};
    s.user = "1000:1000";
    s.group_add = {"audio"};
    s.working_dir = "/w";
    s.hostname = "h";
    s.domainname = "d";
    s.stop_signal = "SIGINT";
    s.stop_timeout = 0;
    s.terminal_rows = 24;
    s.terminal_columns = 80;
    s.tty = s.open_stdin = s.stdin_once = s.init = s.read_only = s.privileged = s.auto_remove = s.publish_all = true;
    s.cap_add = {"NET_ADMIN"};
    s.cap_drop = {"ALL"};
    s.security_opt = {"no-new-privileges"};
    s.devices = {{"/dev/null", "/dev/x", "r"}};
    s.ulimits = {{"nofile", -1, 5}};
    s.sysctls = {{"net.ipv4.ip_forward", "1"}};
    s.extra_hosts = {"a:1.2.3.4"};
    s.dns = {"1.1.1.1"};
    s.dns_search = {"x"};
    s.dns_options = {"ndots:2"};
    s.device_rules = {"c 1:3 r"};
    s.volumes_from = {"c:ro"};
    s.uts_mode = s.cgroup_namespace = "host";
    s.cgroup_parent = "/x";
    s.annotations = {{"a", "b"}};
    s.fixed_limits = {{{"/dev/a", 10}}, {{"/dev/b", 1}}, {{"/dev/c", 2}}, {{"/dev/d", 3}}, {{"/dev/e", 4}}, 60, true};
    Mount mount;
    mount.type = Mount::Type::tmpfs;
    mount.source = "s";
    mount.target = "/t";
    mount.read_only = mount.no_copy = mount.create_host_path = true;
    mount.propagation = "rslave";
    mount.tmpfs_size = int64_t{1} << 40;
    mount.tmpfs_mode = 0700;
    mount.non_recursive = mount.read_only_top = true;
    mount.subpath = "a/b";
    mount.volume_labels = {{"k", "v"}};
    mount.tmpfs_options = {"exec"};
    s.mounts = {mount};
    s.ports = {{"127.0.0.1", 65535, 80, Protocol::udp}};
    s.network_mode = "host";
    s.networks = {{"front", {"a", "b"}, "10.0.0.2", 3, "02:00:00:00:00:01", {{"o", "p"}}}};
    s.pid_mode = "host";
    s.ipc_mode = "container:x";
    s.shm_size = 7;
    s.oom_score_adj = -5;
    s.restart = {RestartPolicy::Name::on_failure, 3};
    s.healthcheck = Healthcheck{{"CMD", "true"}, Nanoseconds(1), Nanoseconds(2), Nanoseconds(3), Nanoseconds(4), 5};
    s.resources = {1, -1, 3, 4, 50, 60, 5, "0-1", "0", 7, 8};
    s.log = {"none", {{"max-size", "1m"}}};
    return s;
}

}  // namespace

TEST(ContainerSpecJson, EveryFieldComesBack) {
    ContainerSpec spec = full();
    EXPECT_EQ(container_spec_from_json(to_json_text(spec)), spec);
    EXPECT_EQ(container_spec_from_json(to_json_text(ContainerSpec{})), ContainerSpec{});
}

TEST(ContainerSpecJson, AModeOfATmpfsThatWasNotGivenIsNotGivenLater) {
    for (std::optional<uint32_t> mode : {std::optional<uint32_t>(), {01777u}, {0u}, {0700u}}) {
        ContainerSpec spec;
        spec.mounts.emplace_back().tmpfs_mode = mode;
        EXPECT_EQ(container_spec_from_json(to_json_text(spec)).mounts.at(0).tmpfs_mode, mode);
    }
}

TEST(ContainerSpecJson, EveryFieldMakesADifference) {
    // One field at a time from the full one into an empty one: the text changes with each, so none is left out.
    nlohmann::json all = nlohmann::json::parse(to_json_text(full())),
                   none = nlohmann::json::parse(to_json_text(ContainerSpec{}));
    EXPECT_EQ(all.size(), 53u) << "a new field belongs into full() above";
    for (const auto& [key, value] : all.items()) {
        nlohmann::json one = none;
        one[key] = value;
        ContainerSpec spec = container_spec_from_json(one.dump());
        EXPECT_NE(spec, ContainerSpec{}) << key;
        EXPECT_EQ(nlohmann::json::parse(to_json_text(spec)), one) << key;
    }
}

TEST(ContainerSpecJson, TheSameValueGivesTheSameText) {
    EXPECT_EQ(to_json_text(full()), to_json_text(full()));
    ContainerSpec other = full();
    other.ports[0].host_port = 1;
    EXPECT_NE(to_json_text(other), to_json_text(full()));
}

TEST(ContainerSpecJson, AnEmptyListIsNotTheSameAsNone) {
    ContainerSpec none, empty;
    empty.command = std::vector<std::string>{};
    EXPECT_FALSE(container_spec_from_json(to_json_text(none)).command);
    EXPECT_TRUE(container_spec_from_json(to_json_text(empty)).command);
}

TEST(ContainerSpecJson, ATextOfAnOtherVersionIsReadAsFarAsItGoes) {
    ContainerSpec spec = container_spec_from_json(R"({"image":"x","of_the_future":{"a":1}})");
    EXPECT_EQ(spec.image, "x");
    EXPECT_EQ(spec.log.driver, "json-file") << "what is missing is as if it had not been asked for";
}

TEST(ContainerSpecJson, ADamagedTextIsAnErrorAndNoCrash) {
    std::string whole = to_json_text(full());
    for (const std::string& text :
         {std::string(), std::string("nonsense"), std::string("[]"), std::string("5"), std::string(R"({"image":5})"),
          std::string(R"({"tty":"yes"})"), std::string(R"({"mounts":{}})"), whole.substr(0, whole.size() / 2)}) {
        try {
            (void)container_spec_from_json(text);
            ADD_FAILURE() << text;
        } catch (const Error& e) {
            EXPECT_EQ(e.code(), Code::invalid_argument) << text;
        }
    }
}

TEST(ContainerSpecJson, BytesThatAreNoTextAreReplacedAndDoNotThrow) {
    ContainerSpec spec;
    spec.environment = {"A=\xff\xfe"};
    EXPECT_NO_THROW((void)container_spec_from_json(to_json_text(spec)));
}

}  // namespace kedge::runtime

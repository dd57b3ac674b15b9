#include "api/docker_json.h"
#include "api/json_body.h"
#include "base/error.h"
#include "runtime/container_spec.h"
#include "runtime/system_paths.h"

#include <gtest/gtest.h>

namespace kedge::api {
namespace {

using nlohmann::json;
using runtime::ContainerSpec;
using runtime::Mount;

ContainerSpec spec_of(json body) {
    if (!body.contains("Image")) body["Image"] = "busybox";
    return container_spec(Fields(body, ""));
}

ContainerSpec host(const json& config) {
    return spec_of({{"HostConfig", config}});
}

std::string refusal(const json& body) {
    try {
        spec_of(body);
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), Code::invalid_argument) << error.what();
        return error.what();
    }
    ADD_FAILURE() << "was taken: " << body;
    return {};
}

/// What `docker run busybox` (28) and docker-py (5 and 7) send without being asked for anything.
const char* const kDockerRun =
    R"({"Hostname":"","Domainname":"","User":"","AttachStdin":false,"AttachStdout":true,"AttachStderr":true,"Tty":false,
"OpenStdin":false,"StdinOnce":false,"Env":null,"Cmd":null,"Image":"busybox","Volumes":{},"WorkingDir":"","Entrypoint":null,"OnBuild":null,
"Labels":{},"HostConfig":{"Binds":null,"ContainerIDFile":"","LogConfig":{"Type":"","Config":{}},"NetworkMode":"bridge","PortBindings":{},
"RestartPolicy":{"Name":"no","MaximumRetryCount":0},"AutoRemove":false,"VolumeDriver":"","VolumesFrom":null,"ConsoleSize":[24,80],
"CapAdd":null,"CapDrop":null,"CgroupnsMode":"","Dns":[],"DnsOptions":[],"DnsSearch":[],"ExtraHosts":null,"GroupAdd":null,"IpcMode":"",
"Cgroup":"","Links":null,"OomScoreAdj":0,"PidMode":"","Privileged":false,"PublishAllPorts":false,"ReadonlyRootfs":false,"SecurityOpt":null,
"UTSMode":"","UsernsMode":"","ShmSize":0,"Isolation":"","CpuShares":0,"Memory":0,"NanoCpus":0,"CgroupParent":"","BlkioWeight":0,
"BlkioWeightDevice":[],"BlkioDeviceReadBps":[],"BlkioDeviceWriteBps":[],"BlkioDeviceReadIOps":[],"BlkioDeviceWriteIOps":[],"CpuPeriod":0,
"CpuQuota":0,"CpuRealtimePeriod":0,"CpuRealtimeRuntime":0,"CpusetCpus":"","CpusetMems":"","Devices":[],"DeviceCgroupRules":null,
"DeviceRequests":null,"MemoryReservation":0,"MemorySwap":0,"MemorySwappiness":-1,"OomKillDisable":false,"PidsLimit":0,"Ulimits":[],
"CpuCount":0,"CpuPercent":0,"IOMaximumIOps":0,"IOMaximumBandwidth":0,"MaskedPaths":null,"ReadonlyPaths":null},
"NetworkingConfig":{"EndpointsConfig":{"bridge":{"IPAMConfig":null,"Links":null,"Aliases":null,"MacAddress":"","DriverOpts":null,"NetworkID":"",
"EndpointID":"","Gateway":"","IPAddress":"","IPPrefixLen":0,"IPv6Gateway":"","GlobalIPv6Address":"","GlobalIPv6PrefixLen":0,"DNSNames":null}}}})";

TEST(DockerCreate, WhatClientsSendByDefaultIsTheDefault) {
    ContainerSpec plain;
    plain.image = "busybox";
    plain.networks = {{"bridge", {}, {}}};
    EXPECT_EQ(spec_of(json::parse(kDockerRun)), plain);
    EXPECT_EQ(spec_of(json::object()), plain);
    EXPECT_EQ(spec_of({{"HostConfig", nullptr},
                       {"NetworkingConfig", nullptr},
                       {"NetworkDisabled", false},
                       {"Healthcheck", nullptr},
                       {"MacAddress", nullptr},
                       {"StopSignal", nullptr},
                       {"Shell", nullptr},
                       {"Env", json::array()}}),
              plain);
}

TEST(DockerCreate, ReadsWhatPeopleAskFor) {
    ContainerSpec spec = spec_of(json::parse(
        R"({"Image":"i","Cmd":["a","b"],"Entrypoint":"e","Env":["A=1"],"Labels":{"l":"v"},"User":"u","WorkingDir":"/w",
        "Hostname":"h","StopSignal":"INT","StopTimeout":3,"Tty":true,"OpenStdin":true,"Volumes":{"/v":{}},
        "Healthcheck":{"Test":["CMD","x"],"Interval":1000000000,"Retries":2},"HostConfig":{"Memory":8388608,"NanoCpus":500000000,"PidsLimit":-1,
        "RestartPolicy":{"Name":"on-failure","MaximumRetryCount":3},"CapAdd":["NET_ADMIN"],"Privileged":true,"ReadonlyRootfs":true,"Init":true,
        "PortBindings":{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"},{}],"53/udp":null},"NetworkMode":"front","Tmpfs":{"/t":"size=1m,mode=700,ro"},
        "Ulimits":[{"Name":"nofile","Soft":1,"Hard":2}],"Devices":[{"PathOnHost":"/dev/null"}],"LogConfig":{"Type":"json-file","Config":{"max-size":"1m"}},
        "UsernsMode":"host","Runtime":"kedge","CgroupnsMode":"private","IpcMode":"private","Isolation":"default"},
        "NetworkingConfig":{"EndpointsConfig":{"front":{"Aliases":["web"],"IPAMConfig":{"IPv4Address":"10.0.0.9"}},"back":null}}})"));
    EXPECT_EQ(spec.command, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(spec.entrypoint, std::vector<std::string>{"e"});
    EXPECT_EQ(spec.stop_timeout, 3);
    EXPECT_EQ(spec.healthcheck->interval, std::chrono::seconds(1));
    EXPECT_EQ(spec.resources.nano_cpus, 500'000'000);
    EXPECT_EQ(spec.resources.pids_limit, 0);
    EXPECT_EQ(spec.restart.maximum_retries, 3);
    ASSERT_EQ(spec.ports.size(), 2u);
    EXPECT_EQ(spec.ports[0], (runtime::PortBinding{"127.0.0.1", 8080, 80, runtime::Protocol::tcp}));
    EXPECT_EQ(spec.ports[1].host_port, 0) << "any port";
    ASSERT_EQ(spec.networks.size(), 2u);
    EXPECT_EQ(spec.networks[0], (runtime::NetworkAttachment{"front", {"web"}, "10.0.0.9"}));
    ASSERT_EQ(spec.mounts.size(), 2u);
    EXPECT_EQ(spec.mounts[0].tmpfs_size, 1 << 20);
    EXPECT_EQ(spec.mounts[0].tmpfs_mode, 0700u);
    EXPECT_EQ(spec.devices[0].container_path, "/dev/null");
    EXPECT_EQ(spec.devices[0].permissions, "rwm");
}

TEST(DockerCreate, AnEmptyEntrypointTakesTheImagesAway) {
    EXPECT_FALSE(spec_of({{"Entrypoint", nullptr}}).entrypoint);
    EXPECT_EQ(spec_of({{"Entrypoint", json::array()}}).entrypoint, std::vector<std::string>{});
    EXPECT_EQ(spec_of({{"Entrypoint", {""}}}).entrypoint, std::vector<std::string>{""});
}

TEST(DockerCreate, TakesWhatInspectSaysOfAnImageAndNamesInAnyCase) {
    const ContainerSpec spec = spec_of({{"cmd", {"true"}},
                                        {"Shell", {"/bin/bash", "-c"}},
                                        {"OnBuild", {"RUN true"}},
                                        {"hostconfig", {{"binds", {"/a:/b"}}}}});
    EXPECT_EQ(spec.command, std::vector<std::string>{"true"});
    EXPECT_EQ(spec.mounts.size(), 1u);
}

TEST(DockerCreate, BindsAreReadInAllTheirForms) {
    Mount bind = host({{"Binds", {"/a:/b:ro,rshared"}}}).mounts.at(0);
    EXPECT_EQ(bind.type, Mount::Type::bind);
    EXPECT_TRUE(bind.read_only && bind.create_host_path);
    EXPECT_EQ(bind.propagation, "rshared");
    Mount volume = host({{"Binds", {"data:/b:nocopy,Z"}}}).mounts.at(0);
    EXPECT_EQ(volume.type, Mount::Type::volume);
    EXPECT_EQ(volume.source, "data");
    EXPECT_TRUE(volume.no_copy && !volume.create_host_path);
    Mount anonymous = host({{"Binds", {"/data"}}}).mounts.at(0);
    EXPECT_EQ(anonymous.type, Mount::Type::volume);
    EXPECT_EQ(anonymous.source + ">" + anonymous.target, ">/data");
    for (const char* bad :
         {"", ":", "a:", ":/b", "/a:/b:", "/a:/b:ro:x", "/a:/b:maybe", "/a:/b:,", "/a::ro", "/a:/b:xprivate"}) {
        EXPECT_FALSE(refusal({{"HostConfig", {{"Binds", {bad}}}}}).empty()) << bad;
    }
}

TEST(DockerCreate, BindsThatContradictThemselvesAreRefusedInDockersWords) {
    auto said = [](const std::string& bind) { return refusal({{"HostConfig", {{"Binds", {bind}}}}}); };
    for (const char* mode : {"ro,rw", "rw,rw", "z,Z", "nocopy,nocopy", "rshared,rslave", "consistent,cached", "ro,foo",
                             ",ro", "ro,", "RO", "unbindable"}) {
        EXPECT_EQ(said(std::string("data:/x:") + mode), std::string("invalid mode: ") + mode);
        EXPECT_EQ(said(std::string("/srv:/x:") + mode), std::string("invalid mode: ") + mode);
    }
    EXPECT_EQ(said("/srv:/x:ro,nocopy"),
              "invalid volume specification: '/srv:/x:ro,nocopy': invalid mount config for "
              "type \"bind\": field VolumeOptions must not be specified");
    EXPECT_EQ(said("data:/x:rshared"),
              "invalid volume specification: 'data:/x:rshared': invalid mount config for type "
              "\"volume\": field BindOptions must not be specified");
    EXPECT_TRUE(host({{"Binds", {"data:/x:cached,z,nocopy,ro"}}}).mounts.at(0).read_only);
}

TEST(DockerCreate, OptionsOfATmpfsKeepTheirOrder) {
    auto tmpfs = [](const char* options) { return host({{"Tmpfs", {{"/t", options}}}}).mounts.at(0); };
    EXPECT_EQ(tmpfs("exec,noexec,nosuid").tmpfs_options, (std::vector<std::string>{"exec", "noexec", "nosuid"}));
    EXPECT_FALSE(tmpfs("ro,rw").read_only);
    EXPECT_TRUE(tmpfs("rw,ro").read_only);
    EXPECT_FALSE(tmpfs("").tmpfs_mode);
    EXPECT_EQ(tmpfs("mode=0700,mode=0").tmpfs_mode, 0u);
    EXPECT_EQ(tmpfs("size=1m,size=50%").tmpfs_size, 0);
    EXPECT_EQ(tmpfs("size=1m,size=50%").tmpfs_options, std::vector<std::string>{"size=50%"});
    EXPECT_EQ(tmpfs("size=50%,size=1m").tmpfs_size, 1 << 20);
    EXPECT_TRUE(tmpfs("size=50%,size=1m").tmpfs_options.empty());
}

TEST(DockerCreate, MountsAreReadInAllTheirForms) {
    auto mount = [](const json& value) { return host({{"Mounts", json::array({value})}}).mounts.at(0); };
    EXPECT_FALSE(
        mount({{"Type", "bind"}, {"Source", "/a"}, {"Target", "/b"}, {"Consistency", "cached"}}).create_host_path);
    EXPECT_TRUE(
        mount({{"Type", "bind"}, {"Source", "/a"}, {"Target", "/b"}, {"BindOptions", {{"CreateMountpoint", true}}}})
            .create_host_path);
    EXPECT_TRUE(mount({{"Type", "volume"},
                       {"Target", "/b"},
                       {"VolumeOptions", {{"NoCopy", true}, {"DriverConfig", {{"Name", "local"}}}}}})
                    .no_copy);
    EXPECT_EQ(
        mount({{"Type", "tmpfs"}, {"Target", "/b"}, {"TmpfsOptions", {{"SizeBytes", 5}, {"Mode", 0700}}}}).tmpfs_mode,
        0700u);
    const Mount bind = mount({{"Type", "bind"},
                              {"ReadOnly", true},
                              {"BindOptions", {{"NonRecursive", true}, {"ReadOnlyNonRecursive", true}}}});
    EXPECT_TRUE(bind.non_recursive && bind.read_only_top);
    const Mount part = mount(
        {{"Type", "volume"}, {"Source", "data"}, {"VolumeOptions", {{"Subpath", "a/b"}, {"Labels", {{"k", "v"}}}}}});
    EXPECT_EQ(part.subpath, "a/b");
    EXPECT_EQ(part.volume_labels.at("k"), "v");
    const Mount made = mount(
        {{"Type", "volume"}, {"VolumeOptions", {{"DriverConfig", {{"Name", "local"}, {"Options", {{"o", "ro"}}}}}}}});
    EXPECT_EQ(made.volume_options.at("o"), "ro");
    const Mount image = mount({{"Type", "image"}, {"Source", "i:1"}, {"ImageOptions", {{"Subpath", "etc"}}}});
    EXPECT_EQ(image.type, Mount::Type::image);
    EXPECT_EQ(image.source + "/" + image.subpath, "i:1/etc");
    const json options = json::array({json::array({"exec"}), json::array({"uid", "5"})});
    EXPECT_EQ(mount({{"Type", "tmpfs"}, {"TmpfsOptions", {{"Options", options}}}}).tmpfs_options,
              (std::vector<std::string>{"exec", "uid=5"}));
    for (const json& bad :
         json{json{{"Type", "npipe"}}, json{{"Target", "/b"}},
              json{{"Type", "tmpfs"}, {"TmpfsOptions", {{"Mode", 010000}}}},
              json{{"Type", "tmpfs"}, {"TmpfsOptions", {{"Mode", -1}}}},
              json{{"Type", "volume"}, {"BindOptions", {{"Propagation", "shared"}}}},
              json{{"Type", "tmpfs"}, {"VolumeOptions", {{"NoCopy", true}}}},
              json{{"Type", "tmpfs"}, {"TmpfsOptions", {{"Options", json::array({"exec"})}}}},
              json{{"Type", "image"}, {"VolumeOptions", json::object()}},
              json{{"Type", "image"}, {"ImageOptions", {{"New", 1}}}},
              json{{"Type", "volume"}, {"VolumeOptions", {{"DriverConfig", {{"Options", {1}}}}}}},
              json{{"Type", "bind"}, {"BindOptions", {{"ReadOnlyForceRecursive", true}}}},
              json{{"Type", "bind"}, {"BindOptions", {{"New", true}}}}, json{{"Type", "bind"}, {"New", "x"}}}) {
        EXPECT_FALSE(refusal({{"HostConfig", {{"Mounts", json::array({bad})}}}}).empty()) << bad;
    }
}

TEST(DockerCreate, AnEmptyListOfMaskedPathsIsNotTheDefault) {
    auto shown = [](const json& config) {
        const json all = host_config_json(host(config));
        return std::pair(all.at("MaskedPaths"), all.at("ReadonlyPaths"));
    };
    const json masked = shown(json::object()).first, fixed = shown(json::object()).second;
    EXPECT_NE(std::find(masked.begin(), masked.end(), "/proc/kcore"), masked.end()) << masked;
    EXPECT_EQ(fixed, json({"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}));
    EXPECT_EQ(shown({{"MaskedPaths", nullptr}, {"ReadonlyPaths", nullptr}}), std::pair(masked, fixed));
    EXPECT_EQ(shown({{"MaskedPaths", json::array()}}), std::pair(json::array(), fixed));
    EXPECT_EQ(shown({{"ReadonlyPaths", {"/etc"}}}), std::pair(masked, json({"/etc"})));
    EXPECT_EQ(shown({{"Privileged", true}}), std::pair(json(), json()));
    EXPECT_EQ(shown({{"Privileged", true}, {"MaskedPaths", {"/a"}}}), std::pair(json({"/a"}), json()));
    EXPECT_FALSE(refusal({{"HostConfig", {{"MaskedPaths", {1}}}}}).empty());
}

TEST(DockerCreate, WhatKedgeHasNotIsRefusedByName) {
    const json asked = {{"CpuRealtimePeriod", 1000}, {"KernelMemory", 1 << 20}, {"CpuPercent", 5},
                        {"Isolation", "hyperv"},     {"IOMaximumIOps", 5},      {"SomethingOfTomorrow", true}};
    for (const auto& [key, value] : asked.items()) {
        EXPECT_NE(refusal({{"HostConfig", {{key, value}}}}).find("HostConfig." + key), std::string::npos) << key;
    }
    const std::pair<json, const char*> in_dockers_words[] = {
        {{{"Links", {"a:b"}}}, "links are not supported by kedge"},
        {{{"UsernsMode", "remap"}}, "invalid user namespace mode: remap"},
        {{{"StorageOpt", {{"size", "1g"}}}},
         "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"},
        {{{"DeviceRequests", json::array({{{"Count", -1}, {"Capabilities", json::array({json::array({"gpu"})})}}})}},
         "could not select device driver \"\" with capabilities: [[gpu]]"},
        {{{"Runtime", "runsc"}}, "unknown or invalid runtime name: runsc"},
        {{{"VolumeDriver", "nfs"}}, "error looking up volume plugin nfs: plugin \"nfs\" not found"}};
    for (const auto& [config, words] : in_dockers_words) EXPECT_EQ(refusal({{"HostConfig", config}}), words);
    const json top = {{"MacAddress", "02:00:00:00:00:01"}, {"NetworkDisabled", true}, {"New", 1}};
    for (const auto& [key, value] : top.items()) {
        EXPECT_NE(refusal({{key, value}}).find(key), std::string::npos);
    }
    for (const json& endpoint :
         json{json{{"Links", {"a"}}}, json{{"DriverOpts", {{"a", 1}}}}, json{{"MacAddress", 2}}}) {
        EXPECT_FALSE(refusal({{"NetworkingConfig", {{"EndpointsConfig", {{"front", endpoint}}}}}}).empty()) << endpoint;
    }
}

TEST(DockerCreate, ReadsNamespacesLimitsOfDevicesAndTheRest) {
    const auto device = [](const char* key, int64_t value) {
        return json::array({{{"Path", "/dev/sda"}, {key, value}}});
    };
    ContainerSpec spec = host({{"ShmSize", 1 << 20},
                               {"VolumesFrom", {"c:ro"}},
                               {"CgroupParent", "/x"},
                               {"UTSMode", "host"},
                               {"CgroupnsMode", "host"},
                               {"IpcMode", "shareable"},
                               {"DeviceCgroupRules", {"c 1:3 mr"}},
                               {"BlkioWeightDevice", device("Weight", 50)},
                               {"BlkioDeviceReadBps", device("Rate", 1)},
                               {"BlkioDeviceWriteBps", device("Rate", 2)},
                               {"BlkioDeviceReadIOps", device("Rate", 3)},
                               {"BlkioDeviceWriteIOps", device("Rate", 4)},
                               {"MemorySwappiness", 0},
                               {"OomKillDisable", true},
                               {"DnsOptions", {"ndots:1"}},
                               {"Annotations", {{"a", "b"}}}});
    EXPECT_EQ(spec.volumes_from, std::vector<std::string>{"c:ro"});
    EXPECT_EQ(spec.cgroup_parent + spec.uts_mode + spec.cgroup_namespace + spec.ipc_mode, "/xhosthostshareable");
    EXPECT_EQ(spec.device_rules, std::vector<std::string>{"c 1:3 mr"});
    const std::vector<runtime::DeviceLimit> one = {{"/dev/sda", 1}}, four = {{"/dev/sda", 4}};
    EXPECT_EQ(spec.fixed_limits.weights.at(0).value, 50);
    EXPECT_EQ(spec.fixed_limits.read_bytes, one);
    EXPECT_EQ(spec.fixed_limits.write_bytes.at(0).value, 2);
    EXPECT_EQ(spec.fixed_limits.read_operations.at(0).value, 3);
    EXPECT_EQ(spec.fixed_limits.write_operations, four);
    EXPECT_EQ(spec.fixed_limits.swappiness, 0);
    EXPECT_TRUE(spec.fixed_limits.oom_kill_disable);
    EXPECT_EQ(spec.dns_options, std::vector<std::string>{"ndots:1"});
    EXPECT_EQ(spec.annotations.at("a"), "b");
    EXPECT_EQ(host({{"IpcMode", "private"}, {"CgroupnsMode", "private"}}), host(json::object()));
    const json shown = host_config_json(spec);
    spec.masked_paths = runtime::masked_paths(spec);  // by default, and then by name
    spec.readonly_paths = runtime::readonly_paths(spec);
    EXPECT_EQ(host(shown), spec) << "what is shown makes the same container again";
}

TEST(DockerCreate, EveryMemberOfAnotherTypeIsRefusedNotMisread) {
    json whole = json::parse(kDockerRun);
    whole["StopSignal"] = "";
    whole["StopTimeout"] = whole["MacAddress"] = nullptr;
    whole["Healthcheck"] = {{"Test", nullptr},  {"Interval", 0},      {"Timeout", 0},
                            {"StartPeriod", 0}, {"StartInterval", 0}, {"Retries", 0}};
    // An object with something in it is right nowhere but where maps of anything are.
    const json wrong = {{"wrong", {{"deep", 1}}}};
    auto try_all = [&](json::json_pointer at) {
        for (const auto& [key, value] : whole[at].items()) {
            bool ignored = key == "AttachStdin" || key == "AttachStdout" || key == "AttachStderr" ||
                           key == "ContainerIDFile" || key == "Volumes" || key == "ExposedPorts";
            if (ignored) continue;
            json body = whole;
            body[at / key] = wrong;
            EXPECT_FALSE(refusal(body).empty()) << key;
        }
    };
    for (const char* at : {"", "/HostConfig", "/HostConfig/RestartPolicy", "/HostConfig/LogConfig", "/Healthcheck"})
        try_all(json::json_pointer(at));
}

TEST(DockerCreate, AStandardInputMayEndWithTheFirstOrStayOpen) {
    EXPECT_TRUE(spec_of({{"OpenStdin", true}}).open_stdin);
    EXPECT_FALSE(spec_of({{"AttachStdin", true}}).open_stdin) << "Docker ignores it too, then";
    EXPECT_TRUE(spec_of({{"OpenStdin", true}, {"StdinOnce", true}}).stdin_once);
    EXPECT_FALSE(spec_of({{"StdinOnce", true}}).stdin_once);
}

TEST(DockerCreate, OddValuesAreRefused) {
    for (const json& body :
         json{json{{"Image", ""}}, json{{"Cmd", {1}}}, json{{"Env", json{{"A", "b"}}}},
              json{{"Healthcheck", {{"Retries", -1}}}}, json{{"Healthcheck", {{"Retries", 1e9}}}},
              json{{"HostConfig", {{"PortBindings", {{"80/sctp", json::array({json::object()})}}}}}},
              json{{"HostConfig", {{"PortBindings", {{"x", json::array({json::object()})}}}}}},
              json{{"HostConfig", {{"PortBindings", {{"80", json::array({json{{"HostPort", "70000"}}})}}}}}},
              json{{"HostConfig", {{"PortBindings", {{"80", json::array({json{{"HostPort", "1-2"}}})}}}}}},
              json{{"HostConfig", {{"PortBindings", {{"80", json::array({json{{"HostPort", 80}}})}}}}}},
              json{{"HostConfig", {{"RestartPolicy", {{"Name", "sometimes"}}}}}},
              json{{"HostConfig", {{"RestartPolicy", {{"Name", "always"}, {"MaximumRetryCount", 1}}}}}},
              json{{"HostConfig", {{"Memory", 1.5}}}}, json{{"HostConfig", {{"Memory", uint64_t{1} << 63}}}},
              json{{"HostConfig", {{"Tmpfs", {{"/t", "size=x"}}}}}},
              json{{"HostConfig", {{"Tmpfs", {{"/t", "mode=999"}}}}}},
              json{{"HostConfig", {{"Tmpfs", {{"/t", "size=99999999999999999999g"}}}}}}}) {
        EXPECT_FALSE(refusal(body).empty()) << body;
    }
    EXPECT_EQ(host({{"OomScoreAdj", 999'999}}).oom_score_adj, 999'999) << "left to the engine to refuse";
}

}  // namespace
}  // namespace kedge::api

#include "tests/runtime/oci/oci_fixture.h"

#include <fmt/format.h>

namespace kedge::oci {
namespace {

TEST_F(OciTest, ErrorsNameThePlaceInTheFile) {
    struct Case {
        Json::json_pointer at;
        Json value;
        const char* said;
    };
    const Json configuration = config_;
    const Case cases[] = {
        {"/ociVersion"_json_pointer, "2.0.0", "config.json: ociVersion: version 2.0.0 is not supported"},
        {"/ociVersion"_json_pointer, 1, "config.json: ociVersion: must be a string"},
        {"/process/args/0"_json_pointer, 5, "config.json: process.args[0]: must be a string, not number"},
        {"/process/args"_json_pointer, Json::array(), "config.json: process.args: is empty"},
        {"/process/cwd"_json_pointer, "tmp", "config.json: process.cwd: \"tmp\" is not an absolute path"},
        {"/process/user/uid"_json_pointer, -1, "config.json: process.user.uid: -1 is not between"},
        {"/process/user/uid"_json_pointer, 1.5, "config.json: process.user.uid: must be a whole number"},
        {"/process/env"_json_pointer, "A=b", "config.json: process.env: must be an array"},
        {"/process/rlimits/0/type"_json_pointer, "RLIMIT_NONE", "process.rlimits[0].type: \"RLIMIT_NONE\""},
        {"/process/rlimits/1"_json_pointer, configuration["process"]["rlimits"][0], "process.rlimits[1].type:"},
        {"/process/selinuxLabel"_json_pointer, "x:y:z", "process.selinuxLabel: SELinux is not supported"},
        {"/process/oomScoreAdj"_json_pointer, 5000, "process.oomScoreAdj: 5000 is not between"},
        {"/root/path"_json_pointer, "", "config.json: root.path: is empty"},
        {"/root/path"_json_pointer, "/", "root.path: \"/\" is the root of this machine"},
        {"/root/path"_json_pointer, "nosuch", "root.path: \"nosuch\": no such file"},
        {"/mounts/0/options"_json_pointer, {1}, "config.json: mounts[0].options[0]: must be a string"},
        {"/mounts/0/destination"_json_pointer, "/", "mounts[0].destination: is the root itself"},
        {"/linux/namespaces/0/type"_json_pointer, "nosuch", "linux.namespaces[0].type: \"nosuch\" is not a namespace"},
        {"/linux/namespaces/6"_json_pointer, {{"type", "pid"}}, "linux.namespaces[6].type: \"pid\" is given twice"},
        {"/linux/namespaces"_json_pointer, Json::array(), "linux.namespaces: there has to be one of type \"mount\""},
        {"/linux/namespaces/0/path"_json_pointer, "/proc/self/ns/net", "is not a namespace of this type"},
        {"/linux/uidMappings"_json_pointer, {{{"containerID", 0}, {"hostID", 1}, {"size", 1}}}, "linux.gidMappings"},
        {"/linux/cgroupsPath"_json_pointer, "/../x", "linux.cgroupsPath: \"/../x\" has .. in it"},
        {"/linux/cgroupsPath"_json_pointer, "a.slice:b:c", "linux.cgroupsPath"},
        {"/linux/maskedPaths/0"_json_pointer, "proc", "linux.maskedPaths[0]: \"proc\" is not an absolute path"},
        {"/linux/sysctl"_json_pointer, {{"kernel.panic", "1"}}, "sysctl 'kernel.panic=1' is not allowed"},
        {"/linux/seccomp"_json_pointer, {{"defaultAction", "SCMP_ACT_NOTIFY"}}, "SCMP_ACT_NOTIFY can't be the default"},
        {"/linux/seccomp"_json_pointer,
         {{"defaultAction", "SCMP_ACT_ALLOW"}, {"defaultErrnoRet", 1}},
         "linux.seccomp.defaultErrnoRet: SCMP_ACT_ALLOW has no error number"},
        {"/linux/intelRdt"_json_pointer, Json::object(), "linux.intelRdt: Intel RDT is not supported"},
        {"/linux/memoryPolicy"_json_pointer, {{"mode", "MPOL_BIND"}}, "linux.memoryPolicy"},
        {"/linux/netDevices"_json_pointer, {{"eth0", Json::object()}}, "linux.netDevices"},
        {"/linux/mountLabel"_json_pointer, "x", "linux.mountLabel: SELinux is not supported"},
        {"/linux/timeOffsets"_json_pointer, {{"boottime", {{"secs", 1}}}}, "linux.timeOffsets: is given without"},
        {"/linux/devices"_json_pointer, {{{"path", "dev/x"}, {"type", "c"}}}, "linux.devices[0].path"},
        {"/linux/resources/pids"_json_pointer,
         {{"limit", "many"}},
         "linux.resources.pids.limit: must be a whole number"},
        {"/linux/resources/unified"_json_pointer, {{"../x", "1"}}, "linux.resources.unified[\"../x\"]"},
        {"/linux/resources/unified"_json_pointer, {{"cgroup.procs", "1"}}, "is not a file of a controller"},
        {"/hooks"_json_pointer, {{"poststop", {{{"path", "x"}}}}}, "hooks.poststop[0].path: \"x\" is not an absolute"},
        {"/annotations"_json_pointer, {{"a", 1}}, "config.json: annotations[\"a\"]: must be a string"},
        {"/vm"_json_pointer, Json::object(), "config.json: vm: virtual machines are not supported"},
    };
    for (const Case& one : cases) {
        SCOPED_TRACE(one.at.to_string() + " = " + one.value.dump());
        config_ = configuration;
        config_[one.at] = one.value;
        const std::string said = refusal();
        EXPECT_NE(said.find(one.said), std::string::npos) << said;
    }
}

TEST_F(OciTest, UnknownPropertiesArePassedOver) {
    config_["x-new"] = {{"a", 1}};
    config_["linux"]["newThing"] = true;
    EXPECT_EQ(print("echo fine"), "fine\n");
}

TEST_F(OciTest, WhatIsNoConfigurationIsRefused) {
    for (const std::string& text :
         {std::string(), std::string("{"), std::string("[]"), std::string("null"),
          std::string("{\"ociVersion\": \"1.0.0\\u0000\"}"), std::string("\xff\xfe{}"), std::string(100000, '[')}) {
        write_text(text);
        const std::string said = refusal_of_file();
        EXPECT_NE(said.find("config.json"), std::string::npos) << said;
    }
    std::filesystem::remove(bundle() + "/config.json");
    EXPECT_NE(refusal_of_file().find("no such file"), std::string::npos);
    std::filesystem::create_directory(bundle() + "/config.json");
    EXPECT_NE(refusal_of_file().find("config.json"), std::string::npos);
    std::filesystem::remove(bundle() + "/config.json");
    ASSERT_EQ(::mkfifo((bundle() + "/config.json").c_str(), 0600), 0);
    EXPECT_NE(refusal_of_file().find("is not a file"), std::string::npos);
}

TEST_F(OciTest, AnEnormousConfigurationIsRefused) {
    write_config();
    ASSERT_EQ(::truncate((bundle() + "/config.json").c_str(), off_t{1} << 36), 0);
    EXPECT_NE(refusal_of_file().find("config.json"), std::string::npos);
}

TEST_F(OciTest, IdsAreNamesOfFoldersAndNothingElse) {
    write_config();
    for (const std::string& id : {std::string(".."), std::string("a/b"), std::string("."), std::string(300, 'x'),
                                  std::string("a b"), std::string("a\nb")}) {
        for (const char* command : {"state", "kill", "delete"}) {
            test::Finished finished = oci({command, id});
            EXPECT_NE(finished.code, 0) << id;
            EXPECT_NE(finished.out.find("invalid container id"), std::string::npos) << finished.out;
        }
        EXPECT_NE(oci({"create", "--bundle", bundle(), id}).code, 0);
    }
}

TEST_F(OciTest, WhatCannotBeMeantIsRefused) {
    write_config();
    test::Finished systemd = oci({"--systemd-cgroup", "state", "c"});
    EXPECT_NE(systemd.out.find("--systemd-cgroup is not supported"), std::string::npos) << systemd.out;
    test::Finished pivot = oci({"create", "--no-pivot", "--bundle", bundle(), "c"});
    EXPECT_NE(pivot.out.find("--no-pivot is not supported"), std::string::npos) << pivot.out;
    test::Finished terminal = oci({"create", "--console-socket", "/nosuch", "--bundle", bundle(), "c"});
    EXPECT_NE(terminal.out.find("--console-socket"), std::string::npos) << terminal.out;
    EXPECT_NE(oci({"create", "--nosuch", "c"}).code, 0);
    EXPECT_NE(oci({"nosuch"}).code, 0);
    EXPECT_NE(oci({}).code, 0);
}

TEST_F(OciTest, ErrorsAreLoggedAsCallersReadThem) {
    const std::string log = folder_ + "/log";
    EXPECT_NE(oci({"--log", log, "--log-format", "json", "state", "none"}).code, 0);
    Json line = Json::parse(slurp(log));
    EXPECT_EQ(line["level"], "error");
    EXPECT_NE(line["msg"].get<std::string>().find("does not exist"), std::string::npos);
    EXPECT_TRUE(line["time"].is_string());
}

TEST_F(OciTest, FeaturesAreOfTheSpecification) {
    Json features = Json::parse(oci({"features"}).out);
    EXPECT_EQ(features["ociVersionMin"], "1.0.0");
    EXPECT_EQ(features["hooks"].size(), 6u);
    EXPECT_EQ(features["linux"]["cgroup"]["systemd"], false);
    for (const char* option : {"rbind", "rslave", "nosuid", "rro", "tmpcopyup", "idmap", "strictatime"})
        EXPECT_NE(std::find(features["mountOptions"].begin(), features["mountOptions"].end(), option),
                  features["mountOptions"].end())
            << option;
}

}  // namespace
}  // namespace kedge::oci

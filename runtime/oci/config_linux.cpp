#include "base/error.h"
#include "runtime/oci/config.h"
#include "runtime/oci/json_field.h"

#include <sched.h>
#include <seccomp.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>

namespace kedge::oci {

namespace {

constexpr uint32_t kNewTime = 0x80;  // CLONE_NEWTIME, which not every <sched.h> has

void parse_namespaces(const Field& list, Config& config) {
    const std::pair<const char*, uint32_t> types[] = {
        {"pid", CLONE_NEWPID}, {"network", CLONE_NEWNET}, {"mount", CLONE_NEWNS},      {"ipc", CLONE_NEWIPC},
        {"uts", CLONE_NEWUTS}, {"user", CLONE_NEWUSER},   {"cgroup", CLONE_NEWCGROUP}, {"time", kNewTime}};
    for (const Field& entry : list.items()) {
        const Field type = entry.need("type");
        const std::string name = type.text();
        auto known = std::find_if(std::begin(types), std::end(types), [&](auto& t) { return name == t.first; });
        if (known == std::end(types)) type.refuse("\"" + name + "\" is not a namespace");
        if (config.find(known->second)) type.refuse("\"" + name + "\" is given twice");
        const std::string path = entry["path"].text_or("");
        if (!path.empty() && !path.starts_with('/')) entry["path"].refuse("\"" + path + "\" is not an absolute path");
        if (!path.empty() && known->second == CLONE_NEWNS)
            entry["path"].refuse("a mount namespace can't be joined: the root is changed in it");
        config.namespaces.push_back({entry.path(), known->second, path});
    }
    if (!config.find(CLONE_NEWNS)) list.refuse("there has to be one of type \"mount\"");
}

void parse_devices(const Field& list, Config& config) {
    for (const Field& entry : list.items()) {
        Device device;
        device.where = entry.path();
        device.path = entry.need("path").text();
        if (!device.path.starts_with('/')) entry["path"].refuse("\"" + device.path + "\" is not an absolute path");
        const std::string type = entry.need("type").text();
        if (type != "c" && type != "u" && type != "b" && type != "p")
            entry["type"].refuse("\"" + type + "\" is not a type of devices: it must be c, b, u or p");
        device.mode = (type == "p"   ? S_IFIFO
                       : type == "b" ? S_IFBLK
                                     : S_IFCHR) |
                      (entry["fileMode"] ? entry["fileMode"].number<uint32_t>() & 07777 : 0666);
        if (type != "p")
            device.number = makedev(static_cast<unsigned>(entry.need("major").number_between<int64_t>(0, 4095)),
                                    static_cast<unsigned>(entry.need("minor").number_between<int64_t>(0, 1048575)));
        device.uid = entry["uid"].number_or<uint32_t>(0);
        device.gid = entry["gid"].number_or<uint32_t>(0);
        config.devices.push_back(std::move(device));
    }
}

std::string parse_time_offsets(const Field& object) {
    std::string lines;
    for (const auto& [clock, offset] : object.members()) {
        if (clock != "monotonic" && clock != "boottime") offset.refuse("is not a clock of time namespaces");
        const uint32_t nanoseconds = offset["nanosecs"] ? offset["nanosecs"].number_between<uint32_t>(0, 999999999) : 0;
        lines += clock + " " + std::to_string(offset["secs"].number_or<int64_t>(0)) + " " +
                 std::to_string(nanoseconds) + "\n";
    }
    return lines;
}

uint64_t parse_root_propagation(const Field& field) {
    const std::string name = field.text_or("");
    if (name.empty()) return 0;
    const std::pair<const char*, uint64_t> names[] = {{"shared", MS_SHARED},         {"rshared", MS_SHARED},
                                                      {"slave", MS_SLAVE},           {"rslave", MS_SLAVE},
                                                      {"private", MS_PRIVATE},       {"rprivate", MS_PRIVATE},
                                                      {"unbindable", MS_UNBINDABLE}, {"runbindable", MS_UNBINDABLE}};
    for (const auto& [known, value] : names)
        if (name == known) return value;
    field.refuse("\"" + name + "\" is not a propagation");
}

std::vector<std::string> parse_paths(const Field& list) {
    for (const Field& path : list.items())
        if (!path.text().starts_with('/')) path.refuse("\"" + path.text() + "\" is not an absolute path");
    return list.texts();
}

bool takes_error_number(const std::string& action) {
    return action == "SCMP_ACT_ERRNO" || action == "SCMP_ACT_TRACE";
}

void check_seccomp_action(const Field& action, const Field& error_number) {
    if (!error_number) return;
    (void)error_number.number_between<uint32_t>(0, 4095);
    if (!takes_error_number(action.text())) error_number.refuse(action.text() + " has no error number");
}

}  // namespace

/// The profile itself is read where all profiles are; here is what only this specification says.
void parse_seccomp(const Field& seccomp, Config& config) {
    if (!seccomp) return;
    check_seccomp_action(seccomp.need("defaultAction"), seccomp["defaultErrnoRet"]);
    if (seccomp["defaultAction"].text() == "SCMP_ACT_NOTIFY")
        seccomp["defaultAction"].refuse("SCMP_ACT_NOTIFY can't be the default: nobody could be told of the listener");
    for (const Field& entry : seccomp["syscalls"].items()) {
        if (entry.need("names").texts().empty()) entry["names"].refuse("is empty");
        check_seccomp_action(entry.need("action"), entry["errnoRet"]);
        if (entry["action"].text() == "SCMP_ACT_NOTIFY") {
            config.seccomp_notifies = true;
            for (const Field& name : entry["names"].items())
                if (name.text() == "sendmsg")
                    name.refuse("SCMP_ACT_NOTIFY can't be for sendmsg: it is what hands the listener over");
        }
        for (const Field& argument : entry["args"].items()) {
            (void)argument.need("index").number_between<uint32_t>(0, 5);
            (void)argument.need("value").number<uint64_t>();
            if (argument["valueTwo"]) (void)argument["valueTwo"].number<uint64_t>();
            (void)argument.need("op").text();
        }
    }
    for (const Field& name : seccomp["architectures"].items()) (void)name.text();
    for (const Field& flag : seccomp["flags"].items()) {
        const std::string name = flag.text();
        if (name == "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" && !config.seccomp_notifies)
            flag.refuse(name + " is given, but no SCMP_ACT_NOTIFY");
        if (name != "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" && name != "SECCOMP_FILTER_FLAG_TSYNC" &&
            name != "SECCOMP_FILTER_FLAG_LOG" && name != "SECCOMP_FILTER_FLAG_SPEC_ALLOW")
            flag.refuse("\"" + name + "\" is not known");
        config.seccomp_flags.push_back(name);
    }
    if (seccomp["listenerMetadata"] && !seccomp["listenerPath"])
        seccomp["listenerMetadata"].refuse("is given without listenerPath");
    config.listener_path = seccomp["listenerPath"].text_or("");
    config.listener_metadata = seccomp["listenerMetadata"].text_or("");
    if (config.seccomp_notifies && config.listener_path.empty())
        seccomp.need("listenerPath").refuse("is needed for SCMP_ACT_NOTIFY");
    config.seccomp = seccomp.json().dump();
}

void parse_linux(const Field& object, Config& config) {
    parse_namespaces(object["namespaces"], config);
    config.mappings = parse_mappings(object);
    const Namespace* user = config.find(CLONE_NEWUSER);
    if (!config.mappings.empty() && !user)
        object["uidMappings"].refuse("is given without a namespace of type \"user\"");
    if (user && user->path.empty() && config.mappings.empty())
        object["uidMappings"].refuse("is missing: the user namespace has to have mappings");
    if (user && !user->path.empty() && !config.mappings.empty())
        object["uidMappings"].refuse("is given for a user namespace that is joined");
    config.time_offsets = parse_time_offsets(object["timeOffsets"]);
    if (!config.time_offsets.empty() && !config.has_new(kNewTime))
        object["timeOffsets"].refuse("is given without a new namespace of type \"time\"");
    if (!config.hostname.empty() && !config.find(CLONE_NEWUTS))
        throw Error(Code::invalid_argument, "config.json: hostname: is given without a namespace of type \"uts\"");
    if (!config.domainname.empty() && !config.find(CLONE_NEWUTS))
        throw Error(Code::invalid_argument, "config.json: domainname: is given without a namespace of type \"uts\"");
    parse_devices(object["devices"], config);
    config.cgroups_path = object["cgroupsPath"].text_or("");
    config.resources = parse_resources(object["resources"]);
    config.root_propagation = parse_root_propagation(object["rootfsPropagation"]);
    config.masked_paths = parse_paths(object["maskedPaths"]);
    config.read_only_paths = parse_paths(object["readonlyPaths"]);
    for (const auto& [name, value] : object["sysctl"].members()) config.sysctls.emplace_back(name, value.text());
    parse_seccomp(object["seccomp"], config);
    if (!object["mountLabel"].text_or("").empty()) object["mountLabel"].refuse("SELinux is not supported");
    object["intelRdt"].must_not_be_given("Intel RDT is not supported");
    object["memoryPolicy"].must_not_be_given("memory policies are not supported");
    if (!object["netDevices"].members().empty()) object["netDevices"].refuse("moving network devices is not supported");
    if (const Field personality = object["personality"]) {
        const std::string domain = personality.need("domain").text();
        if (domain != "LINUX" && domain != "LINUX32") personality["domain"].refuse("\"" + domain + "\" is not known");
        if (!personality["flags"].items().empty()) personality["flags"].refuse("no flags are known");
        config.personality = domain == "LINUX" ? PER_LINUX : PER_LINUX32;
    }
}

}  // namespace kedge::oci

#include "runtime/oci/config.h"

#include "base/error.h"
#include "base/text.h"
#include "runtime/containers/launch_limits.h"
#include "runtime/oci/json_field.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <set>

namespace kedge::oci {

namespace {

constexpr int kNewestMinor = 3;  // of runtime-spec 1.x

/// SemVer of the specification that the configuration keeps to.
void check_version(const Field& version, Config& config) {
    config.version = version.text();
    int major = -1, minor = -1;
    const char* end = config.version.data() + config.version.size();
    auto [dot, bad] = std::from_chars(config.version.data(), end, major);
    if (bad != std::errc() || dot == end || *dot != '.') version.refuse("\"" + config.version + "\" is not a version");
    if (std::from_chars(dot + 1, end, minor).ec != std::errc())
        version.refuse("\"" + config.version + "\" is not a version");
    if (major != 1) version.refuse("version " + config.version + " is not supported: it must be 1.x");
    if (minor > kNewestMinor)
        config.warnings.push_back("ociVersion " + config.version + " is newer than what is known here: 1." +
                                  std::to_string(kNewestMinor));
}

runtime::CapabilityMask parse_capability_set(const Field& names, std::vector<std::string>& unknown) {
    runtime::CapabilityMask mask = 0;
    for (const std::string& name : names.texts()) {
        try {
            mask |= runtime::CapabilityMask{1} << runtime::capability_number(name);
        } catch (const Error&) {
            unknown.push_back(name);
        }
    }
    return mask;
}

Capabilities parse_capabilities(const Field& object) {
    Capabilities result;
    result.bounding = parse_capability_set(object["bounding"], result.unknown);
    result.sets.effective = parse_capability_set(object["effective"], result.unknown);
    result.sets.permitted = parse_capability_set(object["permitted"], result.unknown);
    result.sets.inheritable = parse_capability_set(object["inheritable"], result.unknown);
    result.sets.ambient = parse_capability_set(object["ambient"], result.unknown);
    std::sort(result.unknown.begin(), result.unknown.end());
    result.unknown.erase(std::unique(result.unknown.begin(), result.unknown.end()), result.unknown.end());
    return result;
}

std::vector<shim::Limit> parse_limits(const Field& list) {
    std::vector<shim::Limit> limits;
    std::set<std::string> seen;
    for (const Field& entry : list.items()) {
        const Field type = entry.need("type");
        std::optional<uint32_t> resource = runtime::limit_resource(type.text());
        if (!resource) type.refuse("\"" + type.text() + "\" is not a limit");
        if (!seen.insert(type.text()).second) type.refuse("\"" + type.text() + "\" is given twice");
        shim::Limit limit;
        limit.resource = *resource;
        limit.soft = entry.need("soft").number<uint64_t>();
        limit.hard = entry.need("hard").number<uint64_t>();
        if (limit.soft > limit.hard) entry.refuse("the soft limit is above the hard one");
        limits.push_back(limit);
    }
    return limits;
}

template <typename Number>
Number parse_name(const Field& field, std::initializer_list<std::pair<const char*, Number>> names) {
    const std::string text = field.text();
    for (const auto& [name, value] : names)
        if (text == name) return value;
    field.refuse("\"" + text + "\" is not known");
}

Scheduler parse_scheduler(const Field& object) {
    Scheduler result;
    result.policy = parse_name<uint32_t>(object.need("policy"), {{"SCHED_OTHER", 0},
                                                                 {"SCHED_FIFO", 1},
                                                                 {"SCHED_RR", 2},
                                                                 {"SCHED_BATCH", 3},
                                                                 {"SCHED_ISO", 4},
                                                                 {"SCHED_IDLE", 5},
                                                                 {"SCHED_DEADLINE", 6}});
    for (const Field& flag : object["flags"].items())
        result.flags |= parse_name<uint64_t>(flag, {{"SCHED_FLAG_RESET_ON_FORK", 1},
                                                    {"SCHED_FLAG_RECLAIM", 2},
                                                    {"SCHED_FLAG_DL_OVERRUN", 4},
                                                    {"SCHED_FLAG_KEEP_POLICY", 8},
                                                    {"SCHED_FLAG_KEEP_PARAMS", 16},
                                                    {"SCHED_FLAG_UTIL_CLAMP_MIN", 32},
                                                    {"SCHED_FLAG_UTIL_CLAMP_MAX", 64}});
    result.nice = object["nice"].number_or<int32_t>(0);
    if (object["priority"]) result.priority = static_cast<uint32_t>(object["priority"].number_between<int32_t>(0, 99));
    result.runtime = object["runtime"].number_or<uint64_t>(0);
    result.deadline = object["deadline"].number_or<uint64_t>(0);
    result.period = object["period"].number_or<uint64_t>(0);
    return result;
}

/// As ioprio_set(2) has it. (<linux/ioprio.h> is no C++ since Linux 6.5: it names a parameter `class`.)
int parse_io_priority(const Field& object) {
    constexpr int kClassShift = 13;
    const int kind = parse_name<int>(object.need("class"),
                                     {{"IOPRIO_CLASS_RT", 1}, {"IOPRIO_CLASS_BE", 2}, {"IOPRIO_CLASS_IDLE", 3}});
    return kind << kClassShift | object.need("priority").number_between<int>(0, 7);
}

/// `0-3,7`
std::vector<int> parse_processors(const Field& field) {
    std::vector<int> result;
    if (!field) return result;
    for (const std::string& part : split(field.text(), ',')) {
        int from = -1, to = -1;
        const char* end = part.data() + part.size();
        auto read = std::from_chars(part.data(), end, from);
        to = from;
        if (read.ec == std::errc() && read.ptr != end && *read.ptr == '-')
            read = std::from_chars(read.ptr + 1, end, to);
        if (read.ec != std::errc() || read.ptr != end || from < 0 || to < from || to >= CPU_SETSIZE)
            field.refuse("\"" + field.text() + "\" is not a list of processors");
        for (int i = from; i <= to; i++) result.push_back(i);
    }
    return result;
}

std::vector<Hook> parse_hooks(const Field& list) {
    std::vector<Hook> hooks;
    for (const Field& entry : list.items()) {
        Hook hook;
        hook.where = entry.path();
        hook.path = entry.need("path").text();
        if (!hook.path.starts_with('/')) entry["path"].refuse("\"" + hook.path + "\" is not an absolute path");
        hook.arguments = entry["args"].texts();
        if (hook.arguments.empty()) hook.arguments.push_back(hook.path);
        hook.environment = entry["env"].texts();
        if (entry["timeout"]) hook.timeout = entry["timeout"].number_between<int>(1, 1 << 20);
        hooks.push_back(std::move(hook));
    }
    return hooks;
}

std::vector<Mount> parse_mounts(const Field& list) {
    std::vector<Mount> mounts;
    for (const Field& entry : list.items()) {
        Mount mount;
        mount.where = entry.path();
        mount.destination = entry.need("destination").text();
        if (mount.destination.empty()) entry["destination"].refuse("is empty");
        if (!mount.destination.starts_with('/')) mount.destination.insert(0, "/");
        mount.type = entry["type"].text_or("");
        mount.source = entry["source"].text_or("");
        mount.options = entry["options"].texts();
        mount.mappings = parse_mappings(entry);
        mounts.push_back(std::move(mount));
    }
    return mounts;
}

}  // namespace

IdMappings parse_mappings(const Field& object) {
    IdMappings result;
    for (auto [name, list] : {std::pair{"uidMappings", &result.users}, std::pair{"gidMappings", &result.groups}}) {
        for (const Field& entry : object[name].items()) {
            IdMapping mapping;
            mapping.inside = entry.need("containerID").number<uint32_t>();
            mapping.outside = entry.need("hostID").number<uint32_t>();
            mapping.size = entry.need("size").number_between<uint32_t>(1, UINT32_MAX);
            list->push_back(mapping);
        }
    }
    if (result.users.empty() != result.groups.empty())
        object[result.users.empty() ? "uidMappings" : "gidMappings"].refuse("is missing: both have to be given");
    return result;
}

Process parse_process(const Field& process) {
    Process result;
    result.terminal = process["terminal"].flag();
    if (const Field size = process["consoleSize"]; size && result.terminal) {
        result.rows = size.need("height").number<uint16_t>();
        result.columns = size.need("width").number<uint16_t>();
    }
    const Field user = process["user"];
    result.uid = user["uid"].number_or<uint32_t>(0);
    result.gid = user["gid"].number_or<uint32_t>(0);
    for (const Field& group : user["additionalGids"].items()) result.groups.push_back(group.number<uint32_t>());
    if (user["umask"]) result.umask = user["umask"].number_between<uint32_t>(0, 0777);
    result.arguments = process.need("args").texts();
    if (result.arguments.empty()) process["args"].refuse("is empty");
    if (result.arguments.front().empty()) process["args"].refuse("the program's name is empty");
    result.environment = process["env"].texts();
    result.working_dir = process.need("cwd").text();
    if (!result.working_dir.starts_with('/'))
        process["cwd"].refuse("\"" + result.working_dir + "\" is not an absolute path");
    result.capabilities = parse_capabilities(process["capabilities"]);
    result.limits = parse_limits(process["rlimits"]);
    result.no_new_privileges = process["noNewPrivileges"].flag();
    if (process["oomScoreAdj"]) result.oom_score_adj = process["oomScoreAdj"].number_between<int>(-1000, 1000);
    result.apparmor_profile = process["apparmorProfile"].text_or("");
    if (!process["selinuxLabel"].text_or("").empty()) process["selinuxLabel"].refuse("SELinux is not supported");
    if (process["scheduler"]) result.scheduler = parse_scheduler(process["scheduler"]);
    if (process["ioPriority"]) result.io_priority = parse_io_priority(process["ioPriority"]);
    result.initial_processors = parse_processors(process["execCPUAffinity"]["initial"]);
    result.final_processors = parse_processors(process["execCPUAffinity"]["final"]);
    return result;
}

const Namespace* Config::find(uint32_t type) const {
    for (const Namespace& entry : namespaces)
        if (entry.type == type) return &entry;
    return nullptr;
}

bool Config::has_new(uint32_t type) const {
    const Namespace* entry = find(type);
    return entry && entry->path.empty();
}

Config parse_config(const std::string& text) {
    const Json json = parse_json(text, "config.json");
    const Field top(json, "config.json: ");
    Config config;
    check_version(top.need("ociVersion"), config);
    const Field root = top.need("root");
    config.root = root.need("path").text();
    if (config.root.empty()) root["path"].refuse("is empty");
    config.read_only = root["readonly"].flag();
    config.hostname = top["hostname"].text_or("");
    config.domainname = top["domainname"].text_or("");
    config.mounts = parse_mounts(top["mounts"]);
    if (top["process"]) config.process = parse_process(top["process"]);
    const Field hooks = top["hooks"];
    config.hooks = {parse_hooks(hooks["prestart"]),        parse_hooks(hooks["createRuntime"]),
                    parse_hooks(hooks["createContainer"]), parse_hooks(hooks["startContainer"]),
                    parse_hooks(hooks["poststart"]),       parse_hooks(hooks["poststop"])};
    for (const auto& [name, value] : top["annotations"].members()) {
        if (name.empty()) top["annotations"].refuse("a name is empty");
        config.annotations[name] = value.text();
    }
    top["vm"].must_not_be_given("virtual machines are not supported");
    parse_linux(top["linux"], config);
    return config;
}

}  // namespace kedge::oci

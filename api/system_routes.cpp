#include "api/disk_usage.h"
#include "api/older_versions.h"
#include "api/prune_event.h"
#include "api/reply.h"
#include "api/routes.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/fd.h"
#include "runtime/engine.h"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace kedge::api {

using nlohmann::json;

namespace {

utsname kernel() {
    utsname name{};
    (void)::uname(&name);  // can't fail with a valid pointer
    return name;
}

std::string operating_system() {
    std::string text;
    try {
        text = read_file_at(AT_FDCWD, "/etc/os-release", 65536);
    } catch (const Error&) {
        return "Linux";
    }
    constexpr std::string_view kKey = "PRETTY_NAME=";
    size_t at = text.starts_with(kKey) ? 0 : text.find("\nPRETTY_NAME=");
    if (at == std::string::npos) return "Linux";
    size_t from = text.find('=', at) + 1;
    std::string value = text.substr(from, text.find('\n', from) - from);
    if (value.size() >= 2 && value.front() == '"') value = value.substr(1, value.size() - 2);
    return value;
}

bool unified_cgroups() {
    constexpr long kCgroup2Magic = 0x63677270;
    struct statfs status {};
    return ::statfs("/sys/fs/cgroup", &status) == 0 && status.f_type == kCgroup2Magic;
}

Response ping(const Request&) {
    Response response;
    response.content_type = "text/plain; charset=utf-8";
    response.body = "OK";
    response.headers = {{"Api-Version", std::string(kApiVersion)},
                        {"Docker-Experimental", "false"},
                        {"Ostype", "linux"},
                        {"Cache-Control", "no-cache, no-store, must-revalidate"},
                        {"Pragma", "no-cache"},
                        {"Server", "kedge/" + std::string(version()) + " (linux)"}};
    return response;
}

Response version_reply(const Services& services) {
    utsname name = kernel();
    std::string architecture = runtime::Platform::host().architecture;
    json engine = {{"Name", "Engine"},
                   {"Version", version()},
                   {"Details",
                    {{"ApiVersion", kApiVersion},
                     {"MinAPIVersion", kMinimumApiVersion},
                     {"Arch", architecture},
                     {"Os", "linux"},
                     {"KernelVersion", name.release},
                     {"Experimental", "false"}}}};
    return json_reply({{"Platform", {{"Name", "kedge"}}},
                       {"Components", json::array({engine})},
                       {"Version", version()},
                       {"ApiVersion", kApiVersion},
                       {"MinAPIVersion", kMinimumApiVersion},
                       {"GitCommit", ""},
                       {"GoVersion", ""},
                       {"Os", "linux"},
                       {"Arch", architecture},
                       {"KernelVersion", name.release},
                       {"BuildTime", ""},
                       {"Started", format_time(services.started)}});
}

json info_json(const Services& services) {
    int running = 0, paused = 0, stopped = 0;
    for (const runtime::ContainerInfo& info : services.engine.containers().list()) {
        if (info.status == runtime::Status::running || info.status == runtime::Status::restarting)
            ++running;
        else if (info.status == runtime::Status::paused)
            ++paused;
        else
            ++stopped;
    }
    struct sysinfo memory {};
    (void)::sysinfo(&memory);  // can't fail with a valid pointer
    utsname name = kernel();
    const runtime::EngineOptions& options = services.engine.options();
    return {
        {"ID", Digest::of(options.root + name.nodename).hex().substr(0, 32)},
        {"Containers", running + paused + stopped},
        {"ContainersRunning", running},
        {"ContainersPaused", paused},
        {"ContainersStopped", stopped},
        {"Images", services.engine.images().list().size()},
        {"Driver", "overlay2"},
        {"DriverStatus", json::array()},
        {"Plugins",
         {{"Volume", {"local"}},
          {"Network", {"bridge", "host", "null"}},
          {"Authorization", nullptr},
          {"Log", {"json-file", "none"}}}},
        {"MemoryLimit", true},
        {"SwapLimit", true},
        {"CpuCfsPeriod", true},
        {"CpuCfsQuota", true},
        {"CPUShares", true},
        {"CPUSet", true},
        {"PidsLimit", true},
        {"IPv4Forwarding", true},
        {"OomKillDisable", !unified_cgroups()},
        {"Debug", false},
        {"NFd", 0},
        {"NGoroutines", 0},
        {"NEventsListener", 0},
        {"SystemTime", format_time(wall_now())},
        {"LoggingDriver", "json-file"},
        {"CgroupDriver", "cgroupfs"},
        {"CgroupVersion", unified_cgroups() ? "2" : "1"},
        {"KernelVersion", name.release},
        {"OperatingSystem", operating_system()},
        {"OSVersion", ""},
        {"OSType", "linux"},
        {"Architecture", name.machine},
        {"NCPU", ::sysconf(_SC_NPROCESSORS_ONLN)},
        {"MemTotal", static_cast<uint64_t>(memory.totalram) * memory.mem_unit},
        {"IndexServerAddress", ""},
        {"RegistryConfig",
         {{"InsecureRegistryCIDRs", {"127.0.0.0/8"}}, {"IndexConfigs", json::object()}, {"Mirrors", json::array()}}},
        {"DockerRootDir", options.root},
        {"HttpProxy", ""},
        {"HttpsProxy", ""},
        {"NoProxy", ""},
        {"Name", services.device.empty() ? name.nodename : services.device},
        {"Labels", services.labels},
        {"ExperimentalBuild", false},
        {"ServerVersion", version()},
        {"Runtimes", {{"kedge", {{"path", "kedge-shim"}}}}},
        {"DefaultRuntime", "kedge"},
        {"Swarm",
         {{"NodeID", ""},
          {"NodeAddr", ""},
          {"LocalNodeState", "inactive"},
          {"ControlAvailable", false},
          {"Error", ""},
          {"RemoteManagers", nullptr}}},
        {"LiveRestoreEnabled", true},
        {"Isolation", ""},
        {"InitBinary", ""},
        {"ContainerdCommit", {{"ID", ""}}},
        {"RuncCommit", {{"ID", ""}}},
        {"InitCommit", {{"ID", ""}}},
        {"CDISpecDirs", json::array()},
        {"FirewallBackend", {{"Driver", "nftables"}}},
        {"SecurityOptions", {"name=seccomp,profile=default"}},
        {"Warnings", nullptr}};
}

}  // namespace

void add_system_routes(Router& router, const Services& services) {
    router.add("GET", "/_ping", ping);
    router.add("GET", "/version", [&services](const Request&) { return version_reply(services); });
    router.add("GET", "/info", [&services](const Request& request) {
        json info = info_json(services);
        write_older_info(info, request.api);
        return json_reply(info);
    });
    router.add("POST", "/auth", [](const Request&) -> Response {
        throw Error(Code::invalid_argument,
                    "logging in is not supported by kedge: credentials are in the agent's configuration");
    });
    // There is no cache of builds, so none of it is left.
    router.add("POST", "/build/prune", [&services](const Request&) {
        publish_prune(services.engine.events(), "builder", 0);
        return json_reply({{"CachesDeleted", nullptr}, {"SpaceReclaimed", 0}});
    });
    router.add("GET", "/system/df",
               [&services](const Request& request) { return json_reply(disk_usage(request, services)); });
    router.add("POST", "/build", [](const Request&) { return error_reply(501, "/build is not supported by kedge"); });
}

}  // namespace kedge::api

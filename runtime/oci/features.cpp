// features, spec.
#include "runtime/containers/capabilities.h"
#include "runtime/oci/commands.h"
#include "runtime/oci/mount_options.h"

#include <seccomp.h>

#include <fmt/format.h>

namespace kedge::oci {

namespace {

std::vector<std::string> known_capabilities() {
    // All that the library has a name for, whatever the kernel is.
    std::vector<std::string> names;
    for (int i = 0; i < 64; i++) {
        std::string name = runtime::capability_name(i);
        if (name.starts_with("CAP_")) names.push_back(std::move(name));
    }
    return names;
}

Json seccomp_features() {
    return {{"enabled", true},
            {"actions",
             {"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
              "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP"}},
            {"operators",
             {"SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ",
              "SCMP_CMP_NE"}},
            {"archs", {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", "SCMP_ARCH_X32", "SCMP_ARCH_X86", "SCMP_ARCH_X86_64"}},
            {"knownFlags",
             {"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC",
              "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"}},
            {"supportedFlags",
             {"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC",
              "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"}}};
}

Json mount(const char* destination, const char* type, const char* source, std::vector<std::string> options) {
    Json result = {{"destination", destination}, {"type", type}, {"source", source}};
    if (!options.empty()) result["options"] = std::move(options);
    return result;
}

}  // namespace

Json features() {
    const scmp_version* library = seccomp_version();
    return {{"ociVersionMin", "1.0.0"},
            {"ociVersionMax", kSpecVersion},
            {"hooks", {"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"}},
            {"mountOptions", mount_option_names()},
            {"linux",
             {{"namespaces", {"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"}},
              {"capabilities", known_capabilities()},
              {"cgroup", {{"v1", true}, {"v2", true}, {"systemd", false}, {"systemdUser", false}, {"rdma", true}}},
              {"seccomp", seccomp_features()},
              {"apparmor", {{"enabled", true}}},
              {"selinux", {{"enabled", false}}},
              {"intelRdt", {{"enabled", false}}},
              {"mountExtensions", {{"idmap", {{"enabled", true}}}}},
              {"netDevices", {{"enabled", false}}}}},
            {"annotations",
             {{"io.github.seccomp.libseccomp.version",
               fmt::format("{}.{}.{}", library->major, library->minor, library->micro)}}}};
}

Json default_config() {
    const std::vector<std::string> capabilities = {"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"};
    Json config;
    config["ociVersion"] = kSpecVersion;
    config["process"] = {
        {"terminal", true},
        {"user", {{"uid", 0}, {"gid", 0}}},
        {"args", {"sh"}},
        {"env", {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"}},
        {"cwd", "/"},
        {"capabilities", {{"bounding", capabilities}, {"effective", capabilities}, {"permitted", capabilities}}},
        {"rlimits", {{{"type", "RLIMIT_NOFILE"}, {"hard", 1024}, {"soft", 1024}}}},
        {"noNewPrivileges", true}};
    config["root"] = {{"path", "rootfs"}, {"readonly", true}};
    config["hostname"] = "kedge";
    config["mounts"] = {mount("/proc", "proc", "proc", {}),
                        mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
                        mount("/dev/pts", "devpts", "devpts",
                              {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}),
                        mount("/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}),
                        mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}),
                        mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}),
                        mount("/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"})};
    Json namespaces = Json::array();
    for (const char* type : {"pid", "network", "ipc", "uts", "mount", "cgroup"}) namespaces.push_back({{"type", type}});
    config["linux"] = {
        {"resources", {{"devices", {{{"allow", false}, {"access", "rwm"}}}}}},
        {"namespaces", namespaces},
        {"maskedPaths",
         {"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
          "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"}},
        {"readonlyPaths", {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}}};
    return config;
}

}  // namespace kedge::oci

#include "runtime/containers/launch_mounts.h"

#include "base/error.h"
#include "runtime/containers/bind_source.h"
#include "runtime/containers/resolve.h"
#include "runtime/containers/tmpfs_options.h"
#include "runtime/system_paths.h"

#include <linux/mount.h>
#include <sys/stat.h>

#include <algorithm>

namespace kedge::runtime {

namespace {

using shim::MountKind;

constexpr uint64_t kNoSuid = MOUNT_ATTR_NOSUID, kNoExec = MOUNT_ATTR_NOEXEC, kNoDev = MOUNT_ATTR_NODEV,
                   kReadOnly = MOUNT_ATTR_RDONLY;
constexpr uint64_t kRecursivePropagation = 0x4000;  // MS_REC
constexpr uint64_t kSharedMount = 1 << 20, kSlaveMount = 1 << 19,
                   kPrivateMount = 1 << 18;  // MS_*: <sys/mount.h> clashes here

using Options = std::vector<std::pair<std::string, std::string>>;

LaunchMount filesystem(std::string type, std::string target, uint64_t attributes, Options options,
                       uint32_t flags = shim::kStrict) {
    LaunchMount mount;
    mount.kind = MountKind::filesystem;
    mount.type = std::move(type);
    mount.target = std::move(target);
    mount.attributes = attributes;
    mount.options = std::move(options);
    mount.flags = flags;
    return mount;
}

LaunchMount bind_mount(std::string source, std::string target, uint64_t attributes, uint32_t flags) {
    LaunchMount mount;
    mount.kind = MountKind::bind;
    mount.source = std::move(source);
    mount.target = std::move(target);
    mount.attributes = attributes;
    mount.propagation = kPrivateMount;
    mount.flags = flags;
    return mount;
}

LaunchMount step(MountKind kind, std::string target, std::string source = {}) {
    LaunchMount mount;
    mount.kind = kind;
    mount.target = std::move(target);
    mount.source = std::move(source);
    mount.flags = shim::kStrict;
    return mount;
}

bool below(const std::string& path, const std::string& folder) {
    return path == folder || path.starts_with(folder + "/");
}

void add_own_filesystems(const LaunchRequest& request, const Cgroups& cgroups, LaunchSpec& spec) {
    const ContainerSpec& c = request.spec;
    auto& mounts = spec.mounts;
    mounts.push_back(filesystem("proc", "/proc", kNoSuid | kNoExec | kNoDev, {}));
    mounts.push_back(
        filesystem("tmpfs", "/dev", kNoSuid | MOUNT_ATTR_STRICTATIME, {{"mode", "755"}, {"size", "65536k"}}));
    mounts.push_back(filesystem("devpts", "/dev/pts", kNoSuid | kNoExec,
                                {{"newinstance", ""}, {"ptmxmode", "0666"}, {"mode", "0620"}, {"gid", "5"}}));
    mounts.push_back(filesystem("sysfs", "/sys", kNoSuid | kNoExec | kNoDev | (c.privileged ? 0 : kReadOnly), {}));
    const bool unified = cgroups.hierarchies().size() == 1 && cgroups.hierarchies()[0].v2;
    plan_cgroup_tree(cgroups, unified && c.cgroup_namespace == "host" ? "" : spec.cgroup_path, "/sys/fs/cgroup",
                     kNoSuid | kNoExec | kNoDev | (c.privileged ? 0 : kReadOnly), spec);
    if (c.ipc_mode == "host") {
        mounts.push_back(bind_mount("/dev/mqueue", "/dev/mqueue", 0, shim::kStrict | shim::kOptional));
        mounts.push_back(bind_mount("/dev/shm", "/dev/shm", 0, shim::kStrict | shim::kOptional));
    } else {
        int64_t shm = c.shm_size > 0 ? c.shm_size : int64_t{64} << 20;
        mounts.push_back(filesystem("mqueue", "/dev/mqueue", kNoSuid | kNoExec | kNoDev, {}));
        if (spec.shared_memory >= 0) {
            mounts.push_back(bind_mount({}, "/dev/shm", 0, shim::kStrict));
            mounts.back().fd = spec.shared_memory;
        } else if (c.ipc_mode != "none") {
            mounts.push_back(filesystem("tmpfs", "/dev/shm", kNoSuid | kNoExec | kNoDev,
                                        {{"mode", "1777"}, {"size", std::to_string(shm)}}));
        }
    }
    plan_devices(request, spec);
    for (LaunchMount& link : standard_links()) mounts.push_back(std::move(link));
}

uint64_t propagation(const std::string& name, const std::string& target) {
    if (name.empty() || name == "rprivate") return kPrivateMount | kRecursivePropagation;
    if (name == "private") return kPrivateMount;
    if (name == "rslave") return kSlaveMount | kRecursivePropagation;
    if (name == "slave") return kSlaveMount;
    if (name == "rshared") return kSharedMount | kRecursivePropagation;
    if (name == "shared") return kSharedMount;
    throw Error(Code::invalid_argument, "mount " + target + ": invalid propagation \"" + name + "\"");
}

const char* const kHarmlessProcFiles[] = {"/proc/cpuinfo", "/proc/diskstats", "/proc/loadavg", "/proc/meminfo",
                                          "/proc/stat",    "/proc/swaps",     "/proc/uptime"};

void check_bind_source(const Mount& mount, const std::string& target) {
    if (mount.source.empty() || mount.source[0] != '/') {
        throw Error(Code::invalid_argument,
                    "mount " + target + ": the source \"" + mount.source + "\" is not an absolute path");
    }
    check_confinement(mount);
    if (!bind_source_exists(mount)) {
        throw Error(Code::invalid_argument,
                    "invalid mount config for type \"bind\": bind source path does not exist: " + mount.source);
    }
}

void add_bind(const PlacedMount& mount, const std::string& target, LaunchSpec& spec, std::vector<Fd>& handed) {
    if (!mount.tree) check_bind_source(mount, target);
    bool harmless = is_harmless_in_proc(target);
    uint64_t how = propagation(mount.propagation, target);
    uint32_t flags = (how & kRecursivePropagation ? shim::kRecursive : 0u) | (harmless ? shim::kProcAllowed : 0u);
    // Docker binds trees also for `private`; only the propagation then is that of the top.
    flags |= shim::kRecursive;
    if (mount.non_recursive) flags &= ~uint32_t{shim::kRecursive};
    const bool top_only = mount.read_only && mount.read_only_top;
    LaunchMount result = bind_mount(mount.source, target, mount.read_only && !top_only ? kReadOnly : 0, flags);
    if (top_only) result.changes.push_back({.set = kReadOnly});
    result.confined_to = mount.confined_to;
    result.propagation = how & ~kRecursivePropagation;
    if (how & kSharedMount) result.propagation = 0;  // it stays the peer that it is of the host's mount
    if (mount.tree) {
        result.fd = shim::kFirstExtraFd + static_cast<int>(handed.size());
        handed.push_back(mount.tree->duplicate());
    }
    spec.mounts.push_back(std::move(result));
}

/// What the caller mounts at /dev/shm, /sys/fs/cgroup and the like takes the place of what would be there, and of all
/// that would lie below. One group of the cgroup tree stays below what is mounted over it: it is the folder for that.
void make_room(const std::string& target, LaunchSpec& spec) {
    std::erase_if(spec.mounts, [&](const LaunchMount& own) {
        if (own.target != target) return below(own.target, target);
        if (target.starts_with("/sys/fs/cgroup/")) return false;
        return own.kind == MountKind::filesystem || own.kind == MountKind::bind || own.kind == MountKind::attributes;
    });
}

void add_mount(const PlacedMount& mount, LaunchSpec& spec, std::vector<Fd>& handed) {
    if (mount.target.empty() || mount.target[0] != '/') {
        throw Error(Code::invalid_argument, "mount target \"" + mount.target + "\" is not an absolute path");
    }
    std::string target = clean_path(mount.target);
    if (target == "/") throw Error(Code::invalid_argument, "invalid mount: destination can't be '/'");
    if (target == "/proc") throw Error(Code::invalid_argument, "invalid mount: destination can't be '/proc'");
    make_room(target, spec);
    if (mount.type != Mount::Type::tmpfs) {
        add_bind(mount, target, spec, handed);
        return;
    }
    TmpfsOptions options = tmpfs_options(mount);
    const uint32_t flags = mount.tmpfs_mode ? 0u : uint32_t{shim::kModeOfTarget};
    spec.mounts.push_back(filesystem("tmpfs", target, options.attributes, std::move(options.values), flags));
    if (options.propagation) spec.mounts.back().changes.push_back({.propagation = options.propagation});
}

/// Whether it lies deeper than a file in /etc.
bool is_deep(const std::string& target) {
    const std::string path = clean_path(target);
    return std::count(path.begin(), path.end(), '/') > 2;
}

/// A container whose root is read-only could fill the host's disk through these; the agent writes them from outside.
void add_network_files(const LaunchRequest& request, LaunchSpec& spec) {
    const uint64_t attributes = request.spec.read_only ? kReadOnly : 0;
    for (const char* name : {"hosts", "hostname", "resolv.conf"}) {
        std::string target = std::string("/etc/") + name;
        bool mounted = std::any_of(request.mounts.begin(), request.mounts.end(),
                                   [&](const Mount& m) { return clean_path(m.target) == target; });
        std::string source = request.container_folder + "/" + name;
        struct stat info {};
        if (mounted || ::stat(source.c_str(), &info) != 0) continue;
        spec.mounts.push_back(bind_mount(source, target, attributes, 0));
    }
}

void add_masks(const LaunchRequest& request, LaunchSpec& spec) {
    auto untouched = [&](const std::string& path) {
        return std::none_of(request.mounts.begin(), request.mounts.end(),
                            [&](const Mount& m) { return below(path, clean_path(m.target)); });
    };
    const std::vector<std::string> usual = masked_paths({});
    for (const std::string& path : masked_paths(request.spec)) {
        // What is mounted over a path that everybody has masked is meant to be seen.
        const bool by_habit = std::find(usual.begin(), usual.end(), path) != usual.end();
        if (!by_habit || untouched(path)) spec.mounts.push_back(mask_step(clean_path(path)));
    }
    for (const std::string& path : readonly_paths(request.spec))
        spec.mounts.push_back(read_only_step(clean_path(path)));
}

/// `:` separates layers and `,` options; a backslash keeps either from it.
std::string escaped(const std::string& path) {
    std::string out;
    for (char c : path) {
        if (c == ':' || c == ',' || c == '\\') out += '\\';
        out += c;
    }
    return out;
}

}  // namespace

bool is_harmless_in_proc(const std::string& target) {
    return std::find(std::begin(kHarmlessProcFiles), std::end(kHarmlessProcFiles), target) !=
           std::end(kHarmlessProcFiles);
}

LaunchMount mask_step(const std::string& target) {
    LaunchMount mask =
        filesystem("tmpfs", target, kReadOnly | kNoSuid | kNoExec | kNoDev, {{"size", "0"}, {"mode", "555"}});
    mask.kind = MountKind::mask;
    return mask;
}

LaunchMount read_only_step(const std::string& target) {
    return step(MountKind::read_only, target);
}

std::vector<LaunchMount> standard_links() {
    std::vector<LaunchMount> result;
    const std::pair<const char*, const char*> links[] = {
        {"/dev/fd", "/proc/self/fd"},       {"/dev/stdin", "/proc/self/fd/0"}, {"/dev/stdout", "/proc/self/fd/1"},
        {"/dev/stderr", "/proc/self/fd/2"}, {"/dev/core", "/proc/kcore"},      {"/dev/ptmx", "pts/ptmx"}};
    for (const auto& [name, to] : links) result.push_back(step(MountKind::link, name, to));
    return result;
}

void plan_cgroup_tree(const Cgroups& cgroups, const std::string& path, const std::string& target, uint64_t attributes,
                      LaunchSpec& spec) {
    const auto& hierarchies = cgroups.hierarchies();
    if (hierarchies.empty()) return;
    if (hierarchies.size() == 1 && hierarchies[0].v2) {
        spec.mounts.push_back(bind_mount(hierarchies[0].mount_point + "/" + path, target, attributes, shim::kStrict));
        return;
    }
    spec.mounts.push_back(filesystem("tmpfs", target, kNoSuid | kNoExec | kNoDev, {{"mode", "755"}}));
    for (const CgroupHierarchy& hierarchy : hierarchies) {
        std::string name = hierarchy.mount_point.substr(hierarchy.mount_point.rfind('/') + 1);
        spec.mounts.push_back(
            bind_mount(hierarchy.mount_point + "/" + path, target + "/" + name, attributes, shim::kStrict));
        if (hierarchy.controllers.size() < 2 || hierarchy.v2) continue;
        for (const std::string& controller : hierarchy.controllers)
            if (controller != name) spec.mounts.push_back(step(MountKind::link, target + "/" + controller, name));
    }
    LaunchMount seal = step(MountKind::attributes, target);
    seal.attributes = attributes;
    spec.mounts.push_back(seal);
}

void plan_root(const LaunchRequest& request, LaunchSpec& spec) {
    spec.root_folder = request.run_folder + "/rootfs";
    std::string upper = request.container_folder + "/upper";
    if (request.layers.empty()) {
        spec.root_source = upper;
        return;
    }
    // Names relative to the layers' common parent are short enough for 127 layers in the one page that mount(2) takes.
    std::string common = request.layers.front();
    for (const std::string& layer : request.layers) {
        if (layer.empty() || layer[0] != '/')
            throw Error(Code::internal, "layer folder \"" + layer + "\" is not an absolute path");
        while (!layer.starts_with(common + "/")) common.resize(common.rfind('/'));
    }
    spec.layers_folder = common.empty() ? "/" : common;
    std::string lower;
    for (const std::string& layer : request.layers) {
        if (!lower.empty()) lower += ":";
        lower += escaped(layer.substr(common.size() + 1));
    }
    // Without redirects and copies of attributes alone, which some kernels make by themselves: an upper folder that has
    // them can't be read without what lies below it.
    spec.overlay_options = "redirect_dir=off,metacopy=off,lowerdir=" + lower + ",upperdir=" + escaped(upper) +
                           ",workdir=" + escaped(request.container_folder + "/work");
    // What is removed at its end needs not be on the disk: without this its end writes out all that the host has to.
    if (request.spec.auto_remove) spec.overlay_options += ",volatile";
    if (spec.overlay_options.size() > 4095) {
        throw Error(Code::invalid_argument,
                    "the image has " + std::to_string(request.layers.size()) + " layers, more than can be mounted");
    }
}

void plan_mounts(const LaunchRequest& request, const Cgroups& cgroups, const std::string& shim, LaunchSpec& spec,
                 std::vector<Fd>& handed) {
    add_own_filesystems(request, cgroups, spec);
    // Those that lie in others come last: the network's files in what is mounted at /etc, and below the files nothing.
    auto mount = request.mounts.begin();
    for (; mount != request.mounts.end() && !is_deep(mount->target); ++mount) add_mount(*mount, spec, handed);
    add_network_files(request, spec);
    for (; mount != request.mounts.end(); ++mount) add_mount(*mount, spec, handed);
    if (request.spec.init) spec.mounts.push_back(bind_mount(shim, "/sbin/docker-init", kReadOnly, 0));
    add_masks(request, spec);
}

}  // namespace kedge::runtime

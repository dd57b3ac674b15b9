#include "base/confined.h"
#include "base/error.h"
#include "runtime/containers/launch_mounts.h"
#include "runtime/containers/resolve.h"
#include "runtime/oci/mount_options.h"
#include "runtime/oci/plan.h"
#include "runtime/oci/trees.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <sstream>

namespace kedge::oci {

namespace {

using runtime::LaunchMount;
using shim::MountKind;

// MS_*: <sys/mount.h> clashes with <linux/mount.h>.
constexpr uint64_t kPrivate = 1 << 18, kSlave = 1 << 19, kShared = 1 << 20;
constexpr long kProcMagic = 0x9fa0;

struct Planner {
    const Config& config;
    const Bundle& bundle;
    const runtime::Cgroups& cgroups;
    Launch& launch;
    ConfinedRoot root;
    bool user_namespace = false;
    bool own_dev = true;  ///< false: /dev is somebody else's, and nothing is made there

    void add(LaunchMount mount) { launch.spec.mounts.push_back(std::move(mount)); }
};

/// File systems that don't lie on a device have no reason to be read-only as a whole.
bool lies_on_device(const std::string& type) {
    std::istringstream lines(read_file_at(AT_FDCWD, "/proc/filesystems"));
    for (std::string line; std::getline(lines, line);)
        if (line == "\t" + type) return true;
    return false;
}

uint64_t creation_attributes(const MountOptions& options) {
    return options.set | options.deep_set;
}

/// Of a mount that was a peer of the host's: what the host does there shows or doesn't, and what the container does
/// shows outside only if that was asked for.
void add_propagation(const Planner& p, const MountOptions& options, LaunchMount& mount) {
    const bool follows_host = p.config.root_propagation == kSlave || p.config.root_propagation == kShared;
    const bool shared = options.propagation == kShared;
    // A container with less rights than the host must not mount anything there.
    if (shared && !p.user_namespace) return;
    if (options.propagation_deep && !shared) return;  // then that is all there is to say
    const uint64_t first = options.propagation || follows_host ? kSlave : kPrivate;
    mount.changes.insert(mount.changes.begin(), {0, 0, first, 1, 0});
}

bool shows_proc(int tree) {
    struct statfs info {};
    return ::fstatfs(tree, &info) == 0 && info.f_type == kProcMagic;
}

LaunchMount plan_tree(Planner& p, const Mount& mount, const MountOptions& options, Fd tree) {
    LaunchMount step;
    step.kind = MountKind::bind;
    step.target = mount.destination;
    step.changes = mount_changes(options);
    if (runtime::is_harmless_in_proc(runtime::clean_path(mount.destination)) || shows_proc(tree.get()))
        step.flags |= shim::kProcAllowed;
    step.fd = p.launch.add(std::move(tree));
    return step;
}

void add_bind(Planner& p, const Mount& mount, const MountOptions& options) {
    if (mount.source.empty()) throw Error(Code::invalid_argument, mount.where + ".source: is missing");
    if (!options.data.empty())
        throw Error(Code::invalid_argument,
                    mount.where + ".options: a bind mount has no option \"" + options.data.front().first + "\"");
    std::string source = mount.source.starts_with('/') ? mount.source : p.bundle.folder + "/" + mount.source;
    Fd tree;
    try {
        tree = open_tree(source, options.recursive);
        if (options.id_mapped)
            map_ids(tree.get(), mount.mappings.empty() ? p.config.mappings : mount.mappings, options.id_mapped_deep);
    } catch (const Error& e) {
        throw e.with_context(mount.where + ".source");
    }
    LaunchMount step = plan_tree(p, mount, options, std::move(tree));
    add_propagation(p, options, step);
    p.add(std::move(step));
}

/// A new tmpfs has the rights of the folder that it hides, unless it says something else.
void keep_mode(const Planner& p, const Mount& mount, MountOptions& options) {
    for (const auto& [key, value] : options.data)
        if (key == "mode") return;
    struct stat info {};
    try {
        Fd folder = p.root.open(mount.destination, O_PATH);
        if (::fstat(folder.get(), &info) != 0 || !S_ISDIR(info.st_mode)) return;
    } catch (const Error&) {
        return;  // it is made, with what is usual
    }
    std::ostringstream mode;
    mode << std::oct << (info.st_mode & 07777);
    options.data.emplace_back("mode", mode.str());
}

std::vector<std::pair<std::string, std::string>> filesystem_options(const Mount& mount, const MountOptions& options) {
    std::vector<std::pair<std::string, std::string>> all;
    if (!mount.source.empty()) all.emplace_back("source", mount.source);
    for (const std::string& flag : options.superblock) all.emplace_back(flag, "");
    if ((options.set & MOUNT_ATTR_RDONLY) && lies_on_device(mount.type)) all.emplace_back("ro", "");
    all.insert(all.end(), options.data.begin(), options.data.end());
    return all;
}

void add_filesystem(Planner& p, const Mount& mount, MountOptions options) {
    if (mount.type.empty()) throw Error(Code::invalid_argument, mount.where + ".type: is missing");
    if (options.id_mapped) throw Error(Code::invalid_argument, mount.where + ".options: only bind mounts can be idmap");
    if (mount.type == "tmpfs") keep_mode(p, mount, options);
    if (options.copy_up) {
        if (mount.type != "tmpfs")
            throw Error(Code::invalid_argument, mount.where + ".options: only a tmpfs can be tmpcopyup");
        try {
            Fd tree = copy_of_folder(p.root, mount.destination, filesystem_options(mount, options), p.config.mappings);
            return p.add(plan_tree(p, mount, options, std::move(tree)));
        } catch (const Error& e) {
            throw e.with_context(mount.where);
        }
    }
    LaunchMount step;
    step.kind = MountKind::filesystem;
    step.target = mount.destination;
    step.type = mount.type;
    step.options = filesystem_options(mount, options);
    step.attributes = creation_attributes(options);
    if (options.propagation) step.changes.push_back({0, 0, options.propagation, 0, 0});
    // The container's own view of the kernel: an image that has a link there is refused.
    if (mount.type == "proc" || mount.type == "sysfs") step.flags |= shim::kStrict;
    if (mount.type == "proc") step.flags |= shim::kProcAllowed;
    p.add(std::move(step));
}

void add_remount(Planner& p, const Mount& mount, const MountOptions& options) {
    if (!options.data.empty() || !options.superblock.empty())
        throw Error(Code::invalid_argument,
                    mount.where + ".options: remount changes only what belongs to the mount, not the file system");
    LaunchMount step;
    step.kind = MountKind::attributes;
    step.target = mount.destination;
    step.changes = mount_changes(options);
    p.add(std::move(step));
}

/// The groups of this container; of the newest kind, all of them if it has no cgroup namespace of its own to hide
/// what lies above.
void add_cgroup_tree(Planner& p, const Mount& mount, const MountOptions& options) {
    const auto& all = p.cgroups.hierarchies();
    const bool only_v2 = all.size() == 1 && all[0].v2;
    const bool whole = only_v2 && !p.config.find(CLONE_NEWCGROUP);
    const size_t before = p.launch.spec.mounts.size();
    runtime::plan_cgroup_tree(p.cgroups, whole ? "" : p.launch.spec.cgroup_path, runtime::clean_path(mount.destination),
                              creation_attributes(options), p.launch.spec);
    for (size_t i = before; i < p.launch.spec.mounts.size(); i++) {
        LaunchMount& step = p.launch.spec.mounts[i];
        if (step.kind == MountKind::bind) step.fd = p.launch.add(open_tree(step.source, whole));
    }
}

void add_mount(Planner& p, const Mount& mount) {
    MountOptions options = parse_mount_options(mount.options);
    if (!mount.mappings.empty() && !options.id_mapped)
        throw Error(Code::invalid_argument, mount.where + ".uidMappings: the option idmap or ridmap is missing");
    if (options.id_mapped && mount.mappings.empty() && p.config.mappings.empty())
        throw Error(Code::invalid_argument, mount.where + ".options: idmap has no mappings to use");
    if (runtime::clean_path(mount.destination) == "/")
        throw Error(Code::invalid_argument, mount.where + ".destination: is the root itself");
    if (options.remount) return add_remount(p, mount, options);
    if (options.bind || mount.type == "bind") {
        if (mount.type == "bind" && !options.bind) options.recursive = true;
        return add_bind(p, mount, options);
    }
    if (mount.type == "cgroup") return add_cgroup_tree(p, mount, options);
    add_filesystem(p, mount, std::move(options));
}

/// Inside a user namespace no device can be made: the host's is shown.
void add_device(Planner& p, LaunchMount node, const std::string& host_path, const std::string& where) {
    const bool is_device = S_ISCHR(node.mode) || S_ISBLK(node.mode);
    if (!p.user_namespace || !is_device) return p.add(std::move(node));
    Fd tree;
    try {
        tree = open_tree(host_path, false);
    } catch (const Error& e) {
        throw e.with_context(where);
    }
    struct stat info {};
    if (::fstat(tree.get(), &info) != 0 || (info.st_mode & S_IFMT) != (node.mode & S_IFMT) ||
        info.st_rdev != node.device)
        throw Error(Code::invalid_argument, where + ": " + host_path + " is another device here");
    node.kind = MountKind::bind;
    node.fd = p.launch.add(std::move(tree));
    node.changes = {{0, 0, kPrivate, 0, 0}};
    p.add(std::move(node));
}

void add_devices(Planner& p) {
    auto given = [&](const std::string& path) {
        return std::any_of(p.config.devices.begin(), p.config.devices.end(),
                           [&](const Device& d) { return runtime::clean_path(d.path) == path; });
    };
    for (LaunchMount& node : runtime::standard_nodes()) {
        if (given(node.target)) continue;
        const std::string path = node.target;
        add_device(p, std::move(node), path, path);
    }
    for (const Device& device : p.config.devices) {
        LaunchMount node;
        node.kind = MountKind::node;
        node.target = runtime::clean_path(device.path);
        node.mode = device.mode;
        node.device = device.number;
        node.uid = device.uid;
        node.gid = device.gid;
        add_device(p, std::move(node), device.path, device.where);
    }
}

bool mounts_at(const Config& config, const std::string& target, bool bind_only) {
    return std::any_of(config.mounts.begin(), config.mounts.end(), [&](const Mount& mount) {
        if (runtime::clean_path(mount.destination) != target) return false;
        return !bind_only || mount.type == "bind" || parse_mount_options(mount.options).bind;
    });
}

void add_links(Planner& p) {
    const bool proc = mounts_at(p.config, "/proc", false);
    for (LaunchMount& link : runtime::standard_links())
        if (proc || !link.source.starts_with("/proc")) p.add(std::move(link));
}

}  // namespace

void plan_mounts(const Config& config, const Bundle& bundle, const runtime::Cgroups& cgroups, Launch& launch) {
    Planner p{config, bundle, cgroups, launch, ConfinedRoot(AT_FDCWD, bundle.root)};
    p.user_namespace = config.find(CLONE_NEWUSER) != nullptr;
    p.own_dev = !mounts_at(config, "/dev", true);
    launch.spec.root_folder = bundle.root;
    launch.spec.root_tree = launch.add(open_tree(bundle.root, true));
    launch.spec.null_tree = launch.add(open_tree("/dev/null", false));
    launch.spec.root_propagation = config.root_propagation ? config.root_propagation : kPrivate;
    launch.spec.flags |= shim::kMatchNodes;
    if (config.read_only) launch.spec.flags |= shim::kReadOnlyRoot;
    for (const Mount& mount : config.mounts) add_mount(p, mount);
    if (p.own_dev) {
        add_devices(p);
        add_links(p);
    }
    for (const std::string& path : config.masked_paths) p.add(runtime::mask_step(runtime::clean_path(path)));
    for (const std::string& path : config.read_only_paths) p.add(runtime::read_only_step(runtime::clean_path(path)));
}

}  // namespace kedge::oci

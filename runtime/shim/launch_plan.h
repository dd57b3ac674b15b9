#pragma once

#include <cstdint>

/// What the agent hands to kedge-shim: one memfd with everything worked out in advance, so that nothing is parsed,
/// looked up or allocated between clone and exec. Positions are offsets from the plan's first byte; 0 means none. Texts
/// end in a zero byte. Agent and shim are installed together; kPlanMagic keeps a mixed pair from running.
namespace kedge::shim {

constexpr uint64_t kPlanMagic = 0x6b65646765303038;  // "kedge008"

/// Descriptors that the agent puts in place before the shim executes.
constexpr int kPlanFd = 3;
constexpr int kAgentFd = 4;       ///< SOCK_SEQPACKET: Message to the agent; a byte from it lets the start go on
constexpr int kFirstExtraFd = 5;  ///< namespaces to join, and for exec the pidfd of the container's first process

using Text = uint32_t;

struct List {
    uint32_t at = 0;
    uint32_t count = 0;
};

enum class MountKind : uint32_t {
    filesystem,  ///< a new instance of `type`, with `options`
    bind,        ///< what `source` is on the host, opened before the root is changed
    mask,        ///< hides `target`: a file behind /dev/null, a folder behind an empty one; a missing one is fine
    read_only,   ///< makes the tree at `target` read-only; a missing one is fine
    attributes,  ///< sets `attributes` on the mount at `target`
    link,        ///< a symbolic link `target` to `source`
    node,        ///< a device node `target` with `mode`, `device`
};

enum MountFlag : uint32_t {
    kRecursive = 1,
    kStrict = 2,         ///< no component of the target may be a symbolic link: the container's own /proc, /sys, /dev
    kProcAllowed = 4,    ///< the target may lie in /proc
    kOptional = 8,       ///< a failure is a warning
    kModeOfTarget = 16,  ///< of a tmpfs: it has the mode of the folder that it covers, and 1777 where there was none
};

/// What is changed of a mount once it is where it belongs.
struct MountChange {
    uint64_t set = 0;          ///< MOUNT_ATTR_*
    uint64_t clear = 0;        ///< MOUNT_ATTR_*
    uint64_t propagation = 0;  ///< MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE; 0: left as it is
    uint32_t recursive = 0;
    uint32_t unused = 0;
};

struct MountStep {
    MountKind kind = MountKind::filesystem;
    uint32_t flags = 0;
    Text target = 0;
    Text source = 0;
    Text type = 0;
    Text confined_to =
        0;  ///< a folder above `source`, which is opened below it without following links; 0: from the host's root
    List options;              ///< of Text pairs: key, value (0: a flag)
    uint64_t attributes = 0;   ///< MOUNT_ATTR_* to set
    uint64_t propagation = 0;  ///< MS_PRIVATE, MS_SLAVE, MS_SHARED; 0: left as it is
    uint32_t mode = 0;
    uint32_t uid = 0;
    uint32_t gid = 0;
    int32_t fd = -1;  ///< of a bind: the opened source, if it was handed over; else the shim opens it
    uint64_t device = 0;
    List changes;  ///< MountChange, in this order, after `attributes` and `propagation`
};

struct Join {
    int32_t fd = -1;
    uint32_t type = 0;  ///< CLONE_NEW*
};

struct Limit {
    uint32_t resource = 0;
    uint32_t unused = 0;
    uint64_t soft = 0;
    uint64_t hard = 0;
};

struct Setting {  ///< a sysctl: the path below /proc/sys
    Text path = 0;
    Text value = 0;
    uint32_t optional = 0;
};

enum PlanFlag : uint32_t {
    kNewCgroupNamespace = 1,
    kNoNewPrivileges = 2,
    kTerminal = 4,
    kOpenStdin = 8,
    kReadOnlyRoot = 16,
    kKeepLog = 32,
    kSetHostname = 64,
    kSetOomScore = 128,
    kMakeWorkingDir = 256,
    kDropCapabilities = 512,
    kStdinOnce = 1024,  ///< the standard input ends with the first who is attached to it
    // Those of an OCI runtime, which leaves no process of its own behind:
    kExactCapabilities = 2048,  ///< all five sets are given; without it, root has the bounding set and others nothing
    kAwaitGo = 8192,            ///< of exec: one byte from kAgentFd lets the process become its user and execute
    kMatchNodes = 16384,        ///< a file that is there already must be the device that was asked for
    kUserNamespace = 32768,     ///< everything is done as root of the user namespace
    kNewTimeNamespace = 65536,
    kKeepUmask = 1 << 17,
    kSetPersonality = 1 << 18,
    kStrictLimits = 1 << 19,     ///< a limit that can't be set is an error and no warning
    kSettingsOfLinks = 1 << 20,  ///< a sysctl is a link's, which is there once the network is wired
};

struct Plan {
    uint64_t magic = 0;
    uint32_t size = 0;
    uint32_t flags = 0;
    uint64_t clone_flags = 0;
    Text cgroup_folder = 0;  ///< of cgroup v2, to be born in (CLONE_INTO_CGROUP); 0: none
    List cgroups;            ///< Text: files of cgroup v1 to write into
    Text oom_file = 0;       ///< memory.events or memory.oom_control of the container
    List joins;              ///< Join
    // the root file system
    Text layers_folder = 0;    ///< lowerdir names in overlay_options are relative to it
    Text overlay_options = 0;  ///< 0: the root is a bind of `root_source`
    Text root_source = 0;
    Text root_folder = 0;  ///< where it is mounted, in the container's mount namespace only
    List mounts;           ///< MountStep, in order
    List sysctls;          ///< Setting
    Text hostname = 0;
    Text domainname = 0;
    // the process
    List
        arguments;  ///< of 8-byte slots, one more than count, that hold offsets until the shim turns them into pointers
    List environment;      ///< the same
    Text search_path = 0;  ///< PATH of the container
    Text working_dir = 0;
    uint32_t uid = 0;
    uint32_t gid = 0;
    uint16_t terminal_rows = 0;  ///< 0: the terminal's size isn't known yet
    uint16_t terminal_columns = 0;
    uint32_t unused = 0;
    List groups;                ///< uint32_t
    List limits;                ///< Limit
    uint64_t capabilities = 0;  ///< the bounding set; what root has
    List seccomp;               ///< struct sock_filter; count 0: none
    int32_t oom_score_adj = 0;
    // what the shim keeps
    Text run_folder = 0;
    Text log_folder = 0;
    Text log_name = 0;
    uint64_t log_max_size = 0;  ///< 0: without end
    uint32_t log_max_files = 1;
    Text pid_note = 0;  ///< further lines for the pid file
    // what an OCI runtime asks for
    Text executable = 0;  ///< 0: the first argument, looked for in search_path
    Text time_offsets = 0;
    Text apparmor_profile = 0;
    Text keyring = 0;  ///< the name of a new session keyring; 0: none
    uint64_t effective = 0, permitted = 0, inheritable = 0, ambient = 0;  ///< with kExactCapabilities
    uint64_t root_propagation = 0;                                        ///< as of MountChange
    uint32_t umask = 022;
    uint32_t seccomp_flags = 0;
    uint32_t personality = 0;
    int32_t root_tree = -1;  ///< of `create`: the root, a detached tree of mounts
    int32_t null_tree = -1;  ///< the host's /dev/null, the same
    int32_t listener = -1;   ///< of `create`: where the process waits for its start
    /// Of exec: this plan says only what to enter, and the whole one is in this file after one byte from kAgentFd. It
    /// has the same groups, and their texts in the same places.
    int32_t whole_plan = -1;
    int32_t first_preserved = -1;
    uint32_t preserved = 0;  ///< descriptors from first_preserved on that become 3, 4, ...
};

enum class Stage : uint32_t {
    none,
    plan,
    log,
    pipe,
    clone,
    cgroup,
    join,
    hostname,
    root,
    source,
    target,
    mount,
    device,
    sysctl,
    pivot,
    limit,
    oom_score,
    terminal,
    working_dir,
    user,
    capabilities,
    seccomp,
    network,
    exec,
    exec_path,
    time,
    apparmor,
    listen,
};

enum class MessageKind : uint32_t {
    spawned,    ///< with the first process' pidfd (SCM_RIGHTS)
    warning,    ///< something asked for was not possible, the start goes on
    failed,     ///< the start ends here
    executing,  ///< execve is next; the socket's end follows if it succeeds
    terminal,   ///< of an exec or `create`: with its terminal's master (SCM_RIGHTS)
    prepared,   ///< of `create`: everything is mounted, and one byte lets it leave the host's mounts
    ready,      ///< of `create`: it waits for its start
    listening,  ///< with the listener of a filter that has one (SCM_RIGHTS); one byte lets it execute
};

struct Message {
    MessageKind kind = MessageKind::spawned;
    Stage stage = Stage::none;
    int32_t error = 0;
    Text subject = 0;  ///< what it was about, in the plan
    int32_t pid = 0;
    int32_t shim_pid = 0;
    uint64_t start_time = 0;
    uint64_t shim_start_time = 0;
};

/// Exit codes of a container that could not be started, as Docker's.
constexpr int kCannotStart = 128;
constexpr int kCannotExecute = 126;
constexpr int kNotFound = 127;

}  // namespace kedge::shim

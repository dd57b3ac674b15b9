#pragma once

#include "runtime/shim/launch_plan.h"
#include "runtime/shim/sys.h"

namespace kedge::shim {

/// A plan mapped into memory (private and writable: some fields are filled in), and what a start passes from step to
/// step.
struct Start {
    char* base = nullptr;
    Plan* plan = nullptr;
    int null_fd = 0;     ///< /dev/null of the host
    int out_write = -1;  ///< pipes of the container's streams; -1: what the shim has is inherited
    int err_write = -1;
    int in_read = -1;
    int terminal = -1;    ///< where the child sends its terminal's master: to the shim, or for an exec to the agent
    bool console = true;  ///< the terminal is shown at /dev/console
    int root = -1;        ///< the container's root folder, once entered

    const char* text(Text at) const { return base + at; }
    template <typename T>
    T* list(List l) const {
        return reinterpret_cast<T*>(base + l.at);
    }
    bool has(PlanFlag flag) const { return (plan->flags & flag) != 0; }
};

/// Maps the plan of `fd` and closes that. False if it is none.
bool map_plan(Start& start, int fd = kPlanFd);
void unmap_plan(Start& start);

/// What the agent or its parents ignore is not for a container to inherit.
void reset_signals();

/// Tells the agent and ends the process with the exit code that Docker gives for this stage.
[[noreturn]] void fail(Stage stage, long error, Text subject = 0);
void warn(Stage stage, long error, Text subject = 0);
void tell(Message message, int fd = -1);
/// From now on the agent is spoken to through a descriptor of at least this number.
void move_agent(int at_least);

/// One message with a descriptor, or none (-1); and the descriptor of a Message, -1 at the end.
bool send_descriptor(int socket, const void* data, size_t size, int fd);
int receive_descriptor(int socket);

/// clone3 as fork does it, with the plan's flags. Returns 0 in the child, its pid in the parent, or a negative errno.
int clone_process(const Start& start, int* pidfd);

/// One byte from the agent, which has done its part. Its end says that nobody would ever know of this container.
void await_go();

/// Root of the user namespace, if the plan has one.
void become_namespace_root(const Start& start);

// What the new process does, in this order. None of it returns on failure.

void join_cgroups(const Start& start);
void join_namespaces(const Start& start);
/// The AppArmor profile that comes into force with exec: through the host's /proc, which no container has prepared.
void change_profile(const Start& start);
void change_personality(const Start& start);
void name_host(const Start& start);
/// Opens what the host has to give, then leaves the host's mounts for the container's root.
void enter_root(Start& start);
/// The same in two steps for `create`: the root is in its place, and the host's mounts are still there; they are gone.
void attach_root(Start& start);
void leave_host(const Start& start);
void mount_all(const Start& start);
void write_sysctls(const Start& start);
/// Masks and what is made read-only: after the sysctls, which it would keep from being written.
void cover_all(const Start& start);
void connect_streams(const Start& start);
/// Makes the controlling terminal, shows it at /dev/console and sends its other side to the shim, if one is asked for.
void connect_terminal(const Start& start);
void show_console(const Start& start, unsigned number);
void set_limits(const Start& start);
/// From write_sysctls to set_limits, in the order that is right: all that is the same however a container is made, once
/// its mounts are there.
void settle(const Start& start);
void enter_working_dir(const Start& start);
/// Makes the root read-only if asked for: the last change of the mounts, as targets and the working folder are made
/// before.
void seal_root(const Start& start);
/// User, groups and capabilities; what loading the filter needs is kept until then.
void become_user(const Start& start);
void load_filter(const Start& start);
/// Whether there is something to execute; doesn't return otherwise.
void check_executable(const Start& start);
[[noreturn]] void execute(const Start& start);

/// Finds `path` below `root` as the container would, never leaving it, and makes what is missing: folders, and at the
/// end a folder or an empty file. Symbolic links, also dangling ones, are followed inside the root. Returns an O_PATH
/// descriptor or a negative errno.
int make_target(int root, const char* path, bool folder);

}  // namespace kedge::shim

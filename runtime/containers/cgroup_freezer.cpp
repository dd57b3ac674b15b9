#include "base/error.h"
#include "runtime/containers/cgroup_files.h"
#include "runtime/containers/cgroups.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

namespace kedge::runtime {

namespace {

using Clock = std::chrono::steady_clock;

/// A process that waits for a disk stops once it no longer does.
constexpr auto kPatience = std::chrono::seconds(10);
constexpr int kLookAgain = 1;    // milliseconds: on v1 nobody tells
constexpr int kLookIfGone = 20;  // milliseconds: that the group was removed, nobody tells on v2 either

[[noreturn]] void give_up() {
    throw Error(Code::unavailable, "unable to freeze the container: its processes have not stopped in " +
                                       std::to_string(kPatience.count()) + " s");
}

void freeze_v2(const std::string& folder) {
    // Opened first: what happens from here on is told.
    Fd events = open_at(AT_FDCWD, folder + "/cgroup.events", O_RDONLY);
    if (int error = write_group_file(folder + "/cgroup.freeze", "1")) throw errno_error("freeze " + folder, error);
    for (const auto deadline = Clock::now() + kPatience;;) {
        char text[256];
        ssize_t size = ::pread(events.get(), text, sizeof text, 0);
        if (size < 0) throw_errno("freeze " + folder);
        if (std::string_view(text, static_cast<size_t>(size)).find("frozen 1") != std::string_view::npos) return;
        if (Clock::now() >= deadline) give_up();
        pollfd changed{events.get(), POLLPRI, 0};
        (void)::poll(&changed, 1, kLookIfGone);
    }
}

void freeze_v1(const std::string& folder) {
    for (const auto deadline = Clock::now() + kPatience; Clock::now() < deadline;) {
        // Written again each time: a process that was made in between is not yet told to stop.
        if (int error = write_group_file(folder + "/freezer.state", "FROZEN"))
            throw errno_error("freeze " + folder, error);
        if (read_group_file(folder + "/freezer.state") == "FROZEN") return;
        (void)::poll(nullptr, 0, kLookAgain);
    }
    give_up();
}

}  // namespace

void Cgroups::freeze(const std::string& path) const {
    // The newer freezer where there are both: who is stopped by it can be killed.
    const std::string newer = v2_folder(path);
    const CgroupHierarchy* older = with("freezer");
    try {
        if (!newer.empty() && group_file_exists(newer + "/cgroup.freeze"))
            freeze_v2(newer);
        else if (older && !older->v2)
            freeze_v1(group_folder(older->mount_point, path));
        else
            throw Error(Code::unavailable, "this machine can't stop the processes of a container: it has no freezer");
    } catch (const Error&) {
        thaw(path);
        throw;
    }
}

void Cgroups::thaw(const std::string& path) const {
    if (const std::string newer = v2_folder(path); !newer.empty())
        (void)write_group_file(newer + "/cgroup.freeze", "0");
    if (const CgroupHierarchy* older = with("freezer"); older && !older->v2)
        (void)write_group_file(older->mount_point + "/" + path + "/freezer.state", "THAWED");
}

bool Cgroups::is_frozen(const std::string& path) const {
    const std::string newer = v2_folder(path);
    if (!newer.empty() && read_group_file(newer + "/cgroup.freeze") == "1") return true;
    const CgroupHierarchy* older = with("freezer");
    if (!older || older->v2) return false;
    const std::string state = read_group_file(older->mount_point + "/" + path + "/freezer.state");
    return state == "FROZEN" || state == "FREEZING";
}

}  // namespace kedge::runtime

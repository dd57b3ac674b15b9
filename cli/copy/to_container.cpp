#include "base/error.h"
#include "base/piped.h"
#include "base/tar/tree_to_tar.h"
#include "cli/copy/copy.h"
#include "cli/copy/local.h"
#include "cli/copy/remote.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <vector>

namespace kedge::cli {

namespace {

struct RemoteTarget {
    CopySide side;
    std::optional<RemoteStat> stat;
};

RemoteTarget remote_target(const Client& client, const CopyArgument& target) {
    RemoteTarget to;
    to.side.path = target.path;
    to.stat = remote_stat(client, target.container, target.path);
    if (to.stat && to.stat->is_link()) {
        to.side.path = to.stat->link_target;
        to.stat = remote_stat(client, target.container, to.side.path);
    }
    if (to.stat && !to.stat->is_folder() && !to.stat->is_file()) {
        throw Error(Code::invalid_argument,
                    fmt::format("destination \"{}:{}\" must be a directory or a regular file: got {}", target.container,
                                target.path, to.stat->mode >> 26 & 1 ? "a device" : "an irregular file"));
    }
    to.side.exists = to.stat.has_value();
    to.side.is_folder = to.stat && to.stat->is_folder();
    return to;
}

void send(const Client& client, const CopyArgument& target, const std::string& folder, const CopyOptions& options,
          int tar_fd, const std::function<void()>& at_end, CopyProgress& progress) {
    std::vector<char> buffer(256 << 10);
    auto next = [&]() -> std::string_view {
        ssize_t size = -1;
        do {
            size = ::read(tar_fd, buffer.data(), buffer.size());
        } while (size < 0 && errno == EINTR);
        if (size < 0) throw_errno("read");
        if (size == 0 && at_end) at_end();  // throws if that was not all: the agent must not take it for the end
        progress.add(static_cast<size_t>(size));
        return {buffer.data(), static_cast<size_t>(size)};
    };
    std::string url = archive_url(target.container, folder) + "&noOverwriteDirNonDir=true";
    if (options.archive) url += "&copyUIDGID=true";
    client.upload(
        url, next, [](std::string_view) {}, "PUT");
}

Fd open_source(const CopySide& source) {
    Fd fd(::open(source.path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) throw_errno("open " + source.path);
    if (in_pseudo_filesystem(fd.get()))
        throw Error(Code::invalid_argument,
                    source.path + " is in one of the kernel's own file systems (proc, sysfs, ...): it can't be copied");
    return fd;
}

}  // namespace

void copy_to_container(const Client& client, const std::string& source, const CopyArgument& target,
                       const CopyOptions& options) {
    RemoteTarget to = remote_target(client, target);
    CopyProgress progress("Copying to container", options.quiet);
    if (source == "-") {
        if (to.stat && !to.side.is_folder)
            throw Error(Code::invalid_argument,
                        fmt::format("destination \"{}:{}\" must be a directory", target.container, target.path));
        send(client, target, to.side.path, options, STDIN_FILENO, {}, progress);
    } else {
        CopySide from = local_source(absolute(working_folder(), source), options.follow_link);
        CopyPlan plan = plan_copy(from, to.side);
        std::string name = !plan.name.empty()       ? plan.name
                           : !from.shown_as.empty() ? from.shown_as
                                                    : SplitPath(from.path).name;
        Fd top = open_source(from);
        Piped archive([&](const Piped::Write& write) {
            TarWriter tar(write);
            TreeToTar(tar, {}).add(top, name);
            tar.finish();
        });
        send(
            client, target, plan.folder, options, archive.read_end(), [&] { archive.finish(); }, progress);
    }
    progress.done(target.container + ":" + to.side.path);
}

}  // namespace kedge::cli

#include "base/confined.h"
#include "base/error.h"
#include "base/piped.h"
#include "base/tar/tar_to_tree.h"
#include "cli/copy/copy.h"
#include "cli/copy/local.h"
#include "cli/copy/remote.h"
#include "cli/session.h"

#include <fcntl.h>
#include <unistd.h>

#include <vector>

namespace kedge::cli {

namespace {

/// What is behind a link in a container, if that was asked for.
CopySide remote_source(const Client& client, const CopyArgument& source, bool follow) {
    CopySide side;
    side.path = source.path;
    std::optional<RemoteStat> stat = remote_stat(client, source.container, source.path);
    if (follow && stat && stat->is_link()) {
        side = behind_link(source.path, stat->link_target);
        stat = remote_stat(client, source.container, side.path);
    }
    side.exists = stat.has_value();
    side.is_folder = stat && stat->is_folder();
    return side;
}

void extract(int tar_fd, const CopySide& source, const CopyPlan& plan, const CopyOptions& options,
             CopyProgress& progress) {
    ConfinedRoot folder(AT_FDCWD, plan.folder);
    TarToTree::Options how;
    how.follow_links = false;
    how.keep_types = true;
    how.own_owner = options.archive && ::geteuid() == 0;
    how.lenient = true;
    how.no_devices = [](const std::string& path) {
        print("kedge: " + path + " is a device and was not copied\n", STDERR_FILENO);
    };
    TarToTree to(folder, {}, how);
    std::vector<char> buffer(256 << 10);
    TarReader reader([&]() -> std::string_view {
        ssize_t size = -1;
        do {
            size = ::read(tar_fd, buffer.data(), buffer.size());
        } while (size < 0 && errno == EINTR);
        if (size < 0) throw_errno("read the archive");
        progress.add(static_cast<size_t>(size));
        return {buffer.data(), static_cast<size_t>(size)};
    });
    const std::string from = SplitPath(source.path).name;
    std::string name = plan.name.empty() ? source.shown_as : plan.name;
    TarEntry entry;
    while (reader.next(entry)) {
        if (!name.empty()) {
            entry.path = renamed(entry.path, from, name);
            if (entry.type == TarEntry::Type::hardlink) entry.link = renamed(entry.link, from, name);
        }
        to.add(entry, reader);
    }
    to.finish();
}

}  // namespace

void copy_from_container(const Client& client, const CopyArgument& source, const std::string& target,
                         const CopyOptions& options) {
    const bool to_stdout = target == "-";
    const std::string path = to_stdout ? target : absolute(working_folder(), target);
    if (!to_stdout) check_output(path);
    CopySide from = remote_source(client, source, options.follow_link);
    const std::string url = archive_url(source.container, from.path);
    if (to_stdout || !from.exists)  // if it isn't there, the answer says what is wrong
        return client.stream("GET", url, {}, [](std::string_view piece) { print(piece); });
    CopyPlan plan = plan_copy(from, local_target(path));
    CopyProgress progress("Copying from container", options.quiet);
    Piped archive([&](const Piped::Write& write) { client.stream("GET", url, {}, write); });
    try {
        extract(archive.read_end(), from, plan, options, progress);
    } catch (...) {
        archive.finish();  // an answer that is no archive says why
        throw;
    }
    archive.finish();
    progress.done(path);
}

}  // namespace kedge::cli

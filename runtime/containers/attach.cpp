#include "base/error.h"
#include "runtime/containers/attach_queue.h"
#include "runtime/containers/container_engine.h"

#include <fmt/format.h>
#include <sys/ioctl.h>

namespace kedge::runtime {

std::unique_ptr<Attachment> ContainerEngine::attach(const std::string& id, const AttachOptions& options) {
    Snapshot record = store_.find(id);
    auto entry = live(record->info.id);
    // A start in progress has either not yet looked who waits for it, or is over.
    std::lock_guard lock(entry->operation);
    record = store_.find(record->info.id);
    const ContainerInfo& info = record->info;
    if (info.status == Status::paused) {
        throw Error(Code::conflict,
                    fmt::format("container {} is paused, unpause the container before attach", info.id));
    }
    if (info.status == Status::restarting) {
        throw Error(Code::conflict,
                    fmt::format("Container {} is restarting, wait until the container is running", info.id));
    }
    AttachOptions wanted = options;
    if (info.spec.tty) {
        wanted.out = options.out || options.err;
        wanted.err = false;
    }
    bool runs = info.status == Status::running && run_of(info.id);
    auto attachment = make_attachment(wanted, runs ? nullptr : entry->attaching, run_folder_of(info.id));
    publish(*record, "attach");
    return attachment;
}

void ContainerEngine::resize(const std::string& id, unsigned rows, unsigned columns) {
    Snapshot record = up(id);
    if (!record->info.spec.tty) return;  // there is nothing that has a size
    AttachOptions options{.out = false, .err = false, .in = true, .pending = false};
    Fd terminal = make_attachment(options, nullptr, run_folder_of(record->info.id))->wait({}).in;
    winsize size{static_cast<unsigned short>(rows), static_cast<unsigned short>(columns), 0, 0};
    if (terminal && ::ioctl(terminal.get(), TIOCSWINSZ, &size) != 0) throw_errno("resize the terminal");
    publish(*record, "resize", {{"height", std::to_string(rows)}, {"width", std::to_string(columns)}});
}

}  // namespace kedge::runtime

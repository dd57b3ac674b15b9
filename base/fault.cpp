#include "base/fault.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace kedge {

namespace {

constexpr std::string_view kFaultPoints[] = {
    // sources: a commit becomes a tree on disk
    "git.checkout.before",
    "git.checkout.after",
    // images: a blob arrives, is unpacked, is named
    "pull.blob.before_rename",
    "pull.blob.after_rename",
    "unpack.layer.before_sync",
    "unpack.layer.before_rename",
    "unpack.layer.after_rename",
    "image.tag.before_write",
    "image.tag.after_write",
    // reconciler: a release goes through its states
    "release.before_record",
    "release.after_record",
    "release.fetched.before_commit",
    "release.fetched.after_commit",
    "apply.step.before",
    "apply.step.after",
    "release.soaking.after_commit",
    "release.good.before_commit",
    "release.good.after_commit",
    "rollback.before_record",
    "rollback.after_record",
    "rollback.step.before",
    "rollback.step.after",
    "rollback.done.before_commit",
    "rollback.done.after_commit",
    // containers, networks and volumes: a durable record and what it stands for
    "network.create.before_record",
    "network.create.after_record",
    "network.remove.before_record",
    "network.remove.after_record",
    "network.connect.before_record",
    "network.connect.after_record",
    "network.connect.before_link",
    "network.connect.after_link",
    "network.disconnect.before_record",
    "network.disconnect.after_record",
    "network.disconnect.after_link",
    "volume.create.before_record",
    "volume.create.after_record",
    "volume.fill.before_rename",
    "volume.fill.after_rename",
    "container.create.before_record",
    "container.create.after_record",
    "container.start.before_spawn",
    "container.start.after_spawn",
    "container.start.after_record",
    "container.stop.before_record",
    "container.stop.after_record",
    "container.commit.paused",
    "container.remove.before_record",
    "container.remove.after_record",
    "ports.move.before",
    "ports.move.after",
};

struct Armed {
    std::string name;
    long pass = 1;
    std::atomic<long> passed{0};

    Armed() {
        const char* value = std::getenv("KEDGE_FAULT");
        if (!value) return;
        name = value;
        if (size_t colon = name.find(':'); colon != std::string::npos) {
            pass = std::strtol(name.c_str() + colon + 1, nullptr, 10);
            name.resize(colon);
        }
    }
};

}  // namespace

std::span<const std::string_view> fault_points() {
    return kFaultPoints;
}

void fault_point(std::string_view name) {
    static Armed armed;
    if (armed.name.empty()) return;
    if (std::find(std::begin(kFaultPoints), std::end(kFaultPoints), name) == std::end(kFaultPoints)) {
        std::fprintf(stderr, "fault point %.*s is not in the list\n", static_cast<int>(name.size()), name.data());
        std::abort();
    }
    if (name == armed.name && ++armed.passed == armed.pass) (void)::raise(SIGKILL);
}

}  // namespace kedge

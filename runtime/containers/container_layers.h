#pragma once

#include "base/error.h"
#include "base/fd.h"
#include "base/tar/tar_writer.h"
#include "runtime/containers/container_store.h"

#include <functional>
#include <set>
#include <stop_token>
#include <string>

namespace kedge::runtime {

/// What a container has written, and what that lies over.
struct ContainerLayers {
    ContainerStore::Snapshot record;
    Fd upper;                     ///< overlayfs' own folder
    Fd lower;                     ///< the image, merged; none if it has no layer
    std::set<std::string> stubs;  ///< of the upper one: see mount_stubs()
};

/// An archive for somebody who may give up meanwhile.
inline void write_archive(const std::function<bool(std::string_view)>& sink, const std::stop_token& stop,
                          const std::function<void(TarWriter&)>& fill) {
    TarWriter tar([&](std::string_view piece) {
        if (stop.stop_requested() || !sink(piece)) throw Error(Code::cancelled, "the copy was given up");
    });
    fill(tar);
    tar.finish();
}

}  // namespace kedge::runtime

#pragma once

#include "base/fd.h"
#include "runtime/container_spec.h"

#include <memory>
#include <utility>

namespace kedge::runtime {

/// A mount of a container once it is known what lies there: a bind, which volumes and images have become too, or a
/// tmpfs.
struct PlacedMount : Mount {
    PlacedMount(Mount mount, std::shared_ptr<const Fd> placed = nullptr)
        : Mount(std::move(mount)), tree(std::move(placed)) {}

    std::shared_ptr<const Fd> tree;  ///< what is mounted in place of the source: a copy that belongs to no namespace
};

}  // namespace kedge::runtime

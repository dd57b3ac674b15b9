#pragma once

#include "base/fd.h"

#include <functional>

namespace kedge {

/// Runs `work` on a thread of its own, which may change its namespaces: one that has other threads beside it could not
/// go back. Hands on what it returns or throws.
Fd on_own_thread(const std::function<Fd()>& work);

/// The same in a mount namespace that is gone afterwards and in which nothing propagates: nobody else sees what is
/// mounted there, and it ends with the last descriptor that holds it.
Fd in_own_mounts(const std::function<Fd()>& work);

/// A copy of the mount at `path` that belongs to no namespace, `with_others` of what is mounted below it too. An empty
/// path means `folder` itself. Empty, with errno, if that is not possible.
Fd copy_of_mount(int folder, const char* path, bool with_others);

}  // namespace kedge

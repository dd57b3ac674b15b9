#pragma once

#include "runtime/containers/launch_spec.h"

#include <string>
#include <vector>

namespace kedge::runtime {

/// A container's /etc/passwd and /etc/group, read without its help: found in the overlay's folders, topmost first, or
/// below the root of a running container. Both are hostile.
class UserDatabase {
public:
    explicit UserDatabase(const std::vector<std::string>& folders);

    /// `user[:group]` as Docker takes it, names or numbers; empty means root. `more` are the groups of --group-add.
    /// Errors as Docker words them: `unable to find user x: no matching entries in passwd file`.
    LaunchUser find(const std::string& user, const std::vector<std::string>& more) const;

private:
    std::string passwd_;
    std::string group_;
};

}  // namespace kedge::runtime

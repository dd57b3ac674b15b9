#pragma once

#include "base/fd.h"

#include <string>

namespace kedge::oci {

/// A copy of a program in memory that nobody can change. Containers may get hold of what was executed in them through
/// /proc/<pid>/exe, and root in one could otherwise write into the host's file as soon as nothing runs it.
class SealedProgram {
public:
    /// Throws Error.
    explicit SealedProgram(const std::string& path);

    /// A name for it that holds for this process and what it starts.
    const std::string& path() const { return path_; }

private:
    Fd memory_;
    std::string path_;
};

}  // namespace kedge::oci

#pragma once

#include <string>

namespace kedge::oci {

/// Where warnings and errors go besides standard error, in the form that callers of OCI runtimes read.
struct Log {
    std::string path;
    bool json = false;

    void write(const std::string& level, const std::string& message) const;
};

}  // namespace kedge::oci

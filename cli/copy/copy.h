#pragma once

#include "cli/client.h"
#include "cli/copy_paths.h"

#include <string>

namespace kedge::cli {

struct CopyOptions {
    bool archive = false;      ///< -a: with owners
    bool follow_link = false;  ///< -L: of the source
    bool quiet = false;
};

/// `kedge cp CONTAINER:PATH PATH|-`, and the other way round. Throw Error.
void copy_from_container(const Client& client, const CopyArgument& source, const std::string& target,
                         const CopyOptions& options);
void copy_to_container(const Client& client, const std::string& source, const CopyArgument& target,
                       const CopyOptions& options);

/// What is shown on standard error: how much was copied so far, and at the end.
class CopyProgress {
public:
    CopyProgress(const char* direction, bool quiet);
    void add(size_t bytes);
    void done(const std::string& target);

private:
    const char* direction_;
    bool quiet_, live_;
    int64_t bytes_ = 0, shown_ = 0;
};

}  // namespace kedge::cli

#pragma once

#include "base/fd.h"
#include "runtime/containers.h"

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

namespace kedge::runtime {

/// Reads a json-file log while a shim may be writing and rotating it: name.2, name.1 (older), name (newest). Nothing is
/// missed or read twice across rotations; what was rotated away before it could be read is lost, as it is for everyone.
class LogReader {
public:
    using Sink = std::function<bool(const LogLine&)>;

    LogReader(const std::string& folder, std::string name);

    /// Begins with the last `lines` lines instead of the first.
    void seek_tail(int64_t lines);

    /// Hands over all complete lines that are there and were not yet. False once the sink, or the time `until`, ended
    /// it. Ends early when `stop` is requested: a writer may be faster than this.
    bool drain(const LogOptions& options, const Sink& sink, const std::stop_token& stop = {});

private:
    std::vector<Fd> open_files() const;  ///< oldest first
    bool read_current(const LogOptions& options, const Sink& sink, const std::stop_token& stop);
    bool next_file();

    Fd folder_;
    std::string name_;
    std::vector<Fd> files_;  ///< oldest first; those before current_ are done
    size_t current_ = 0;
    int64_t offset_ = 0;   ///< in the current one
    std::string pending_;  ///< a line whose end is not there yet
};

}  // namespace kedge::runtime

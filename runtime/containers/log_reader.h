#pragma once

#include "base/fd.h"
#include "runtime/container_logs.h"

#include <string>
#include <vector>

namespace kedge::runtime {

/// Reads a json-file log while a shim may be writing and rotating it: name.2, name.1 (older), name (newest). Nothing is
/// missed or read twice across rotations; what was rotated away before it could be read is lost, as it is for everyone.
class LogReader {
public:
    LogReader(const std::string& folder, std::string name);

    /// Begins with the last `lines` lines instead of the first.
    void seek_tail(int64_t lines);

    /// Hands over the complete lines that are there and were not yet; a megabyte of them at most, since a writer may be
    /// faster than this. `ended` only at the time `until`.
    LogFollower::Read read(const LogOptions& options, const LogSink& sink);

private:
    std::vector<Fd> open_files() const;  ///< oldest first
    LogFollower::Read read_current(const LogOptions& options, const LogSink& sink, size_t* left);
    bool next_file();

    Fd folder_;
    std::string name_;
    std::vector<Fd> files_;  ///< oldest first; those before current_ are done
    size_t current_ = 0;
    int64_t offset_ = 0;   ///< in the current one: up to where pending_ has it
    std::string pending_;  ///< read, and not handed over: a line whose end is not there yet
};

}  // namespace kedge::runtime

#pragma once

#include <string_view>

namespace kedge {

enum class LogLevel { debug, info, warning, error };

/// One line to standard error with time and level. Only the agent, the loop and the tops of threads log;
/// library code throws or returns. No credential may be in the text. Thread-safe.
void log(LogLevel level, std::string_view text);

/// Lines below this level are dropped; `info` at first.
void set_log_level(LogLevel level);

}  // namespace kedge

#pragma once

#include <string>

namespace kedge::runtime {

/// The number of a signal as Docker takes it: `KILL`, `SIGKILL`, `sigkill`, `9`, `RTMIN+3`. Throws Error
/// (invalid_argument).
int signal_number(const std::string& text);

}  // namespace kedge::runtime

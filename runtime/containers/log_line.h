#pragma once

#include "runtime/containers.h"

#include <string_view>

namespace kedge::runtime {

/// Reads one line of a json-file log, `{"log":"text\n","stream":"stdout","time":"2026-..."}`. False if it is damaged
/// (the end of a file after a power cut).
bool decode_log_line(std::string_view json, LogLine* line);

}  // namespace kedge::runtime

#pragma once

#include "base/clock.h"
#include "runtime/container_usage.h"

#include <cstdint>
#include <functional>
#include <string>

namespace kedge::api {

/// What the cells of a table of processes are made from, besides the process.
struct ProcessContext {
    WallTime now;
    uint64_t memory = 0;                                  ///< the machine's, bytes
    std::function<std::string(uint32_t id)> user, group;  ///< names; the number where there is none
};

/// A column of `ps`: the word that asks for it (`-o`), its heading, and what it shows.
struct ProcessColumn {
    const char* word;
    const char* heading;
    std::string (*cell)(const runtime::ProcessInfo& process, const ProcessContext& context);
};

/// nullptr: there is none of that name.
const ProcessColumn* find_process_column(const std::string& word);

}  // namespace kedge::api

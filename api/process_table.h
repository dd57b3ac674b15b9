#pragma once

#include "api/process_columns.h"

#include <string>
#include <vector>

namespace kedge::api {

struct ProcessTable {
    std::vector<std::string> titles;
    std::vector<std::vector<std::string>> rows;
};

/// The processes as ps(1) of procps would show them with these options: its usual formats (`-ef`, `-eF`, `-el`, `-ej`,
/// `aux`, `axl`, `axj`) and `-o` with the columns of process_columns.h. Which processes there are is given; options
/// that only select are read over. Nothing is executed. Throws Error (invalid_argument) for any other option.
ProcessTable process_table(const std::string& options, const std::vector<runtime::ProcessInfo>& processes,
                           const ProcessContext& context);

/// For this machine, now: names from its databases of users and groups.
ProcessContext process_context();

}  // namespace kedge::api

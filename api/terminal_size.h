#pragma once

#include "api/http.h"
#include "api/json_body.h"

#include <utility>

namespace kedge::api {

/// Rows and columns of the query's `h` and `w`. Error invalid_argument if they are no numbers that a terminal can have.
std::pair<unsigned, unsigned> terminal_size(const Request& request);

/// The same of a body's `ConsoleSize`, which is [height, width]; zeros if it is absent.
std::pair<unsigned, unsigned> read_console_size(const Fields& body);

}  // namespace kedge::api

#pragma once

#include "base/error.h"
#include "sources/git_source.h"

#include <optional>
#include <string>

namespace kedge::sources {

/// What the agent asks of kedge-git, one process a request: JSON on its standard input. The answer is lines of JSON on
/// its standard output: `{"alive": n}` whenever something moved, and at last either the result or the error.
struct GitRequest {
    enum class Kind { fetch, checkout };
    Kind kind = Kind::fetch;
    GitSettings settings;
    std::string folder;
    std::string commit;  ///< checkout only
};

std::string to_json_text(const GitRequest& request);
GitRequest git_request_from_json(const std::string& text);

std::string to_json_text(const Commit& commit);
Commit commit_from_json(const std::string& text);

/// A line of the answer: nothing (alive), a result's text, or an Error that is thrown.
std::string alive_line(uint64_t count);
std::string result_line(const std::string& result);
std::string error_line(const Error& error);
std::optional<std::string> read_answer_line(const std::string& line);

}  // namespace kedge::sources

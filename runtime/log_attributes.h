#pragma once

#include <map>
#include <string>

namespace kedge::runtime {

struct ContainerInfo;
struct LogConfig;

/// What `logs --details` shows before each line of a container, of its log options: labels that `labels` lists or
/// `labels-regex` matches, variables that `env` and `env-regex` do, and the `tag`. The expressions are RE2's, in time
/// that is linear in the text; Go's, and so Docker's, are the same.
std::map<std::string, std::string> log_attributes(const ContainerInfo& info);

/// Whether an option is one of these. Throws Error (invalid_argument) for one that can't be understood.
bool check_log_attribute(const std::string& key, const std::string& value);

}  // namespace kedge::runtime

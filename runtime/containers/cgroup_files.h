#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace kedge::runtime {

// The files of a control group. What is missing is not there on this machine, or the group has just gone.

/// The folder of the group `path` in a hierarchy that is mounted there, for what is done to all processes in it. Throws
/// Error if that is the root group: all of the machine's.
std::string group_folder(const std::string& mount_point, const std::string& path);

/// Without the line end; empty if it isn't there.
std::string read_group_file(const std::string& path);
/// A file of one number; nullopt if it isn't there or says something else, such as `max`.
std::optional<uint64_t> read_group_number(const std::string& path);
/// A file with a word and a number in each line.
std::map<std::string, uint64_t> read_group_table(const std::string& path);

bool group_file_exists(const std::string& path);
/// 0, or the errno that it failed with.
int write_group_file(const std::string& path, std::string_view value);
/// Throws Error that names the file and the value.
void must_write(const std::string& folder, const std::string& file, const std::string& value);

/// On v1 a new cpuset has no processors and no memory, and nothing can join it until it has.
void inherit_cpuset(const std::string& parent, const std::string& child);

}  // namespace kedge::runtime

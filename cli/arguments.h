#pragma once

#include "base/error.h"
#include "cli/command_line.h"

#include <string>
#include <vector>

namespace kedge::cli {

/// A flag that isn't there, has no value or a wrong one: a command line that was typed wrongly ends with 125.
struct FlagError : Error {
    using Error::Error;
};

/// `invalid argument "x" for "-m, --memory" flag: reason`.
FlagError invalid_flag(const std::string& value, const std::string& flag, const std::string& reason);

/// Too few or too many words behind a command; a command takes from `least` to `most` of them.
Error wrong_count(CommandLine line, size_t least, size_t most);
inline constexpr size_t kAnyCount = 1000;
/// The same of a command whose words CLI11 counts.
Error wrong_count(const CLI::App& app);

/// The words of a command line that may name commands: `volume`, `ls` of `-H x volume ls --quiet`.
std::vector<std::string> called_words(const std::vector<std::string>& arguments);

/// Whether any of them may be an option, other than the agent's address.
bool may_have_options(const std::vector<std::string>& arguments);

/// The arguments as Docker's commands read them, rewritten so that CLI11 reads them the same way: `--entrypoint=` has
/// an empty value and `-p=80` is `-p 80`. What is unknown is a FlagError (`unknown flag: --x`), or of commands an
/// Error; numbers and yes-or-no flags that are none are FlagError too. `app` has its called command set up.
std::vector<std::string> as_docker_reads(const CLI::App& app, const std::vector<std::string>& arguments);

}  // namespace kedge::cli

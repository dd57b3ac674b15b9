#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace kedge::cli {

/// The words of a command line that may name commands: `volume`, `ls` of `-H x volume ls --quiet`.
std::vector<std::string> called_words(const std::vector<std::string>& arguments);

/// The arguments as Docker's commands read them, rewritten so that CLI11 reads them the same way: `--entrypoint=` has
/// an empty value, `-p=80` is `-p 80`, and what is unknown is an Error (`unknown flag: --x`). `app` has its called
/// command set up.
std::vector<std::string> as_docker_reads(const CLI::App& app, const std::vector<std::string>& arguments);

}  // namespace kedge::cli

#pragma once

#include "sources/project.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace kedge::sources {

struct ComposeInput {
    std::string directory;  ///< absolute: where relative paths start
    /// Absolute paths, later over earlier. Empty: compose.yaml, compose.yml, docker-compose.yaml or docker-compose.yml
    /// in `directory`, with its override file if there is one.
    std::vector<std::string> files;
    std::string project_name;  ///< empty: the file's `name`, then the folder's name, normalised
    std::vector<std::string> profiles;
    std::map<std::string, std::string>
        environment;                     ///< over `.env`: the shell's for `kedge compose`, none for a repository
    std::vector<std::string> env_files;  ///< absolute; instead of `<directory>/.env`, later over earlier
    /// Set for a repository: nothing may be read from outside this folder, and bind sources inside it get a content
    /// digest. Empty: no limit.
    std::string confine_to;
    /// Relative bind sources that the tree does not hold are moved here (a data folder that no sync touches). Empty:
    /// they stay below `directory`.
    std::string data_folder;
};

/// Loads a Compose project by the Compose specification. Errors are invalid_argument with
/// `file:line: path: what is wrong` (`compose.yaml:7: services.web.ports[0]: "80:x" is not a port`): malformed YAML,
/// unknown keys, keys not supported yet, references to what isn't declared, dependency cycles, files outside
/// `confine_to`, aliases that expand beyond bounds. Limits: 1 MiB per file, 100000 nodes after expansion, depth 64.
Project load_compose(const ComposeInput& input);

/// Interpolation of one string (Compose specification, 12-interpolation.md). Throws Error.
std::string interpolate(const std::string& text, const std::function<const std::string*(const std::string&)>& lookup);

/// A .env file's variables (Compose's rules for quotes, comments, `export`, interpolation).
std::map<std::string, std::string> parse_env_file(const std::string& text, const std::string& name,
                                                  const std::map<std::string, std::string>& environment);

/// The name as Compose normalises it: lower case, only [a-z0-9_-], starting with a letter or digit.
std::string normalize_project_name(const std::string& name);

}  // namespace kedge::sources

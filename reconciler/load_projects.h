#pragma once

#include "sources/project.h"

#include <memory>
#include <string>
#include <vector>

namespace kedge::reconciler {

struct LoadInput {
    std::string tree;           ///< absolute: the commit's files
    std::string repository;     ///< the name that the repository's url ends in
    std::string source_folder;  ///< <root>/sources/<name>
    std::string device;
    std::vector<std::string> labels, profiles;
    std::vector<std::string> known;  ///< the source's projects so far
};

struct LoadedProject {
    std::string name;
    std::shared_ptr<const sources::Project> project;  ///< null if it could not be loaded
    std::string error;
};

/// The projects of a repository: compose.yaml at its root alone, or every apps/<project>/compose.yaml. What is wrong
/// with one project is in its error; what is wrong with the repository is thrown as Error.
std::vector<LoadedProject> load_projects(const LoadInput& input);

/// `https://host/team/shop.git` -> `shop`
std::string repository_name(const std::string& url);

/// Where a project's files that Git doesn't track live.
std::string data_folder(const std::string& source_folder, const std::string& project);

}  // namespace kedge::reconciler

#include "reconciler/load_projects.h"

#include "base/error.h"
#include "sources/compose.h"

#include <algorithm>
#include <filesystem>

namespace kedge::reconciler {

namespace fs = std::filesystem;

namespace {

bool has_compose_file(const fs::path& folder) {
    for (const char* name : {"compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"}) {
        std::error_code error;
        if (fs::exists(fs::symlink_status(folder / name, error))) return true;
    }
    return false;
}

sources::ComposeInput compose_input(const LoadInput& input, const fs::path& directory) {
    sources::ComposeInput compose;
    compose.directory = directory;
    compose.profiles = input.profiles;
    compose.confine_to = input.tree;
    auto add = [&](const fs::path& path) {
        std::error_code error;
        if (fs::exists(fs::symlink_status(path, error))) compose.env_files.push_back(path);
    };
    add(directory / ".env");
    for (const std::string& label : input.labels) add(fs::path(input.tree) / "groups" / (label + ".env"));
    if (!input.device.empty()) add(fs::path(input.tree) / "hosts" / (input.device + ".env"));
    return compose;
}

LoadedProject load_one(const LoadInput& input, const fs::path& directory, const std::string& name) {
    LoadedProject result;
    result.name = name;
    try {
        sources::ComposeInput compose = compose_input(input, directory);
        compose.project_name = name;
        compose.data_folder = data_folder(input.source_folder, name);
        result.project = std::make_shared<const sources::Project>(sources::load_compose(compose));
        result.name = result.project->name;
    } catch (const Error& e) {
        result.error = e.what();
    }
    return result;
}

/// The name that the root's compose file gives itself; else the repository's.
std::string name_of_root(const LoadInput& input) {
    std::string fallback = sources::normalize_project_name(input.repository);
    try {
        // The folder is called as the commit; loading tells whether the file has a name of its own.
        std::string name = sources::load_compose(compose_input(input, input.tree)).name;
        return name == sources::normalize_project_name(fs::path(input.tree).filename()) ? fallback : name;
    } catch (const Error&) {
        // A file that can't be read has no name. It is taken for the one project that there is, so that a slip doesn't
        // look as if that project had vanished; load_one finds the same error and says it.
        if (input.known.empty()) return fallback;
        if (input.known.size() == 1) return input.known.front();
        throw;
    }
}

}  // namespace

std::vector<LoadedProject> load_projects(const LoadInput& input) {
    fs::path tree = input.tree;
    std::error_code error;
    if (fs::exists(fs::symlink_status(tree / "kedge.yaml", error))) {
        throw Error(Code::invalid_argument, "kedge.yaml: not supported yet",
                    "remove it: every project of the repository goes to every device");
    }
    if (has_compose_file(tree)) return {load_one(input, tree, name_of_root(input))};
    if (fs::is_symlink(fs::symlink_status(tree / "apps", error))) {
        throw Error(Code::invalid_argument, "apps: is a symbolic link",
                    "make it a folder: each project's files lie in it");
    }
    std::vector<LoadedProject> result;
    for (fs::directory_iterator entry(tree / "apps", error), end; !error && entry != end; entry.increment(error)) {
        std::error_code unreadable;
        if (!fs::is_directory(entry->symlink_status(unreadable)) || !has_compose_file(entry->path())) continue;
        std::string folder = entry->path().filename();
        std::string name = sources::normalize_project_name(folder);
        if (name.empty()) {
            throw Error(Code::invalid_argument, "apps/" + folder + ": the folder's name is no project name");
        }
        LoadedProject loaded = load_one(input, entry->path(), name);
        bool twice = std::any_of(result.begin(), result.end(),
                                 [&](const LoadedProject& other) { return other.name == loaded.name; });
        if (twice) throw Error(Code::invalid_argument, "apps/" + folder + ": there is another project " + loaded.name);
        result.push_back(std::move(loaded));
    }
    if (result.empty())
        throw Error(Code::not_found, "the repository has neither a compose.yaml nor an apps/<project>/compose.yaml");
    std::sort(result.begin(), result.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return result;
}

std::string repository_name(const std::string& url) {
    std::string name = url;
    while (name.ends_with('/')) name.pop_back();
    if (name.ends_with(".git")) name.resize(name.size() - 4);
    while (name.ends_with('/')) name.pop_back();
    size_t cut = name.find_last_of("/:");
    return cut == std::string::npos ? name : name.substr(cut + 1);
}

std::string data_folder(const std::string& source_folder, const std::string& project) {
    return source_folder + "/data/" + project;
}

}  // namespace kedge::reconciler

#include "sources/compose_load.h"

#include "base/error.h"
#include "sources/compose_keys.h"
#include "sources/compose_merge.h"
#include "sources/compose_tree.h"
#include "sources/utf8.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace kedge::sources {

using yaml::fail;
using yaml::Node;

namespace {

bool is_name_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

bool is_project_name(const std::string& name) {
    return !name.empty() && name[0] != '_' && name[0] != '-' && std::all_of(name.begin(), name.end(), is_name_char);
}

std::string invalid_name(const std::string& name) {
    return fmt::format(
        "invalid project name \"{}\": must consist only of lowercase alphanumeric characters, hyphens, and underscores "
        "as well as start with a letter or number",
        name.substr(0, 200));
}

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    for (size_t start = 0; start < text.size();) {
        size_t end = std::min(text.find(separator, start), text.size());
        if (end > start) parts.push_back(text.substr(start, end - start));
        start = end + 1;
    }
    return parts;
}

std::map<std::string, std::string> load_variables(const ComposeInput& input, const ProjectFiles& files) {
    std::map<std::string, std::string> variables;
    std::vector<std::string> paths = input.env_files;
    if (paths.empty()) {
        std::string path = resolve_path(files.directory(), ".env");
        if (files.exists(path)) paths.push_back(path);
    }
    for (const std::string& path : paths) {
        if (path == kNoFile) continue;
        // Later files see what earlier ones set, below the given environment.
        std::map<std::string, std::string> known = variables;
        for (const auto& [name, value] : input.environment) known[name] = value;
        for (auto& [name, value] : parse_env_file(files.read(path), files.shown(path), known))
            variables[name] = std::move(value);
    }
    for (const auto& [name, value] : input.environment) variables[name] = value;
    return variables;
}

std::vector<std::string> find_files(const Loading& loading) {
    if (!loading.input.files.empty()) return loading.input.files;
    auto below = [&](const std::string& name) { return resolve_path(loading.files.directory(), name); };
    if (auto found = loading.variables.find("COMPOSE_FILE");
        found != loading.variables.end() && !found->second.empty()) {
        std::vector<std::string> files;
        auto separator = loading.variables.find("COMPOSE_PATH_SEPARATOR");
        bool other = separator != loading.variables.end() && separator->second.size() == 1;
        for (const std::string& name : split(found->second, other ? separator->second[0] : ':'))
            files.push_back(below(name));
        return files;
    }
    for (const char* stem : {"compose", "docker-compose"}) {
        for (const char* extension : {".yaml", ".yml"}) {
            std::string path = below(std::string(stem) + extension);
            if (!loading.files.exists(path)) continue;
            std::vector<std::string> files{path};
            for (const char* other : {"compose.override.yml", "compose.override.yaml", "docker-compose.override.yml",
                                      "docker-compose.override.yaml"}) {
                if (files.size() == 1 && loading.files.exists(below(other))) files.push_back(below(other));
            }
            return files;
        }
    }
    throw Error(Code::not_found, fmt::format("no compose file in {}", loading.files.directory()),
                "it is called compose.yaml, compose.yml, docker-compose.yaml or docker-compose.yml");
}

/// They are kept with a release, as text.
void check_names(const Loading& loading, const Project& project) {
    std::vector<std::string> paths = project.files;
    paths.push_back(project.directory);
    for (const std::string& path : paths) {
        if (!is_utf8(path))
            throw Error(Code::invalid_argument, loading.files.shown(path) + ": the path is not valid UTF-8");
    }
}

/// Before anything else is read: variables may refer to the project's name.
void choose_name(Loading& loading, Project& project) {
    std::string given = loading.input.project_name;
    if (auto found = loading.variables.find("COMPOSE_PROJECT_NAME"); given.empty() && found != loading.variables.end())
        given = found->second;
    if (!given.empty()) {
        if (!is_project_name(given)) throw Error(Code::invalid_argument, invalid_name(given));
        project.name = given;
        return;
    }
    // The last file that has a name wins. Its text is read twice, as its own variables don't include the name.
    for (auto path = project.files.rbegin(); path != project.files.rend() && project.name.empty(); ++path) {
        Node file = parse_file(loading, *path);
        Node* name = file.find("name");
        if (!name || name->is_null()) continue;
        interpolate_tree(loading, *name);
        project.name = read_string(*name);
        if (!is_project_name(project.name)) fail(*name, invalid_name(project.name));
    }
    if (!project.name.empty()) return;
    const std::string& directory = loading.files.directory();
    project.name = normalize_project_name(directory.substr(directory.rfind('/') + 1));
    if (project.name.empty())
        throw Error(Code::invalid_argument, "project name must not be empty", "give it with name: in the compose file");
}

std::vector<std::string> active_profiles(const Loading& loading) {
    std::vector<std::string> profiles = loading.input.profiles;
    auto found = loading.variables.find("COMPOSE_PROFILES");
    if (profiles.empty() && found != loading.variables.end()) profiles = split(found->second, ',');
    return profiles;
}

bool is_active(const std::vector<std::string>& wanted, const std::vector<std::string>& active) {
    auto in_active = [&](const std::string& profile) {
        return std::find(active.begin(), active.end(), profile) != active.end();
    };
    return wanted.empty() || in_active("*") || std::any_of(wanted.begin(), wanted.end(), in_active);
}

std::vector<std::string> read_profiles(const Node& node) {
    std::vector<std::string> profiles;
    with(node, "profiles", [&](const Node& value) {
        profiles = read_strings(value);
        for (size_t i = 0; i < profiles.size(); ++i) {
            const std::string& name = profiles[i];
            if (is_entry_name(name) && std::isalnum(static_cast<unsigned char>(name[0]))) continue;
            fail(value.items[i], fmt::format("\"{}\" is not a profile's name", name));
        }
    });
    return profiles;
}

std::map<std::string, std::vector<std::string>> read_services(Loading& loading, const Node& file, Project& project) {
    std::map<std::string, std::vector<std::string>> disabled;
    std::vector<std::string> active = active_profiles(loading);
    const Node* services = file.find("services");
    if (!services || services->is_null()) fail(file, "no services");
    for (const auto& [name, node] : services->entries) {
        if (!is_entry_name(name)) fail(node, "a name consists of letters, digits, dots, hyphens and underscores");
        check_keys(node, keys::service);
        std::vector<std::string> profiles = read_profiles(node);
        loading.inactive = !is_active(profiles, active);
        Service service = read_service(loading, name, node);
        if (loading.inactive) {
            disabled[name] = std::move(profiles);
        } else {
            project.services[name] = std::move(service);
        }
    }
    return disabled;
}

}  // namespace

std::string normalize_project_name(const std::string& name) {
    std::string result;
    for (char c : name) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
        if (is_name_char(c) && !(result.empty() && (c == '_' || c == '-'))) result += c;
    }
    return result;
}

Project load_compose(const ComposeInput& input) {
    Loading loading(input);
    loading.variables = load_variables(input, loading.files);
    Project project;
    project.directory = loading.files.directory();
    project.files = find_files(loading);
    check_names(loading, project);
    choose_name(loading, project);
    loading.variables["COMPOSE_PROJECT_NAME"] = project.name;

    Node file = load_tree(loading, project.files, loading.files.directory());
    drop_resets(file);
    check_keys(file, keys::project);
    with(file, "name", [](const Node& value) { read_string(value); });
    with(file, "version", [&](const Node& value) {
        read_string(value);
        loading.warnings.insert(yaml::where(value) + " is obsolete, it is ignored");
    });
    auto disabled = read_services(loading, file, project);
    read_networks(file, project);
    read_volumes(file, project);
    read_file_sources(loading, file, project);
    check_project(file, disabled, project);
    project.warnings.assign(loading.warnings.begin(), loading.warnings.end());
    return project;
}

}  // namespace kedge::sources

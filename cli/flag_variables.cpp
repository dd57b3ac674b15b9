#include "cli/flag_values.h"

#include <fmt/format.h>

#include <optional>
#include <sstream>

namespace kedge::cli {

namespace {

constexpr const char* kBlank = " \t\r";

/// The lines of a file that say something: `#` begins a comment, blanks in front don't count.
std::vector<std::string> lines_of(const std::string& path, const Outside& outside) {
    std::istringstream text(outside.file(path));
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);) {
        if (lines.empty() && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);  // a byte order mark
        if (line.ends_with('\r')) line.pop_back();
        size_t from = line.find_first_not_of(kBlank);
        if (from == std::string::npos || line[from] == '#') continue;
        lines.push_back(line.substr(from));
    }
    return lines;
}

/// Puts `NAME=value`, or NAME with this process' value; NAME alone, which takes it out of the container's environment,
/// if there is none.
void put_variable(const std::string& text, const Outside& outside, std::vector<std::string>& variables) {
    if (text.find('=') != std::string::npos) {
        variables.push_back(text);
    } else {
        std::optional<std::string> value = outside.variable(text);
        variables.push_back(value ? text + "=" + *value : text);
    }
}

void put_label(const std::string& text, std::map<std::string, std::string>& labels) {
    size_t equals = text.find('=');
    std::string name = text.substr(0, equals);
    size_t from = name.find_first_not_of(kBlank);
    name = from == std::string::npos ? "" : name.substr(from);
    if (name.empty()) throw Error(Code::invalid_argument, fmt::format("invalid label '{}': empty name", text));
    if (name.find_first_of(kBlank) != std::string::npos) {
        throw Error(Code::invalid_argument, fmt::format("label '{}' contains whitespaces", name));
    }
    labels[name] = equals == std::string::npos ? "" : text.substr(equals + 1);
}

}  // namespace

std::vector<std::string> read_variables(const std::vector<std::string>& files, const std::vector<std::string>& flags,
                                        const Outside& outside) {
    std::vector<std::string> variables;
    for (const std::string& path : files) {
        for (const std::string& line : lines_of(path, outside)) {
            std::string name = line.substr(0, line.find('='));
            std::string what = name.empty() ? fmt::format("no variable name on line '{}'", line)
                               : name.find_first_of(kBlank) != std::string::npos
                                   ? fmt::format("variable '{}' contains whitespaces", name)
                                   : "";
            if (!what.empty())
                throw Error(Code::invalid_argument, fmt::format("invalid env file ({}): {}", path, what));
            put_variable(line, outside, variables);
        }
    }
    for (const std::string& flag : flags) {
        if (flag.empty() || flag.front() == '=')
            throw invalid_flag(flag, "-e, --env", "invalid environment variable: " + flag);
        put_variable(flag, outside, variables);
    }
    return variables;
}

std::map<std::string, std::string> read_labels(const std::vector<std::string>& files,
                                               const std::vector<std::string>& flags, const Outside& outside) {
    std::map<std::string, std::string> labels;
    for (const std::string& path : files) {
        for (const std::string& line : lines_of(path, outside)) put_label(line, labels);
    }
    for (const std::string& flag : flags) {
        try {
            put_label(flag, labels);
        } catch (const Error& error) {
            throw invalid_flag(flag, "-l, --label", error.what());
        }
    }
    return labels;
}

}  // namespace kedge::cli

// apply_changes of image_config.h: Dockerfile instructions that change an image's config.
#include "runtime/images/image_config.h"

#include "base/error.h"
#include "base/text.h"
#include "runtime/images/expand.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>

namespace kedge::runtime {

namespace {

using nlohmann::json;

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

std::string trim(std::string_view text) {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return std::string(text);
}

std::string upper(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return text;
}

/// `["a", "b"]`; false if it isn't that.
bool parse_exec_form(const std::string& text, std::vector<std::string>& words) {
    if (!text.starts_with('[')) return false;
    json list = json::parse(text, nullptr, false);
    if (!list.is_array() || !std::all_of(list.begin(), list.end(), [](const json& word) { return word.is_string(); }))
        return false;
    words = list.get<std::vector<std::string>>();
    return true;
}

std::vector<std::string> parse_command(const std::string& text, const ImageConfig& config) {
    std::vector<std::string> words;
    if (parse_exec_form(text, words)) return words;
    words = config.shell.empty() ? std::vector<std::string>{"/bin/sh", "-c"} : config.shell;
    words.push_back(text);
    return words;
}

/// Words at blanks that stand in no quotes; quotes and backslashes stay in them.
std::vector<std::string> split_words(const std::string& text) {
    std::vector<std::string> words;
    std::string word;
    char quote = 0;
    for (size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quote == 0 && is_space(c)) {
            if (!word.empty()) words.push_back(std::move(word));
            word.clear();
            continue;
        }
        word += c;
        if (c == '\\' && quote != '\'' && i + 1 < text.size())
            word += text[++i];
        else if (c == quote)
            quote = 0;
        else if (quote == 0 && (c == '"' || c == '\''))
            quote = c;
    }
    if (!word.empty()) words.push_back(std::move(word));
    return words;
}

/// `A=b C="d e"`, or the old `A the rest of the line`.
std::vector<std::pair<std::string, std::string>> parse_pairs(const std::string& text, Variables& variables) {
    std::vector<std::pair<std::string, std::string>> pairs;
    const std::vector<std::string> words = split_words(text);
    if (words[0].find('=') == std::string::npos) {
        if (words.size() < 2) throw Error(Code::invalid_argument, "must have two arguments");
        pairs.emplace_back(expand_word(words[0], variables),
                           expand_word(trim(std::string_view(text).substr(words[0].size())), variables));
        return pairs;
    }
    for (const std::string& word : words) {
        size_t equals = word.find('=');
        if (equals == std::string::npos)
            throw Error(Code::invalid_argument, "\"" + word + "\" must be of the form: name=value");
        pairs.emplace_back(expand_word(word.substr(0, equals), variables),
                           expand_word(word.substr(equals + 1), variables));
        if (pairs.back().first.empty()) throw Error(Code::invalid_argument, "names can not be blank");
    }
    return pairs;
}

void set_environment(ImageConfig& config, const std::string& text, Variables& variables) {
    for (const auto& [name, value] : parse_pairs(text, variables)) {
        auto old = std::find_if(config.environment.begin(), config.environment.end(),
                                [start = name + "="](const std::string& one) { return one.starts_with(start); });
        if (old != config.environment.end())
            *old = name + "=" + value;
        else
            config.environment.push_back(name + "=" + value);
    }
}

void add_once(std::vector<std::string>& names, const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

uint32_t parse_port(const std::string& text) {
    if (text.empty() || text.size() > 5 ||
        !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
        throw Error(Code::invalid_argument, "invalid containerPort: " + text);
    }
    auto port = static_cast<uint32_t>(std::stoul(text));
    if (port == 0 || port > 65535) throw Error(Code::invalid_argument, "invalid containerPort: " + text);
    return port;
}

void expose(ImageConfig& config, const std::string& text, Variables& variables) {
    // A variable can hold several.
    for (const std::string& word : split_words(expand_word(text, variables))) {
        size_t slash = word.find('/');
        std::string protocol = slash == std::string::npos ? "tcp" : word.substr(slash + 1);
        std::transform(protocol.begin(), protocol.end(), protocol.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        if (protocol != "tcp" && protocol != "udp" && protocol != "sctp")
            throw Error(Code::invalid_argument, "invalid proto: " + protocol);
        std::string range = word.substr(0, slash);
        size_t dash = range.find('-');
        uint32_t first = parse_port(range.substr(0, dash));
        uint32_t last = dash == std::string::npos ? first : parse_port(range.substr(dash + 1));
        if (last < first) throw Error(Code::invalid_argument, "invalid range of ports: " + range);
        for (uint32_t port = first; port <= last; ++port)
            add_once(config.exposed_ports, std::to_string(port) + "/" + protocol);
    }
}

void set_working_dir(ImageConfig& config, const std::string& text) {
    if (text.starts_with('/')) {
        config.working_dir = text;
    } else {
        std::string base = config.working_dir.empty() ? "/" : config.working_dir;
        config.working_dir = base + (base.ends_with('/') ? "" : "/") + text;
    }
}

Nanoseconds flag_duration(const std::string& flag, const std::string& text) {
    Nanoseconds duration = parse_duration(text);
    if (duration < std::chrono::milliseconds(1) && duration != Nanoseconds(0)) {
        throw Error(Code::invalid_argument, flag + ": interval \"" + text + "\" cannot be less than 1ms");
    }
    return duration;
}

void set_healthcheck(ImageConfig& config, std::string text) {
    Healthcheck check;
    while (text.starts_with("--")) {
        size_t blank = std::min(text.find_first_of(" \t"), text.size());
        std::string flag = text.substr(0, blank);
        text = trim(std::string_view(text).substr(blank));
        size_t equals = flag.find('=');
        std::string name = flag.substr(0, equals);
        if (equals == std::string::npos) throw Error(Code::invalid_argument, "missing a value on flag: " + name);
        std::string value = flag.substr(equals + 1);
        if (name == "--interval")
            check.interval = flag_duration(name, value);
        else if (name == "--timeout")
            check.timeout = flag_duration(name, value);
        else if (name == "--start-period")
            check.start_period = flag_duration(name, value);
        else if (name == "--start-interval")
            check.start_interval = flag_duration(name, value);
        else if (name == "--retries")
            check.retries = static_cast<int>(parse_port(value));
        else
            throw Error(Code::invalid_argument, "unknown flag: " + name.substr(2));
    }
    size_t blank = std::min(text.find_first_of(" \t"), text.size());
    std::string type = upper(text.substr(0, blank));
    std::string rest = trim(std::string_view(text).substr(blank));
    if (type == "NONE" && rest.empty()) {
        check.test = {"NONE"};
    } else if (type == "CMD" && !rest.empty()) {
        std::vector<std::string> words;
        if (parse_exec_form(rest, words)) {
            check.test = {"CMD"};
            check.test.insert(check.test.end(), words.begin(), words.end());
        } else {
            check.test = {"CMD-SHELL", rest};
        }
    } else {
        throw Error(Code::invalid_argument, "unknown type \"" + type + "\" in HEALTHCHECK (try CMD)");
    }
    config.healthcheck = std::move(check);
}

void add_volumes(ImageConfig& config, const std::string& text, Variables& variables) {
    std::vector<std::string> paths;
    if (!parse_exec_form(text, paths)) paths = split_words(text);
    for (const std::string& path : paths) add_once(config.volumes, expand_word(path, variables));
}

void add_trigger(ImageConfig& config, const std::string& text) {
    const std::string keyword = upper(text.substr(0, text.find_first_of(" \t")));
    if (keyword == "ONBUILD")
        throw Error(Code::invalid_argument, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
    if (keyword == "FROM" || keyword == "MAINTAINER")
        throw Error(Code::invalid_argument, keyword + " isn't allowed as an ONBUILD trigger");
    config.on_build.push_back(text);
}

/// Instructions of one change after the other.
class Changes {
public:
    explicit Changes(ImageConfig& config) : config_(config), variables_{config.environment} {}

    void apply(const std::string& instruction) {
        try {
            const size_t blank = std::min(instruction.find_first_of(" \t"), instruction.size());
            const std::string keyword = upper(instruction.substr(0, blank));
            const std::string arguments = trim(std::string_view(instruction).substr(blank));
            if (arguments.empty()) throw Error(Code::invalid_argument, keyword + " requires an argument");
            apply(keyword, arguments);
        } catch (const Error& e) {
            throw e.with_context("change \"" + instruction + "\"");
        }
    }

private:
    void apply(const std::string& keyword, const std::string& text) {
        if (keyword == "CMD") {
            config_.command = parse_command(text, config_);
            has_command_ = true;
        } else if (keyword == "ENTRYPOINT") {
            config_.entrypoint = parse_command(text, config_);
            if (!has_command_) config_.command.clear();  // it was made for the entrypoint of before
        } else if (keyword == "ENV") {
            set_environment(config_, text, variables_);
        } else if (keyword == "EXPOSE") {
            expose(config_, text, variables_);
        } else if (keyword == "HEALTHCHECK") {
            set_healthcheck(config_, text);
        } else if (keyword == "LABEL") {
            for (const auto& [name, value] : parse_pairs(text, variables_)) config_.labels[name] = value;
        } else if (keyword == "ONBUILD") {
            add_trigger(config_, text);
        } else if (keyword == "STOPSIGNAL") {
            config_.stop_signal = expand_word(text, variables_);
        } else if (keyword == "USER") {
            config_.user = expand_word(text, variables_);
        } else if (keyword == "VOLUME") {
            add_volumes(config_, text, variables_);
        } else if (keyword == "WORKDIR") {
            set_working_dir(config_, expand_word(text, variables_));
        } else {
            throw Error(Code::invalid_argument, keyword + " is not a valid change command");
        }
    }

    ImageConfig& config_;
    Variables variables_;
    bool has_command_ = false;
};

/// The instructions of a Dockerfile's lines: comments and blank lines are left out, a line that ends with a backslash
/// goes on in the next one.
std::vector<std::string> instructions_of(const std::string& text) {
    std::vector<std::string> instructions;
    std::string whole;
    auto end = [&] {
        if (std::string instruction = trim(whole); !instruction.empty()) instructions.push_back(std::move(instruction));
        whole.clear();
    };
    for (std::string_view line : split(text, '\n')) {
        const std::string content = trim(line);
        if (content.empty() || content.starts_with('#')) continue;
        const bool goes_on = content.ends_with('\\');
        if (goes_on) line = line.substr(0, line.rfind('\\'));
        whole += line;
        if (!goes_on) end();
    }
    end();
    return instructions;
}

}  // namespace

void apply_changes(ImageConfig& config, const std::vector<std::string>& changes) {
    std::string text;
    for (const std::string& change : changes) text += change + "\n";
    const std::vector<std::string> instructions = instructions_of(text);
    if (instructions.empty() && !changes.empty())
        throw Error(Code::invalid_argument, "changes: there is no instruction in them");
    Changes all(config);
    for (const std::string& instruction : instructions) all.apply(instruction);
}

}  // namespace kedge::runtime

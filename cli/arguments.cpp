#include "cli/arguments.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <set>

namespace kedge::cli {

namespace {

/// Walks along the arguments and copies them.
class Reader {
public:
    Reader(const CLI::App& app, const std::vector<std::string>& arguments) : app_(&app), from_(arguments) {}
    std::vector<std::string> read();

private:
    bool more() const { return next_ < from_.size(); }
    void read_long(const std::string& argument);
    void read_short(const std::string& argument);
    void take_value(const CLI::Option& option, const std::string& flag);
    void put_value(const CLI::Option& option, const std::string& value);
    FlagError wrong(const std::string& what) const;
    bool enter_command(const std::string& word);
    static bool has_value(const CLI::Option& option) { return option.get_items_expected_min() > 0; }

    const CLI::App* app_;
    const std::vector<std::string>& from_;
    size_t next_ = 0;
    std::vector<std::string> to_;
};

/// `kedge volume ls`.
std::string path_of(const CLI::App& app) {
    return app.get_parent() ? path_of(*app.get_parent()) + " " + app.get_name() : app.get_name();
}

/// `-m, --memory`.
std::string names_of(const CLI::Option& option) {
    std::string names;
    for (const std::string& name : option.get_snames()) names += (names.empty() ? "-" : ", -") + name;
    if (!option.get_lnames().empty()) names += (names.empty() ? "--" : ", --") + option.get_lnames().front();
    return names;
}

FlagError Reader::wrong(const std::string& what) const {
    return FlagError(Code::invalid_argument, what, path_of(*app_) + " --help");
}

void Reader::take_value(const CLI::Option& option, const std::string& flag) {
    if (!more()) throw wrong("flag needs an argument: " + flag);
    put_value(option, from_[next_++]);
}

void Reader::put_value(const CLI::Option& option, const std::string& value) {
    if (option.get_type_name() == "INT") {
        int64_t number = 0;
        auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), number);
        if (failure != std::errc() || end != value.data() + value.size())
            throw invalid_flag(value, names_of(option), "\"" + value + "\" is not a number");
    }
    to_.push_back(value);
}

void Reader::read_long(const std::string& argument) {
    size_t equals = argument.find('=');
    std::string flag = argument.substr(0, equals);
    const CLI::Option* option = app_->get_option_no_throw(flag);
    if (!option) throw wrong("unknown flag: " + flag);
    if (!has_value(*option)) {
        static const std::set<std::string> kAnswers = {"true",  "True",  "TRUE",  "t", "T", "1",
                                                       "false", "False", "FALSE", "f", "F", "0"};
        std::string value = equals == std::string::npos ? "true" : argument.substr(equals + 1);
        // Those that may have a value or not are refused by themselves.
        if (option->get_items_expected_max() == 0 && !kAnswers.contains(value))
            throw invalid_flag(value, names_of(*option), "\"" + value + "\" is neither true nor false");
        to_.push_back(argument);
        return;
    }
    to_.push_back(flag);
    if (equals == std::string::npos)
        take_value(*option, flag);
    else
        put_value(*option, argument.substr(equals + 1));
}

/// `-d`, `-it`, `-p80:80`, `-p=80:80`.
void Reader::read_short(const std::string& argument) {
    for (size_t i = 1; i < argument.size(); ++i) {
        std::string flag = std::string("-") + argument[i];
        const CLI::Option* option = app_->get_option_no_throw(flag);
        if (!option) throw wrong(std::string("unknown shorthand flag: '") + argument[i] + "' in " + argument);
        to_.push_back(flag);
        if (!has_value(*option)) continue;
        std::string rest = argument.substr(i + 1);
        if (rest.empty())
            take_value(*option, std::string("'") + argument[i] + "' in " + argument);
        else
            put_value(*option, rest.substr(rest.front() == '=' ? 1 : 0));
        return;
    }
}

/// Whether the word names a command of the present one.
bool Reader::enter_command(const std::string& word) {
    std::vector<const CLI::App*> subs =
        app_->get_subcommands([&](const CLI::App* sub) { return sub->check_name(word); });
    if (!subs.empty()) {
        app_ = subs.front();
        return true;
    }
    bool is_group = !app_->get_subcommands([](const CLI::App*) { return true; }).empty();
    if (is_group)
        throw Error(Code::not_found, "unknown command: " + path_of(*app_) + " " + word, path_of(*app_) + " --help");
    return false;
}

std::vector<std::string> Reader::read() {
    while (more()) {
        if (app_->get_allow_extras()) break;  // takes everything as it is
        std::string argument = from_[next_++];
        if (argument == "--") {
            if (!app_->get_prefix_command()) to_.push_back(argument);
            break;
        }
        if (argument.starts_with("--")) {
            read_long(argument);
        } else if (argument.size() > 1 && argument.front() == '-') {
            read_short(argument);
        } else {
            to_.push_back(argument);
            // Behind the image's name everything is the command's own.
            if (!enter_command(argument) && app_->get_prefix_command()) break;
        }
    }
    to_.insert(to_.end(), from_.begin() + static_cast<ptrdiff_t>(next_), from_.end());
    return to_;
}

}  // namespace

FlagError invalid_flag(const std::string& value, const std::string& flag, const std::string& reason) {
    return FlagError(Code::invalid_argument,
                     fmt::format("invalid argument \"{}\" for \"{}\" flag: {}", value, flag, reason));
}

namespace {

Error wrong_count(const CLI::App& app, size_t least, size_t most) {
    auto counted = [](size_t n) { return fmt::format("{} argument{}", n, n == 1 ? "" : "s"); };
    std::string takes = most == 0           ? "accepts no arguments"
                        : least == most     ? "requires " + counted(least)
                        : most == kAnyCount ? "requires at least " + counted(least)
                        : least == 0        ? "requires at most " + counted(most)
                                            : fmt::format("requires at least {} and at most {}", least, counted(most));
    return Error(Code::invalid_argument, fmt::format("'{}' {}", path_of(app), takes), path_of(app) + " --help");
}

}  // namespace

Error wrong_count(CommandLine line, size_t least, size_t most) {
    return wrong_count(line.app(), least, most);
}

Error wrong_count(const CLI::App& app) {
    size_t least = 0, most = 0;
    for (const CLI::Option* option : app.get_options([](const CLI::Option* o) { return o->get_positional(); })) {
        if (option->get_required()) ++least;
        most = option->get_items_expected_max() > 1 ? kAnyCount : most + 1;
    }
    return wrong_count(app, least, std::min(most, kAnyCount));
}

namespace {

/// Without the agent's address.
std::vector<std::string> own_arguments(const std::vector<std::string>& arguments) {
    std::vector<std::string> rest;
    for (size_t i = 0; i < arguments.size(); ++i) {
        if (arguments[i] == "-H" || arguments[i] == "--host")
            ++i;
        else
            rest.push_back(arguments[i]);
    }
    return rest;
}

bool is_option(const std::string& argument) {
    return argument.starts_with("-");
}

}  // namespace

std::vector<std::string> called_words(const std::vector<std::string>& arguments) {
    std::vector<std::string> words = own_arguments(arguments);
    std::erase_if(words, is_option);
    return words;
}

bool may_have_options(const std::vector<std::string>& arguments) {
    const std::vector<std::string> own = own_arguments(arguments);
    return std::any_of(own.begin(), own.end(), is_option);
}

std::vector<std::string> as_docker_reads(const CLI::App& app, const std::vector<std::string>& arguments) {
    return Reader(app, arguments).read();
}

}  // namespace kedge::cli

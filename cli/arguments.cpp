#include "cli/arguments.h"

#include "base/error.h"

#include <CLI/CLI.hpp>

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
    void take_value(const std::string& flag);
    Error wrong(const std::string& what) const;
    bool enter_command(const std::string& word);
    static bool has_value(const CLI::Option& option) { return option.get_items_expected_min() > 0; }

    const CLI::App* app_;
    const std::vector<std::string>& from_;
    size_t next_ = 0;
    std::vector<std::string> to_;
};

Error Reader::wrong(const std::string& what) const {
    std::string path;
    for (const CLI::App* at = app_; at; at = at->get_parent()) path = at->get_name() + " " + path;
    return Error(Code::invalid_argument, what, path + "--help");
}

void Reader::take_value(const std::string& flag) {
    if (!more()) throw wrong("flag needs an argument: " + flag);
    to_.push_back(from_[next_++]);
}

void Reader::read_long(const std::string& argument) {
    size_t equals = argument.find('=');
    std::string flag = argument.substr(0, equals);
    const CLI::Option* option = app_->get_option_no_throw(flag);
    if (!option) throw wrong("unknown flag: " + flag);
    if (!has_value(*option)) {
        to_.push_back(argument);
        return;
    }
    to_.push_back(flag);
    if (equals == std::string::npos)
        take_value(flag);
    else
        to_.push_back(argument.substr(equals + 1));
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
            take_value(flag);
        else
            to_.push_back(rest.substr(rest.front() == '=' ? 1 : 0));
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
    if (is_group) throw wrong("unknown command: " + word);
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

std::vector<std::string> called_words(const std::vector<std::string>& arguments) {
    std::vector<std::string> words;
    for (size_t i = 0; i < arguments.size(); ++i) {
        if (arguments[i] == "-H" || arguments[i] == "--host")
            ++i;
        else if (!arguments[i].starts_with("-"))
            words.push_back(arguments[i]);
    }
    return words;
}

std::vector<std::string> as_docker_reads(const CLI::App& app, const std::vector<std::string>& arguments) {
    return Reader(app, arguments).read();
}

}  // namespace kedge::cli

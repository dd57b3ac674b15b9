#include "cli/command_line.h"

#include "base/error.h"

#include <CLI/CLI.hpp>

#include <cstdint>
#include <optional>

namespace kedge::cli {

Flag Flag::required() const {
    return Flag(option_ ? option_->required() : nullptr);
}

Flag Flag::group(const std::string& heading) const {
    return Flag(option_ ? option_->group(heading) : nullptr);
}

Flag Flag::one_of(const std::vector<std::string>& values) const {
    return Flag(option_ ? option_->check(CLI::IsMember(values)) : nullptr);
}

Flag Flag::positive() const {
    return Flag(option_ ? option_->check(CLI::PositiveNumber) : nullptr);
}

Flag Flag::show_default() const {
    return Flag(option_ ? option_->capture_default_str() : nullptr);
}

Flag Flag::once() const {
    return Flag(option_ ? option_->expected(1) : nullptr);
}

size_t Flag::count() const {
    return option_ ? option_->count() : 0;
}

Flag CommandLine::add_flag(const std::string& names, bool& value, const std::string& description) const {
    return Flag(passes_over(names) ? nullptr : app_->add_flag(names, value, description));
}

template <typename T>
Flag CommandLine::add_option(const std::string& names, T& value, const std::string& description) const {
    return Flag(passes_over(names) ? nullptr : app_->add_option(names, value, description));
}

using Strings = std::vector<std::string>;
template Flag CommandLine::add_option(const std::string&, std::string&, const std::string&) const;
template Flag CommandLine::add_option(const std::string&, int&, const std::string&) const;
template Flag CommandLine::add_option(const std::string&, int64_t&, const std::string&) const;
template Flag CommandLine::add_option(const std::string&, uint64_t&, const std::string&) const;
template Flag CommandLine::add_option(const std::string&, std::optional<std::string>&, const std::string&) const;
template Flag CommandLine::add_option(const std::string&, std::optional<int>&, const std::string&) const;
template Flag CommandLine::add_option(const std::string&, std::optional<int64_t>&, const std::string&) const;
template Flag CommandLine::add_option(const std::string&, Strings&, const std::string&) const;

Flag CommandLine::add_list(const std::string& names, Strings& values, const std::string& description) const {
    if (passes_over(names)) return Flag(nullptr);
    return Flag(app_->add_option(names, values, description)->allow_extra_args(false));
}

void CommandLine::refuse_options(std::initializer_list<const char*> names, const std::string& hint) const {
    for (std::string name : names) {
        if (passes_over(name)) continue;
        std::string shown = name.substr(name.find("--"));
        shown = shown.substr(0, shown.find(','));
        auto refuse = [=](const CLI::results_t&) -> bool {
            throw Error(Code::invalid_argument, shown + " is not supported yet", hint);
        };
        app_->add_option(name, CLI::callback_t(refuse))->expected(0, 1)->group("");
    }
}

void CommandLine::takes_words() const {
    app_->prefix_command();
}

void CommandLine::takes_anything() const {
    app_->allow_extras();
}

void CommandLine::no_short_help() const {
    app_->set_help_flag("--help", "Print this help message and exit");
}

void CommandLine::callback(std::function<void()> work) const {
    app_->callback(std::move(work));
}

Strings CommandLine::words() const {
    return app_->remaining();
}

std::string CommandLine::name() const {
    return app_->get_name();
}

}  // namespace kedge::cli

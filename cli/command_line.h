#pragma once

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace kedge::cli {

/// One option, flag or named word of a command, for more to be said of it.
class Flag {
public:
    /// Null: one that isn't given; see CommandLine.
    explicit Flag(CLI::Option* option) : option_(option) {}

    Flag required() const;
    Flag group(const std::string& heading) const;  ///< of the help; empty: it isn't shown there
    Flag one_of(const std::vector<std::string>& values) const;
    Flag positive() const;
    Flag show_default() const;  ///< the help tells the value that it has now
    Flag once() const;          ///< of a list: exactly one word
    size_t count() const;       ///< how often it was given

private:
    CLI::Option* option_;
};

/// What a command takes. CLI11 is behind it: a header that takes seconds to compile, and that makes things in each file
/// that includes it when the program starts. Copies stand for the same.
class CommandLine {
public:
    /// Unless options are `possible`, those that begin with a dash are passed over: to make them takes as long as half
    /// of a short command.
    explicit CommandLine(CLI::App& app, bool options_possible = true)
        : app_(&app), options_possible_(options_possible) {}

    /// `names`: `-v,--volumes`, also `-p,--pause,!--no-pause`.
    Flag add_flag(const std::string& names, bool& value, const std::string& description) const;
    /// `names`: the same, or a word of its own. T: std::string, int, int64_t, uint64_t, std::optional of them, or a
    /// list of strings, which takes all words.
    template <typename T>
    Flag add_option(const std::string& names, T& value, const std::string& description) const;
    /// Given any number of times with one value each.
    Flag add_list(const std::string& names, std::vector<std::string>& values, const std::string& description) const;
    /// Docker's options that this command has not yet: they are errors that name them (`--tty is not supported yet`),
    /// and not in the help.
    void refuse_options(std::initializer_list<const char*> names, const std::string& hint = {}) const;

    /// What comes behind the options is the command's to read, whatever it looks like: see words().
    void takes_words() const;
    /// Everything is.
    void takes_anything() const;
    void no_short_help() const;  ///< `-h` means something else
    /// Called once all of it has been read.
    void callback(std::function<void()> work) const;
    std::vector<std::string> words() const;
    std::string name() const;

    const CLI::App& app() const { return *app_; }

private:
    bool passes_over(const std::string& names) const { return !options_possible_ && names.front() == '-'; }

    CLI::App* app_;
    bool options_possible_;
};

}  // namespace kedge::cli

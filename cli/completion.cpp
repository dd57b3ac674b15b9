#include "cli/completion.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <map>

namespace kedge::cli {

namespace {

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
    return app.get_subcommands(
        [](const CLI::App* sub) { return !sub->get_name().empty() && !sub->get_group().empty(); });
}

/// Every long and short option, separated by spaces.
std::string options_of(const CLI::App& app) {
    std::string words;
    for (const CLI::Option* option : app.get_options()) {
        if (option->get_group().empty()) continue;
        for (const std::string& name : option->get_lnames()) words += "--" + name + " ";
        for (const std::string& name : option->get_snames()) words += "-" + name + " ";
    }
    if (!words.empty()) words.pop_back();
    return words;
}

/// What lists the names that a command takes.
std::string names_for(const std::string& command) {
    static const std::map<std::string, std::string> kSources = {
        {"containers", "kedge ps -a --format '{{.Names}}' 2>/dev/null"},
        {"images", "kedge images --format '{{.Repository}}:{{.Tag}}' 2>/dev/null"},
        {"projects", "kedge status -q 2>/dev/null"},
        {"volumes", "kedge volume ls -q 2>/dev/null"},
        {"networks", "kedge network ls --format '{{.Name}}' 2>/dev/null"}};
    static const std::map<std::string, std::string> kKinds = {{"start", "containers"},
                                                              {"stop", "containers"},
                                                              {"restart", "containers"},
                                                              {"kill", "containers"},
                                                              {"rm", "containers"},
                                                              {"logs", "containers"},
                                                              {"exec", "containers"},
                                                              {"wait", "containers"},
                                                              {"attach", "containers"},
                                                              {"rename", "containers"},
                                                              {"port", "containers"},
                                                              {"inspect", "containers"},
                                                              {"run", "images"},
                                                              {"create", "images"},
                                                              {"rmi", "images"},
                                                              {"tag", "images"},
                                                              {"pull", "images"},
                                                              {"status", "projects"},
                                                              {"diff", "projects"},
                                                              {"sync", "projects"},
                                                              {"history", "projects"},
                                                              {"rollback", "projects"},
                                                              {"hold", "projects"},
                                                              {"resume", "projects"},
                                                              {"retry", "projects"},
                                                              {"volume rm", "volumes"},
                                                              {"volume inspect", "volumes"},
                                                              {"network rm", "networks"},
                                                              {"network inspect", "networks"},
                                                              {"image rm", "images"},
                                                              {"image tag", "images"},
                                                              {"image inspect", "images"},
                                                              {"image history", "images"},
                                                              {"image pull", "images"},
                                                              {"image save", "images"},
                                                              {"save", "images"},
                                                              {"network connect", "networks"},
                                                              {"network disconnect", "networks"}};
    constexpr std::string_view kGroup = "container ";
    auto kind = kKinds.find(command.starts_with(kGroup) ? command.substr(kGroup.size()) : command);
    return kind == kKinds.end() ? std::string() : kSources.at(kind->second);
}

std::string bash_cases(const CLI::App& app, const std::string& before) {
    std::string cases;
    for (const CLI::App* sub : commands_of(app)) {
        std::string name = before + sub->get_name();
        std::string words = options_of(*sub);
        for (const CLI::App* inner : commands_of(*sub)) words += " " + inner->get_name();
        std::string names = names_for(name);
        cases += fmt::format("        \"{}\") words=\"{}\"{} ;;\n", name, words,
                             names.empty() ? "" : fmt::format("; names=$({})", names));
        cases += bash_cases(*sub, name + " ");
    }
    return cases;
}

std::string bash_script(const CLI::App& app) {
    std::string top, nested;
    for (const CLI::App* sub : commands_of(app)) {
        top += sub->get_name() + " ";
        if (!commands_of(*sub).empty()) nested += (nested.empty() ? "" : "|") + sub->get_name();
    }
    return fmt::format(R"(# completion of kedge for bash
_kedge() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" words="" names="" command="" i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "${{COMP_WORDS[i]}}" in
            -H|--host) ((i++)) ;;
            -*) ;;
            *)
                command="${{command:+$command }}${{COMP_WORDS[i]}}"
                case "$command" in {}) ;; *) break ;; esac
                ;;
        esac
    done
    case "$command" in
        "") words="{}" ;;
{}    esac
    if [[ "$current" == -* ]]; then
        COMPREPLY=($(compgen -W "$words" -- "$current"))
    else
        COMPREPLY=($(compgen -W "$(printf '%s\n' $words | grep -v '^-') $names" -- "$current"))
    fi
}}
complete -o default -F _kedge kedge
)",
                       nested, top + options_of(app), bash_cases(app, ""));
}

std::string fish_quoted(const std::string& text) {
    std::string quoted;
    for (char c : text) quoted += c == '\'' ? "\\'" : std::string(1, c);
    return "'" + quoted + "'";
}

void fish_options(const CLI::App& app, const std::string& condition, std::string& script) {
    for (const CLI::Option* option : app.get_options()) {
        if (option->get_group().empty()) continue;
        std::string line = "complete -c kedge -n " + fish_quoted(condition);
        for (const std::string& name : option->get_lnames()) line += " -l " + name;
        for (const std::string& name : option->get_snames()) line += " -s " + name;
        if (option->get_lnames().empty() && option->get_snames().empty()) continue;
        if (option->get_items_expected_max() > 0) line += " -r";
        script += line + " -d " + fish_quoted(option->get_description()) + "\n";
    }
}

std::string fish_script(const CLI::App& app) {
    std::string script = "# completion of kedge for fish\ncomplete -c kedge -f\n";
    for (const CLI::App* sub : commands_of(app)) {
        script += fmt::format("complete -c kedge -n __fish_use_subcommand -a {} -d {}\n", sub->get_name(),
                              fish_quoted(sub->get_description()));
        std::string condition = "__fish_seen_subcommand_from " + sub->get_name();
        fish_options(*sub, condition, script);
        for (const CLI::App* inner : commands_of(*sub)) {
            script += fmt::format("complete -c kedge -n {} -a {} -d {}\n", fish_quoted(condition), inner->get_name(),
                                  fish_quoted(inner->get_description()));
        }
        if (std::string names = names_for(sub->get_name()); !names.empty()) {
            script +=
                fmt::format("complete -c kedge -n {} -a {}\n", fish_quoted(condition), fish_quoted("(" + names + ")"));
        }
    }
    return script;
}

}  // namespace

std::string completion_script(const CLI::App& app, const std::string& shell) {
    if (shell == "fish") return fish_script(app);
    std::string script = bash_script(app);
    if (shell == "bash") return script;
    return "#compdef kedge\n# completion of kedge for zsh\nautoload -U +X bashcompinit && bashcompinit\n" + script;
}

}  // namespace kedge::cli

// `kedge diff`: of a project what a sync would do, of a container what it has changed of its image.
#include "base/error.h"
#include "cli/format.h"
#include "cli/session.h"
#include "cli/table.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <optional>

namespace kedge::cli {

using nlohmann::json;

namespace {

struct Options {
    std::string name, format = "table";
    bool fetch = false, is_project = false;
};

Cell paint_step(const std::string& kind, const std::string& text) {
    if (kind.starts_with("create") || kind.starts_with("start") || kind.starts_with("restore"))
        return {text, Tone::good};
    if (kind.starts_with("remove") || kind.starts_with("stop") || kind.starts_with("retire")) return {text, Tone::bad};
    return {text, Tone::attention};
}

json plan_of(const Client& client, const std::string& project, bool fetch) {
    return client.get("/kedge/v1/projects/" + escape(project) + "/diff" + query({{"fetch", fetch ? "1" : ""}}));
}

void show_plan(Session& session, const json& plan, const std::string& format) {
    bool changes = plan.value("changes", false);
    if (changes) session.exit_code = 2;
    if (format == "json") return print_json(plan);
    std::string commit = text_of(plan, "commit");
    if (!commit.empty()) print(fmt::format("commit {} {}\n", commit.substr(0, 8), text_of(plan, "subject")));
    if (std::string note = text_of(plan, "note"); !note.empty()) print("note: " + note + "\n");
    if (!changes) return print("no changes\n");
    Table table({"STEP", "REASON"});
    for (const json& step : plan["steps"])
        table.add({paint_step(text_of(step, "kind"), text_of(step, "does")), text_of(step, "reason")});
    print(table);
}

void show_all_plans(Session& session, const Options& options) {
    Client client = session.client();
    const json projects = client.get("/kedge/v1/status").value("projects", json::array());
    if (projects.empty() && options.format != "json") return print("no projects yet\n");
    bool first = true;
    for (const json& project : projects) {
        std::string name = text_of(project, "project");
        if (options.format != "json") print(fmt::format("{}project {}\n", first ? "" : "\n", name));
        first = false;
        show_plan(session, plan_of(client, name, options.fetch), options.format);
    }
}

std::optional<json> if_found(const Client& client, const std::string& path) {
    try {
        return client.get(path);
    } catch (const Error& e) {
        // Not there, or the begin of several ids.
        if (e.code() == Code::not_found || e.code() == Code::invalid_argument) return std::nullopt;
        throw;
    }
}

/// A container's name comes before a project's; that before the begin of a container's id.
void show(Session& session, const Options& options) {
    if (options.name.empty()) return show_all_plans(session, options);
    Client client = session.client();
    std::optional<json> container;
    if (!options.is_project && !options.fetch)
        container = if_found(client, "/containers/" + escape(options.name) + "/json");
    bool named =
        container && (text_of(*container, "Name") == "/" + options.name || text_of(*container, "Id") == options.name);
    if (container && (named || !if_found(client, "/kedge/v1/projects/" + escape(options.name))))
        return show_changes(client, options.name, options.format);
    if (!container && !options.is_project && !options.fetch &&
        !if_found(client, "/kedge/v1/projects/" + escape(options.name))) {
        throw Error(Code::not_found, "there is no container and no project named " + options.name,
                    "kedge ps -a and kedge status list them");
    }
    show_plan(session, plan_of(client, options.name, options.fetch), options.format);
}

void set_up(CommandLine line, const std::shared_ptr<Session>& session) {
    auto options = std::make_shared<Options>();
    line.add_option("name", options->name, "A project or a container; all projects if there is none");
    line.add_flag("--fetch", options->fetch, "Fetch the newest commit of the project first");
    line.add_flag("--project", options->is_project, "It is a project, even if a container has that name");
    add_format_option(line, options->format);
    line.callback([=] { show(*session, *options); });
}

}  // namespace

Command diff_command() {
    return {"diff", "What a sync would do to a project (exit code 2 if anything), or what a container has changed",
            "  kedge diff\n  kedge diff --fetch shop\n  kedge diff web", set_up};
}

}  // namespace kedge::cli

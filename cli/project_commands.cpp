#include "base/error.h"
#include "cli/audit.h"
#include "cli/format.h"
#include "cli/session.h"
#include "cli/table.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace kedge::cli {

using nlohmann::json;

namespace {

Tone tone_of_state(const std::string& state) {
    if (state == "good" || state == "healthy" || state == "observed" || state == "completed") return Tone::good;
    if (state == "rolled_back" || state == "unhealthy" || state == "crashed" || state == "blocked" ||
        state == "rolling_back")
        return Tone::bad;
    if (state == "superseded" || state == "stopped") return Tone::faint;
    return Tone::attention;
}

/// The worst of the services' health: what a person wants to know first.
std::string overall_health(const json& project) {
    static const std::vector<std::string> kWorstFirst = {"crashed",  "unhealthy", "stopped",  "starting",
                                                         "observed", "healthy",   "completed"};
    size_t worst = kWorstFirst.size();
    for (const json& service : project.value("services", json::array())) {
        std::string health = text_of(service, "health");
        auto found = std::find(kWorstFirst.begin(), kWorstFirst.end(), health);
        if (found != kWorstFirst.end()) worst = std::min(worst, static_cast<size_t>(found - kWorstFirst.begin()));
    }
    return worst == kWorstFirst.size() ? "-" : kWorstFirst[worst];
}

std::string services_text(const json& project) {
    int64_t running = 0, desired = 0;
    for (const json& service : project.value("services", json::array())) {
        running += number_of(service, "running");
        desired += number_of(service, "desired");
    }
    return fmt::format("{}/{}", running, desired);
}

std::string state_text(const json& project) {
    if (project.value("held", false)) return "held";
    json current = project.value("current", json::object());
    return current.empty() ? "-" : text_of(current, "state");
}

void add_project_row(Table& table, const json& project, WallTime now) {
    json current = project.value("current", json::object());
    std::string state = state_text(project), health = overall_health(project);
    size_t drift = project.value("drift", json::array()).size();
    std::string when =
        text_of(current, "finished").empty() ? text_of(current, "created") : text_of(current, "finished");
    std::string commit = text_of(current, "commit");
    table.add({text_of(project, "project"),
               current.empty() ? "-" : std::to_string(number_of(current, "number")),
               commit.empty() ? "-" : commit.substr(0, 8),
               {state, tone_of_state(state)},
               services_text(project),
               {health, health == "-" ? Tone::faint : tone_of_state(health)},
               {drift == 0 ? "none" : std::to_string(drift), drift == 0 ? Tone::plain : Tone::attention},
               age(when, now)});
}

/// What a line of the table can't say.
std::string remarks(const json& projects, const json& sources) {
    std::string text;
    for (const json& source : sources) {
        if (std::string error = text_of(source, "error"); !error.empty())
            text += "source " + text_of(source, "name") + ": " + error + "\n";
    }
    for (const json& project : projects) {
        std::string name = text_of(project, "project");
        json current = project.value("current", json::object());
        if (project.value("held", false)) text += name + ": held: " + text_of(project, "hold_reason") + "\n";
        for (const std::string& error : {text_of(project, "error"), text_of(current, "error")}) {
            if (!error.empty()) text += name + ": " + error + "\n";
        }
        for (const json& line : project.value("drift", json::array()))
            text += name + ": drift: " + line.get<std::string>() + "\n";
        for (const json& change : project.value("changes", json::array()))
            text +=
                name + ": " + who_of(change) + " sent " + request_of(change) + " at " + text_of(change, "time") + "\n";
        for (const json& change : project.value("changes", json::array()))
            text +=
                name + ": " + who_of(change) + " sent " + request_of(change) + " at " + text_of(change, "time") + "\n";
        for (const json& commit : project.value("quarantined", json::array())) {
            text += name + ": commit " + commit.get<std::string>().substr(0, 8) + " is quarantined; kedge retry " +
                    name + " tries it again\n";
        }
    }
    return text;
}

void print_services(const json& project) {
    Table table({"SERVICE", "IMAGE", "RUNNING", "HEALTH"});
    for (const json& service : project.value("services", json::array())) {
        std::string health = text_of(service, "health");
        table.add({text_of(service, "service"),
                   text_of(service, "image"),
                   fmt::format("{}/{}", number_of(service, "running"), number_of(service, "desired")),
                   {health, tone_of_state(health)}});
    }
    if (!table.empty()) print("\n" + table.render(colours_wanted()));
}

void status(const Session& session, const ListStyle& style, const std::string& only) {
    Client client = session.client();
    json answer = only.empty() ? client.get("/kedge/v1/status") : json::object();
    json projects = only.empty() ? answer["projects"] : json::array({client.get("/kedge/v1/projects/" + escape(only))});
    if (style.json()) return print_json(only.empty() ? answer : projects[0]);
    if (style.quiet) {
        for (const json& project : projects) print(text_of(project, "project") + "\n");
        return;
    }
    if (projects.empty()) {
        json sources = answer.value("sources", json::array());
        print(sources.empty() ? "no sources are configured: see /etc/kedge/agent.yaml\n" : "no projects yet\n");
    } else {
        Table table({"PROJECT", "RELEASE", "COMMIT", "STATE", "SERVICES", "HEALTH", "DRIFT", "AGE"});
        for (const json& project : projects) add_project_row(table, project, wall_now());
        print(table);
    }
    if (!only.empty()) print_services(projects[0]);
    if (std::string text = remarks(projects, answer.value("sources", json::array())); !text.empty()) print("\n" + text);
}

void set_up_status(CommandLine line, const std::shared_ptr<Session>& session) {
    auto style = std::make_shared<ListStyle>();
    auto project = std::make_shared<std::string>();
    add_list_options(line, *style);
    line.add_option("project", *project, "Only this project, with its services");
    line.callback([=] { status(*session, *style, *project); });
}

void set_up_sources(CommandLine line, const std::shared_ptr<Session>& session) {
    auto style = std::make_shared<ListStyle>();
    add_list_options(line, *style);
    line.callback([=] {
        json sources = session->client().get("/kedge/v1/sources");
        if (style->json()) return print_json_lines(sources);
        WallTime now = wall_now();
        Table table({"SOURCE", "REPOSITORY", "REF", "COMMIT", "FETCHED", "STATE"});
        for (const json& source : sources) {
            if (style->quiet) {
                print(text_of(source, "name") + "\n");
                continue;
            }
            json commit = source.value("commit", json::object());
            std::string error = text_of(source, "error");
            std::string state = !error.empty() ? error : source.value("polling", false) ? "fetching" : "ok";
            table.add({text_of(source, "name"),
                       text_of(source, "url"),
                       text_of(source, "ref"),
                       text_of(commit, "id").substr(0, style->no_trunc ? 40 : 8),
                       ago(text_of(source, "last_success"), now),
                       {style->no_trunc ? state : truncated(state, 60), error.empty() ? Tone::good : Tone::bad}});
        }
        if (!style->quiet) print(table);
    });
}

}  // namespace

std::vector<Command> project_commands() {
    return {{"status", "Projects with their release, state, health and drift",
             "  kedge status\n  kedge status shop\n  kedge status --format json", set_up_status},
            diff_command(),
            {"sources", "Repositories that are followed", "  kedge sources", set_up_sources}};
}

}  // namespace kedge::cli

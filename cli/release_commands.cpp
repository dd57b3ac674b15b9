#include "base/error.h"
#include "cli/format.h"
#include "cli/session.h"
#include "cli/table.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace kedge::cli {

using nlohmann::json;

namespace {

std::string project_path(const std::string& project, const std::string& rest) {
    return "/kedge/v1/projects/" + escape(project) + rest;
}

/// Prints the steps as they are done and says how it ended: exit code 0 only for a good release.
void follow_release(Session& session, const std::string& path, const json& body, bool as_json) {
    json release, error;
    Lines lines([&](const std::string& line) {
        json message = json::parse(line, nullptr, false);
        if (!message.is_object()) return;
        if (as_json)
            print(line + "\n");
        else if (message.contains("progress"))
            print(text_of(message, "progress") + "\n");
        if (message.contains("release")) release = message["release"];
        if (message.contains("error")) error = message["error"];
    });
    session.client().stream("POST", path, body.dump(), [&](std::string_view data) { lines.take(data); });
    session.exit_code = 1;
    if (error.is_object()) throw Error(Code::internal, text_of(error, "message"), text_of(error, "hint"));
    if (!release.is_object()) throw Error(Code::unavailable, "the agent ended before the release did");
    std::string state = text_of(release, "state");
    if (state == "good") session.exit_code = 0;
    if (as_json) return;
    Tone tone = state == "good" ? Tone::good : Tone::bad;
    std::string reason = text_of(release, "error");
    print(fmt::format("release {} of {}: {}{}\n", number_of(release, "number"), text_of(release, "project"),
                      painted(state, tone, colours_wanted()), reason.empty() ? "" : ": " + reason));
}

struct ReleaseOptions {
    std::string project, format = "table", reason;
    int64_t release = 0;
};

void set_up_sync(CommandLine line, const std::shared_ptr<Session>& session) {
    auto options = std::make_shared<ReleaseOptions>();
    line.add_option("project", options->project, "The project").required();
    add_format_option(line, options->format);
    line.callback([=] {
        follow_release(*session, project_path(options->project, "/sync"), json::object(), options->format == "json");
    });
}

void set_up_rollback(CommandLine line, const std::shared_ptr<Session>& session) {
    auto options = std::make_shared<ReleaseOptions>();
    line.add_option("project", options->project, "The project").required();
    line.add_option("release", options->release, "The release to go back to (the last good one before the current)")
        .positive();
    add_format_option(line, options->format);
    line.callback([=] {
        follow_release(*session, project_path(options->project, "/rollback"), {{"release", options->release}},
                       options->format == "json");
    });
}

std::string took(const json& release) {
    std::string from = text_of(release, "created"), to = text_of(release, "finished");
    if (from.empty() || to.empty()) return "-";
    return format_duration(std::chrono::round<std::chrono::milliseconds>(parse_time(to) - parse_time(from)));
}

void history(const Session& session, const std::string& project, const ListStyle& style) {
    json releases = session.client().get(project_path(project, "/releases"));
    if (style.json()) return print_json_lines(releases);
    Table table({"RELEASE", "STATE", "COMMIT", "SUBJECT", "CAUSE", "CREATED", "TOOK"});
    for (const json& release : releases) {
        if (style.quiet) {
            print(std::to_string(number_of(release, "number")) + "\n");
            continue;
        }
        std::string state = text_of(release, "state"), subject = text_of(release, "subject"),
                    commit = text_of(release, "commit");
        Tone tone = state == "good"                                ? Tone::good
                    : state == "rolled_back" || state == "blocked" ? Tone::bad
                                                                   : Tone::plain;
        if (release.value("quarantined", false)) state += " (quarantined)";
        table.add({std::to_string(number_of(release, "number")),
                   {state, tone},
                   style.no_trunc ? commit : commit.substr(0, 8),
                   style.no_trunc ? subject : truncated(subject, 48),
                   text_of(release, "cause"),
                   ago(text_of(release, "created"), wall_now()),
                   took(release)});
    }
    if (!style.quiet) print(table);
}

void set_up_history(CommandLine line, const std::shared_ptr<Session>& session) {
    auto style = std::make_shared<ListStyle>();
    auto options = std::make_shared<ReleaseOptions>();
    line.add_option("project", options->project, "The project, or an image").required();
    line.add_option("release", options->release, "Everything about this release, as JSON").positive();
    add_list_options(line, *style);
    line.callback([=] {
        try {
            if (options->release == 0) return history(*session, options->project, *style);
        } catch (const Error& error) {
            if (error.code() != Code::not_found) throw;
            return show_image_history(session->client(), options->project, *style);
        }
        print_json(
            session->client().get(project_path(options->project, "/releases/" + std::to_string(options->release))));
    });
}

void set_up_hold(CommandLine line, const std::shared_ptr<Session>& session) {
    auto options = std::make_shared<ReleaseOptions>();
    line.add_option("project", options->project, "The project").required();
    line.add_option("-m,--reason,reason", options->reason, "Why, for the next one who looks");
    line.callback([=] {
        (void)session->client().post(project_path(options->project, "/hold"), {{"reason", options->reason}});
        print(options->project + " is held; kedge resume " + options->project + " lets it go on\n");
    });
}

void set_up_simple(CommandLine line, const std::shared_ptr<Session>& session, const std::string& action) {
    auto options = std::make_shared<ReleaseOptions>();
    line.add_option("project", options->project, "The project").required();
    line.callback([=] { (void)session->client().post(project_path(options->project, "/" + action)); });
}

}  // namespace

std::vector<Command> release_commands() {
    return {
        {"sync", "Fetch and apply now, and wait until it is good or rolled back", "  kedge sync shop", set_up_sync},
        {"history", "Releases of a project, newest first, or how an image was made",
         "  kedge history shop\n  kedge history shop 4\n  kedge history nginx:1.27", set_up_history},
        {"rollback", "Go back to a good release", "  kedge rollback shop\n  kedge rollback shop 4", set_up_rollback},
        {"hold", "Leave a project as it is until it is resumed", "  kedge hold shop -m 'stocktaking'", set_up_hold},
        {"resume", "Let a held project go on", "  kedge resume shop",
         [](CommandLine line, const std::shared_ptr<Session>& session) { set_up_simple(line, session, "resume"); }},
        {"retry", "Try a quarantined commit again", "  kedge retry shop",
         [](CommandLine line, const std::shared_ptr<Session>& session) { set_up_simple(line, session, "retry"); }}};
}

}  // namespace kedge::cli

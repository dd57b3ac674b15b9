#include "base/clock.h"
#include "base/error.h"
#include "cli/format.h"
#include "cli/frame_printer.h"
#include "cli/session.h"
#include "cli/template.h"

#include <nlohmann/json.hpp>

namespace kedge::cli {

using nlohmann::json;

namespace {

struct LogOptions {
    std::string container, tail = "all", since, until;
    bool follow = false, timestamps = false, details = false;
};

void logs(const Session& session, const LogOptions& options) {
    Client client = session.client();
    const std::string path = "/containers/" + escape(options.container);
    WallTime now = wall_now();
    auto flag = [](bool on) { return std::string(on ? "1" : ""); };
    auto limit = [&](const std::string& name, const std::string& text) {
        try {
            return time_parameter(text, now);
        } catch (const Error& error) {
            throw error.with_context("invalid value for \"" + name + "\"");
        }
    };
    std::string parameters = query({{"stdout", "1"},
                                    {"stderr", "1"},
                                    {"follow", flag(options.follow)},
                                    {"timestamps", flag(options.timestamps)},
                                    {"details", flag(options.details)},
                                    {"tail", options.tail},
                                    {"since", limit("since", options.since)},
                                    {"until", limit("until", options.until)}});
    bool raw =
        client.get(path + "/json")["Config"].value("Tty", false);  // a terminal's output is one stream, without frames
    FramePrinter frames;
    client.stream("GET", path + "/logs" + parameters, {}, [&](std::string_view data) {
        if (raw)
            print(data);
        else
            frames.take(data);
    });
}

void set_up_logs(CommandLine line, const std::shared_ptr<Session>& session) {
    auto options = std::make_shared<LogOptions>();
    line.add_option("container", options->container, "The container").required();
    line.add_flag("-f,--follow", options->follow, "Go on until the container has exited");
    line.add_option("-n,--tail", options->tail, "Only so many lines of the end").show_default();
    line.add_option("--since", options->since, "Only from then on: 10m, or a time");
    line.add_option("--until", options->until, "Only until then");
    line.add_flag("-t,--timestamps", options->timestamps, "With the time of each line");
    line.add_flag("--details", options->details, "With the labels, variables and tag that --log-opt names");
    line.callback([=] { logs(*session, *options); });
}

/// `2026-01-02T15:04:05.000000006Z container start 4f66ad9ae5... (image=web:1, name=web)`
std::string event_line(const json& event) {
    json actor = event.value("Actor", json::object());
    json known = actor.value("Attributes", json::object());
    std::string attributes;
    for (const auto& [name, value] : known.items()) {
        attributes += (attributes.empty() ? "" : ", ") + name + "=" + value.get<std::string>();
    }
    std::string line = local_time(number_of(event, "timeNano")) + " " + text_of(event, "Type") + " " +
                       text_of(event, "Action") + " " + text_of(actor, "ID");
    return attributes.empty() ? line : line + " (" + attributes + ")";
}

/// With the names that Docker's templates use.
json with_template_names(json event) {
    const std::pair<const char*, const char*> names[] = {{"ID", "id"},     {"Status", "status"},
                                                         {"From", "from"}, {"Scope", "scope"},
                                                         {"Time", "time"}, {"TimeNano", "timeNano"}};
    for (const auto& [shown, member] : names) event[shown] = event.contains(member) ? event[member] : json("");
    return event;
}

struct EventOptions {
    std::string since, until, format;
    std::vector<std::string> filters;
};

void events(const Session& session, const EventOptions& options) {
    WallTime now = wall_now();
    std::string parameters = query({{"since", time_parameter(options.since, now)},
                                    {"until", time_parameter(options.until, now)},
                                    {"filters", filters_parameter(options.filters)}});
    Lines lines([&](const std::string& line) {
        json event = json::parse(line, nullptr, false);
        if (!event.is_object()) return;
        bool is_template = options.format.find("{{") != std::string::npos;
        print((options.format == "json" ? line
               : is_template            ? render_template(options.format, with_template_names(event))
                                        : event_line(event)) +
              "\n");
    });
    session.client().stream("GET", "/events" + parameters, {}, [&](std::string_view data) { lines.take(data); });
}

void set_up_events(CommandLine line, const std::shared_ptr<Session>& session) {
    auto options = std::make_shared<EventOptions>();
    line.add_option("--since", options->since, "Also those since then: 10m, or a time");
    line.add_option("--until", options->until, "Only until then");
    line.add_list("-f,--filter", options->filters,
                  "name=value: type, event, container, image, network, volume, label, project");
    line.add_option("--format", options->format, "json, or a template such as '{{.Action}}'");
    line.callback([=] { events(*session, *options); });
}

}  // namespace

std::vector<Command> log_commands() {
    return {{"logs", "Output of a container",
             "  kedge logs web\n  kedge logs -f --tail 100 web\n  kedge logs --since 10m -t web 2>&1 | grep error",
             set_up_logs},
            {"events", "What happens, as it happens",
             "  kedge events\n  kedge events --since 1h --filter type=container --filter event=die", set_up_events}};
}

}  // namespace kedge::cli

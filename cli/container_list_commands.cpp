#include "base/clock.h"
#include "base/error.h"
#include "cli/format.h"
#include "cli/session.h"
#include "cli/template_functions.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace kedge::cli {

using nlohmann::json;

namespace {

/// The names of volumes, and where else mounts come from.
std::string mounts_text(const json& mounts, bool no_trunc) {
    std::string text;
    for (const json& mount : mounts) {
        const std::string name = text_of(mount, "Name"), from = name.empty() ? text_of(mount, "Source") : name;
        text += (text.empty() ? "" : ",") + (no_trunc ? from : truncated(from, 15));
    }
    return text;
}

/// The members that Docker's `ps --format` knows.
json row_of(const json& container, bool no_trunc) {
    std::string id = text_of(container, "Id"), command = text_of(container, "Command");
    WallTime created{std::chrono::seconds(number_of(container, "Created"))};
    std::string networks;
    json joined_networks = container["NetworkSettings"].value("Networks", json::object());
    for (const auto& [name, endpoint] : joined_networks.items()) {
        networks += (networks.empty() ? "" : ",") + name;
    }
    json mounts = container.value("Mounts", json::array());
    int64_t volumes =
        std::count_if(mounts.begin(), mounts.end(), [](const json& m) { return text_of(m, "Type") == "volume"; });
    json row = {{"ID", no_trunc ? id : short_id(id)},
                {"Image", text_of(container, "Image")},
                {"Command", go_quoted(no_trunc ? command : truncated(command, 20))},
                {"CreatedAt", go_time(created)},
                {"RunningFor", human_duration(wall_now() - created) + " ago"},
                {"Status", text_of(container, "Status")},
                {"State", text_of(container, "State")},
                {"Ports", ports_text(container.value("Ports", json::array()))},
                {"Names", container_names(container)},
                {"Labels", labels_text(container.value("Labels", json::object()))},
                {kLabels, container.value("Labels", json::object())},
                {"Platform", nullptr},
                {"Size", "0B"},
                {"Networks", networks},
                {"Mounts", mounts_text(mounts, no_trunc)},
                {"LocalVolumes", std::to_string(volumes)}};
    if (container.contains("SizeRw")) {
        row["Size"] = fmt::format("{} (virtual {})", human_size(number_of(container, "SizeRw")),
                                  human_size(number_of(container, "SizeRootFs")));
    }
    return row;
}

struct PsOptions {
    ListStyle style;
    bool all = false, latest = false, size = false;
    int last = 0;
    std::vector<std::string> filters;
};

void list_containers(const Session& session, const PsOptions& options) {
    // A template that shows sizes asks for them.
    auto shows = [&](const char* what) { return options.style.format.find(what) != std::string::npos; };
    const bool size = options.size || shows(".Size") || shows("{{json .}}");
    int limit = options.latest ? 1 : options.last;
    json containers =
        session.client().get("/containers/json" + query({{"all", options.all ? "1" : ""},
                                                         {"size", size ? "1" : ""},
                                                         {"limit", limit > 0 ? std::to_string(limit) : ""},
                                                         {"filters", filters_parameter(options.filters)}}));
    json rows = json::array();
    for (const json& container : containers) rows.push_back(row_of(container, options.style.no_trunc));
    std::vector<Column> columns = {{"CONTAINER ID", "ID"},    {"IMAGE", "Image"},   {"COMMAND", "Command"},
                                   {"CREATED", "RunningFor"}, {"STATUS", "Status"}, {"PORTS", "Ports"},
                                   {"NAMES", "Names"}};
    if (options.size) columns.push_back({"SIZE", "Size"});
    print_rows(options.style, columns, rows, "ID");
}

void set_up_ps(CommandLine line, const std::shared_ptr<Session>& session) {
    auto options = std::make_shared<PsOptions>();
    add_list_options(line, options->style);
    line.add_flag("-s,--size", options->size, "With what they wrote and, in brackets, what that is with their image");
    line.add_flag("-a,--all", options->all, "Also those that don't run");
    line.add_flag("-l,--latest", options->latest, "The newest one, running or not");
    line.add_option("-n,--last", options->last, "The newest ones, running or not");
    line.add_list("-f,--filter", options->filters,
                  "name=value: id, name, status, label, ancestor, health, network, volume, ...");
    line.callback([=] { list_containers(*session, *options); });
}

void set_up_port(CommandLine line, const std::shared_ptr<Session>& session) {
    auto container = std::make_shared<std::string>();
    auto port = std::make_shared<std::string>();
    line.add_option("container", *container, "The container").required();
    line.add_option("port", *port, "Only this port of the container: 80 or 80/tcp");
    line.callback([=] {
        json info = session->client().get("/containers/" + escape(*container) + "/json");
        std::string wanted = port->empty() || port->find('/') != std::string::npos ? *port : *port + "/tcp";
        std::string lines = published_lines(info["NetworkSettings"].value("Ports", json::object()), wanted);
        if (lines.empty() && !wanted.empty())
            throw Error(Code::not_found, "No public port '" + *port + "' published for " + *container);
        print(lines);
    });
}

}  // namespace

std::vector<Command> container_list_commands() {
    return {
        {"ps", "List containers",
         "  kedge ps\n  kedge ps -a --filter status=exited\n  kedge ps --format '{{.Names}} {{.Status}}'", set_up_ps},
        {"port", "Published ports of a container", "  kedge port web\n  kedge port web 80/tcp", set_up_port}};
}

}  // namespace kedge::cli

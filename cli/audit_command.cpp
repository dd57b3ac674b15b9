#include "cli/audit.h"

#include "cli/format.h"
#include "cli/session.h"

#include <nlohmann/json.hpp>

namespace kedge::cli {

using nlohmann::json;

std::string who_of(const json& change) {
    std::string name = text_of(change, "user"), program = text_of(change, "program");
    if (name.empty())
        name = number_of(change, "uid") < 0 ? "somebody" : "uid " + std::to_string(number_of(change, "uid"));
    return program.empty() ? name : name + " (" + program + ")";
}

std::string request_of(const json& change) {
    return text_of(change, "method") + " " + text_of(change, "path");
}

namespace {

void audit(const Session& session, const ListStyle& style, size_t last) {
    json changes = session.client().get("/kedge/v1/audit"), rows = json::array();
    size_t first = changes.size() > last ? changes.size() - last : 0;
    for (size_t i = first; i < changes.size(); ++i) {
        json row = changes[i];
        if (!style.json()) {
            row = {{"Time", text_of(row, "time")},        {"Who", who_of(row)},
                   {"Request", request_of(row)},          {"Status", std::to_string(number_of(row, "status"))},
                   {"Container", text_of(row, "object")}, {"Project", text_of(row, "project")}};
        }
        rows.push_back(row);
    }
    print_rows(
        style,
        {{"TIME", "Time"}, {"WHO", "Who"}, {"REQUEST", "Request"}, {"STATUS", "Status"}, {"CONTAINER", "Container"}},
        rows, "Request");
}

void set_up_audit(CommandLine line, const std::shared_ptr<Session>& session) {
    auto style = std::make_shared<ListStyle>();
    auto last = std::make_shared<size_t>(50);
    line.add_option("-n,--last", *last, "So many of the newest").show_default();
    add_format_option(line, style->format);
    line.callback([=] { audit(*session, *style, *last); });
}

}  // namespace

Command audit_command() {
    return {"audit", "Who changed what through the agent's API, and when",
            "  kedge audit\n  kedge audit -n 500 --format json", set_up_audit};
}

}  // namespace kedge::cli

#include "base/error.h"
#include "cli/flag_values.h"
#include "cli/session.h"

#include <nlohmann/json.hpp>

namespace kedge::cli {

using nlohmann::json;

namespace {

struct UpdateOptions {
    RunOptions limits;
    std::vector<std::string> names;
};

json update_body(const RunOptions& options) {
    json body = json::object();
    put_limits(options, body);
    if (!options.restart.empty()) body["RestartPolicy"] = read_restart(options.restart);
    if (body.empty()) throw Error(Code::invalid_argument, "you must provide one or more flags when using this command");
    return body;
}

void update(Session& session, const UpdateOptions& options) {
    const json body = update_body(options.limits);
    Client client = session.client();
    for_each_name(options.names, session, [&](const std::string& name) {
        json answer = client.post("/containers/" + escape(name) + "/update", body);
        print(name + "\n");
        for (const json& warning : answer.value("Warnings", json::array()))
            print("WARNING: " + warning.get<std::string>() + "\n", 2);
    });
}

void set_up_update(CommandLine line, const std::shared_ptr<Session>& session) {
    auto options = std::make_shared<UpdateOptions>();
    line.add_option("containers", options->names, "Names or ids").required();
    add_changeable_limit_flags(line, options->limits);
    line.add_option("--restart", options->limits.restart, "no, on-failure[:N], always or unless-stopped").group("Life");
    line.refuse_options({"--cpu-rt-period", "--cpu-rt-runtime", "--kernel-memory"});
    line.callback([=] { update(*session, *options); });
}

}  // namespace

Command update_command() {
    return {"update", "Change limits and the restart policy of containers",
            "  kedge update -m 512m --memory-swap 1g web\n  kedge update --cpus 1.5 --pids-limit 200 web db\n  kedge "
            "update --restart unless-stopped web",
            set_up_update};
}

}  // namespace kedge::cli

#include "base/error.h"
#include "cli/format.h"
#include "cli/session.h"

#include <nlohmann/json.hpp>

#include <optional>

namespace kedge::cli {

using nlohmann::json;

namespace {

struct Options {
    std::vector<std::string> names;
    std::optional<int> seconds;
    std::string signal;
    bool force = false, volumes = false;
};

std::shared_ptr<Options> with_names(CommandLine line) {
    auto options = std::make_shared<Options>();
    line.add_option("containers", options->names, "Names or ids").required();
    return options;
}

void set_up_stopping(CommandLine line, const std::shared_ptr<Session>& session, const std::string& action) {
    auto options = with_names(line);
    line.add_option("-s,--signal", options->signal, "In place of its stop signal");
    line.add_option("-t,--timeout,--time", options->seconds,
                    "Seconds before it is killed (the container's own, or 10)");
    line.callback([=] {
        post_for_each(
            *session, options->names,
            "/" + action +
                query({{"t", options->seconds ? std::to_string(*options->seconds) : ""}, {"signal", options->signal}}));
    });
}

void set_up_pause(CommandLine line, const std::shared_ptr<Session>& session) {
    auto options = with_names(line);
    line.callback([=] { post_for_each(*session, options->names, "/pause"); });
}

void set_up_unpause(CommandLine line, const std::shared_ptr<Session>& session) {
    auto options = with_names(line);
    line.callback([=] { post_for_each(*session, options->names, "/unpause"); });
}

void set_up_kill(CommandLine line, const std::shared_ptr<Session>& session) {
    auto options = with_names(line);
    line.add_option("-s,--signal", options->signal, "The signal (KILL)");
    line.callback([=] { post_for_each(*session, options->names, "/kill" + query({{"signal", options->signal}})); });
}

void set_up_rm(CommandLine line, const std::shared_ptr<Session>& session) {
    auto options = with_names(line);
    line.add_flag("-f,--force", options->force, "Kill it first if it runs");
    line.add_flag("-v,--volumes", options->volumes, "Also its anonymous volumes");
    line.refuse_options({"-l,--link"});
    line.callback([=] {
        Client client = session->client();
        for_each_name(options->names, *session, [&](const std::string& name) {
            try {
                (void)client.remove(container_path(
                    name, query({{"force", options->force ? "1" : ""}, {"v", options->volumes ? "1" : ""}})));
            } catch (const Error& error) {
                if (!options->force || error.code() != Code::not_found) throw;
                return print_error(error);  // as Docker: said, but no failure
            }
            print(name + "\n");
        });
    });
}

void set_up_wait(CommandLine line, const std::shared_ptr<Session>& session) {
    auto options = with_names(line);
    line.callback([=] {
        Client client = session->client();
        for_each_name(options->names, *session, [&](const std::string& name) {
            json answer = client.post(container_path(name, "/wait"));
            if (answer.is_object() && answer["Error"].is_object())
                throw Error(Code::internal, text_of(answer["Error"], "Message"));
            print(std::to_string(number_of(answer, "StatusCode")) + "\n");
        });
    });
}

void set_up_rename(CommandLine line, const std::shared_ptr<Session>& session) {
    auto name = std::make_shared<std::string>(), new_name = std::make_shared<std::string>();
    line.add_option("container", *name, "The container").required();
    line.add_option("new_name", *new_name, "Its new name").required();
    line.callback([=] {
        (void)session->client().post(container_path(*name, "/rename" + query({{"name", *new_name}})));
    });
}

}  // namespace

std::vector<Command> container_commands() {
    return {
        {"stop", "Stop containers: the stop signal, then SIGKILL", "  kedge stop -t 30 web",
         [](CommandLine line, const std::shared_ptr<Session>& session) { set_up_stopping(line, session, "stop"); }},
        {"restart", "Stop and start containers", "  kedge restart web",
         [](CommandLine line, const std::shared_ptr<Session>& session) { set_up_stopping(line, session, "restart"); }},
        {"pause", "Stop all processes of containers where they are", "  kedge pause web", set_up_pause},
        {"unpause", "Let paused containers go on", "  kedge unpause web", set_up_unpause},
        {"kill", "Send a signal to containers", "  kedge kill -s HUP web", set_up_kill},
        {"rm", "Remove containers", "  kedge rm -f web", set_up_rm, {}, "remove"},
        {"wait", "Wait until containers have exited, and print their exit codes", "  kedge wait job", set_up_wait},
        {"rename", "Give a container another name", "  kedge rename web web-old", set_up_rename}};
}

}  // namespace kedge::cli

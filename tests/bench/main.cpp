// Measures engines side by side. tests/bench/run prepares what is measured and calls this.
#include "base/error.h"
#include "tests/bench/figures.h"

#include <CLI/CLI.hpp>

#include <csignal>

namespace {

using namespace kedge::bench;

/// `name=value`, or `name@network namespace=value`.
struct Named {
    std::string name, network_namespace, value;
};

Named parse_named(const std::string& text) {
    size_t equals = text.find('=');
    if (equals == std::string::npos) fail("\"" + text + "\" is not name=value");
    std::string name = text.substr(0, equals);
    size_t at = name.find('@');
    return {name.substr(0, at), at == std::string::npos ? "" : name.substr(at + 1), text.substr(equals + 1)};
}

struct Options {
    std::string format = "table", image, socket, floor, what;
    std::vector<std::string> engines, commands, before, after;
    CommandSetting command;
    double limit = 20;
    int rounds = 11, agent = 0, seconds = 10, projects = 0;
    bool network = false, durable = false;
    WebhookSetting webhook;

    std::vector<NamedSocket> sockets() const {
        std::vector<NamedSocket> list;
        for (const std::string& text : engines) {
            Named named = parse_named(text);
            list.push_back({named.name, named.value});
        }
        return list;
    }
    static std::vector<NamedCommand> named(const std::vector<std::string>& texts) {
        std::vector<NamedCommand> list;
        for (const std::string& text : texts) {
            Named named = parse_named(text);
            list.push_back({named.name, Command::from(named.value, named.network_namespace)});
        }
        return list;
    }
    void show(const Figure& figure) const { print(figure, format == "json" ? Format::json : Format::table); }
};

void add_figures(CLI::App& app, Options& o) {
    auto verb = [&](const char* name, const char* what, auto&& work) {
        CLI::App* sub = app.add_subcommand(name, what);
        sub->callback(work);
        return sub;
    };
    auto* start = verb("start", "start of a container", [&] {
        o.show(start_figure(o.sockets(), Command::from(o.floor), o.image, o.network, o.rounds));
    });
    start->add_option("--floor", o.floor, "the command of the floor")->required();
    start->add_flag("--network", o.network, "with a network and a published port");
    auto* command = verb("command", "whole commands", [&] {
        o.command.what = o.what;
        o.command.commands = o.named(o.commands);
        o.command.before = o.named(o.before);
        o.command.after = o.named(o.after);
        o.show(command_figure(o.command, o.rounds));
    });
    command->add_option("--name", o.command.name, "the figure's name")->required();
    command->add_option("--before", o.before, "as --command: before each of its rounds")->allow_extra_args(false);
    command->add_option("--after", o.after, "as --command: after each of its rounds")->allow_extra_args(false);
    command->add_flag("--cpu", o.command.cpu, "processor time of the machine");
    command->add_option("--limit", o.command.limits, "name=ratio that kedge means to reach")->allow_extra_args(false);
    auto* pull = verb("pull", "pull of an image",
                      [&] { o.show(pull_figure(o.sockets(), o.named(o.commands), o.image, o.durable, o.rounds)); });
    pull->add_flag("--durable", o.durable, "until it is on the disk");
    auto* webhook = verb("webhook", "webhook until the first instruction", [&] {
        o.webhook.socket = o.socket;
        o.webhook.image = o.image;
        o.show(webhook_figure(o.webhook, o.rounds));
    });
    webhook->add_option("--address", o.webhook.address, "host:port");
    webhook->add_option("--secret", o.webhook.secret, "of the webhook");
    webhook->add_option("--url", o.webhook.repository_url, "of the repository");
    webhook->add_option("--work", o.webhook.work, "a clone of it");
    webhook->add_option("--seen", o.webhook.seen, "the folder that the container writes to");
    verb("sync", "processor time of a sync", [&] { o.show(sync_figure(o.socket, o.agent, o.what, o.rounds)); });
    auto* idle = verb("idle", "memory and wake-ups", [&] {
        for (const Figure& figure : idle_figures(o.agent, o.what, o.seconds, o.limit)) o.show(figure);
    });
    idle->add_option("--seconds", o.seconds, "of idleness");
    idle->add_option("--limit", o.limit, "of the agent's resident memory, in MB");
    verb("await", "wait until projects are good", [&] { await_projects(o.socket, static_cast<size_t>(o.projects)); });
    verb("clear", "remove all containers and networks", [&] { clear(o.socket); });
    for (CLI::App* sub : app.get_subcommands({})) {
        sub->add_option("--format", o.format, "table or json")->check(CLI::IsMember({"table", "json"}));
        sub->add_option("--rounds", o.rounds, "of every side")->check(CLI::Range(1, 100000));
        sub->add_option("--engine", o.engines, "name=socket")->allow_extra_args(false);
        sub->add_option("--command", o.commands, "name=words, or name@network namespace=words")
            ->allow_extra_args(false);
        sub->add_option("--image", o.image, "reference");
        sub->add_option("--socket", o.socket, "the agent's");
        sub->add_option("--agent", o.agent, "the agent's pid");
        sub->add_option("--what", o.what, "words for the title");
        sub->add_option("--projects", o.projects, "how many");
    }
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    CLI::App app("kedge-bench: measures engines side by side", "kedge-bench");
    app.require_subcommand(1);
    Options options;
    add_figures(app, options);
    try {
        CLI11_PARSE(app, argc, argv);
    } catch (const std::exception& error) {
        fail(error.what());
    }
    return 0;
}

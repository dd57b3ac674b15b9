// spec, state, ps, list, events, features on the command line.
#include "base/clock.h"
#include "base/error.h"
#include "runtime/containers/process_list.h"
#include "runtime/oci/command_line.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <iostream>

namespace kedge::oci {

namespace {

void print(const std::string& text) {
    write_all(1, text);
}

void add_spec(CLI::App& app) {
    CLI::App* command = add(app, "spec", "Write a config.json to begin with", "  kedge oci spec --bundle /srv/web");
    auto bundle = std::make_shared<std::string>(".");
    command->add_option("-b,--bundle", *bundle, "The folder for it (the current one)");
    command->callback([=] {
        // One that is there is somebody's work.
        Fd file = open_at(AT_FDCWD, *bundle + "/config.json", O_WRONLY | O_CREAT | O_EXCL, 0644);
        write_all(file.get(), default_config().dump(4) + "\n");
    });
}

void add_state(CLI::App& app, const SessionPtr& session) {
    CLI::App* command = add(app, "state", "Print a container's state as JSON", "  kedge oci state web");
    auto id = std::make_shared<std::string>();
    command->add_option("id", *id, "The container")->required();
    command->callback([=] { print(state(session->runtime, *id).dump(2) + "\n"); });
}

std::string process_table(const std::vector<int>& pids) {
    std::string text = fmt::format("{:<8} {:>8} {:>8} {:<10} {}\n", "UID", "PID", "PPID", "TIME", "CMD");
    for (int pid : pids) {
        const std::optional<runtime::ProcessInfo> info = runtime::read_process(pid);
        if (!info) continue;  // it has ended meanwhile
        std::string command;
        for (const std::string& argument : info->arguments) command += (command.empty() ? "" : " ") + argument;
        if (command.empty()) command = "[" + info->name + "]";
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(info->cpu_time).count();
        const std::string time = fmt::format("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
        text += fmt::format("{:<8} {:>8} {:>8} {:<10} {}\n", info->user, info->pid, info->parent, time, command);
    }
    return text;
}

void add_ps(CLI::App& app, const SessionPtr& session) {
    CLI::App* command = add(app, "ps", "Print a container's processes, as the host numbers them",
                            "  kedge oci ps web\n  kedge oci ps --format json web");
    struct Flags {
        std::string id, format = "table";
    };
    auto flags = std::make_shared<Flags>();
    command->add_option("-f,--format", flags->format, "table or json")->check(CLI::IsMember({"table", "json"}));
    command->add_option("id", flags->id, "The container")->required();
    command->callback([=] {
        const std::vector<int> pids = processes(session->runtime, flags->id);
        print(flags->format == "json" ? Json(pids).dump() + "\n" : process_table(pids));
    });
}

void add_list(CLI::App& app, const SessionPtr& session) {
    CLI::App* command = add(app, "list", "Print the containers below --root",
                            "  kedge oci list\n  kedge oci --root /run/other list --format json");
    struct Flags {
        std::string format = "table";
        bool quiet = false;
    };
    auto flags = std::make_shared<Flags>();
    command->add_option("-f,--format", flags->format, "table or json")->check(CLI::IsMember({"table", "json"}));
    command->add_flag("-q,--quiet", flags->quiet, "Only the ids");
    command->callback([=] {
        const std::vector<Json> all = list(session->runtime);
        if (!flags->quiet && flags->format == "json") return print(Json(all).dump() + "\n");
        std::string text;
        if (!flags->quiet)
            text = fmt::format("{:<24} {:<8} {:<10} {:<32} {}\n", "ID", "PID", "STATUS", "CREATED", "BUNDLE");
        for (const Json& one : all) {
            const std::string id = one.at("id");
            text += flags->quiet
                        ? id + "\n"
                        : fmt::format("{:<24} {:<8} {:<10} {:<32} {}\n", id, one.at("pid").get<int>(),
                                      one.at("status").get<std::string>(), one.at("created").get<std::string>(),
                                      one.at("bundle").get<std::string>());
        }
        print(text);
    });
}

void add_events(CLI::App& app, const SessionPtr& session) {
    CLI::App* command = add(app, "events", "Print what a container uses, again and again, until it ends",
                            "  kedge oci events --stats web\n  kedge oci events --interval 1s web");
    struct Flags {
        std::string id, interval = "5s";
        bool once = false;
    };
    auto flags = std::make_shared<Flags>();
    command->add_option("--interval", flags->interval, "How often (5s)");
    command->add_flag("--stats", flags->once, "Once, and that is it");
    command->add_option("id", flags->id, "The container")->required();
    command->callback([=] { watch(session->runtime, flags->id, parse_duration(flags->interval), flags->once, print); });
}

void add_features(CLI::App& app) {
    CLI::App* command = add(app, "features", "Print what is supported as JSON", "  kedge oci features");
    command->callback([] { print(features().dump(2) + "\n"); });
}

}  // namespace

void add_query_commands(CLI::App& app, const SessionPtr& session) {
    add_spec(app);
    add_state(app, session);
    add_ps(app, session);
    add_list(app, session);
    add_events(app, session);
    add_features(app);
}

}  // namespace kedge::oci

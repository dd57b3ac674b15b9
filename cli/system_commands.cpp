#include "base/error.h"
#include "cli/format.h"
#include "cli/session.h"
#include "cli/template.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <sys/utsname.h>

#include <optional>

namespace kedge::cli {

using nlohmann::json;

namespace {

/// Go's name of this machine's architecture.
std::string architecture() {
    utsname name{};
    (void)::uname(&name);  // can't fail with a valid pointer
    std::string machine = name.machine;
    if (machine == "x86_64") return "amd64";
    if (machine == "aarch64") return "arm64";
    return machine.starts_with("arm") ? "arm" : machine;
}

std::string version_text(const json& version) {
    const json& client = version["Client"];
    std::string text = fmt::format(
        "Client:\n Version:           {}\n API version:       {}\n OS/Arch:           {}/{}\n",
        text_of(client, "Version"), text_of(client, "ApiVersion"), text_of(client, "Os"), text_of(client, "Arch"));
    if (!version["Server"].is_object()) return text;
    const json& server = version["Server"];
    return text + fmt::format(
                      "\nServer:\n Engine:\n  Version:          {}\n  API version:      {} (minimum version {})\n  "
                      "OS/Arch:          {}/{}\n"
                      "  Kernel version:   {}\n  Running since:    {}\n",
                      text_of(server, "Version"), text_of(server, "ApiVersion"), text_of(server, "MinAPIVersion"),
                      text_of(server, "Os"), text_of(server, "Arch"), text_of(server, "KernelVersion"),
                      text_of(server, "Started"));
}

/// The command's own version is told also when there is no agent.
void show_version(const Session& session, const std::string& format) {
    json version = {
        {"Client", {{"Version", KEDGE_VERSION}, {"ApiVersion", "1.51"}, {"Os", "linux"}, {"Arch", architecture()}}},
        {"Server", nullptr}};
    std::optional<Error> failure;
    try {
        version["Server"] = session.client().get("/version");
    } catch (const Error& error) {
        failure = error;
    }
    if (format.empty())
        print(version_text(version));
    else if (format == "json")
        print(version.dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
    else if (!failure)
        print(render_template(format, version) + "\n");
    if (failure) throw *failure;
}

void set_up_version(CommandLine line, const std::shared_ptr<Session>& session) {
    auto format = std::make_shared<std::string>();
    line.add_option("-f,--format", *format, "json, or a template such as '{{.Server.Version}}'");
    line.callback([=] { show_version(*session, *format); });
}

std::string info_text(const json& info) {
    auto number = [&](const char* key) { return std::to_string(number_of(info, key)); };
    const std::pair<const char*, std::string> lines[] = {
        {"Containers", number("Containers")},
        {" Running", number("ContainersRunning")},
        {" Paused", number("ContainersPaused")},
        {" Stopped", number("ContainersStopped")},
        {"Images", number("Images")},
        {"Server Version", text_of(info, "ServerVersion")},
        {"Storage Driver", text_of(info, "Driver")},
        {"Logging Driver", text_of(info, "LoggingDriver")},
        {"Cgroup Driver", text_of(info, "CgroupDriver")},
        {"Cgroup Version", text_of(info, "CgroupVersion")},
        {"Default Runtime", text_of(info, "DefaultRuntime")},
        {"Kernel Version", text_of(info, "KernelVersion")},
        {"Operating System", text_of(info, "OperatingSystem")},
        {"OSType", text_of(info, "OSType")},
        {"Architecture", text_of(info, "Architecture")},
        {"CPUs", number("NCPU")},
        {"Total Memory", human_size(number_of(info, "MemTotal"))},
        {"Name", text_of(info, "Name")},
        {"ID", text_of(info, "ID")},
        {"Root Dir", text_of(info, "DockerRootDir")},
        {"Live Restore Enabled", info.value("LiveRestoreEnabled", false) ? "true" : "false"}};
    std::string text = "Server:\n";
    for (const auto& [name, value] : lines) text += fmt::format(" {}: {}\n", name, value);
    json labels = info.value("Labels", json());
    if (labels.is_array() && !labels.empty()) text += " Labels:\n";
    for (const json& label : labels) text += "  " + label.get<std::string>() + "\n";
    json warnings = info.value("Warnings", json());
    for (const json& warning : warnings) text += "WARNING: " + warning.get<std::string>() + "\n";
    return text;
}

void set_up_info(CommandLine line, const std::shared_ptr<Session>& session) {
    auto format = std::make_shared<std::string>();
    line.add_option("-f,--format", *format, "json, or a template such as '{{.ServerVersion}}'");
    line.callback([=] {
        json info = session->client().get("/info");
        if (format->empty())
            print(info_text(info));
        else if (*format == "json")
            print(info.dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
        else
            print(render_template(*format, info) + "\n");
    });
}

void set_up_metrics(CommandLine line, const std::shared_ptr<Session>& session) {
    line.callback([=] { print(session->client().get_text("/metrics")); });
}

}  // namespace

std::vector<Command> system_commands() {
    return {
        {"version", "Versions of this command and of the agent",
         "  kedge version\n  kedge version --format '{{.Server.Version}}'", set_up_version},
        {"info", "The agent, its machine and what it runs", "  kedge info\n  kedge info --format json", set_up_info},
        {"metrics", "The agent's metrics, as Prometheus reads them", "  kedge metrics | grep kedge_", set_up_metrics},
        {"inspect", "Everything about containers, images, networks or volumes, as JSON",
         "  kedge inspect web\n  kedge inspect -f '{{.State.Status}}' web\n  kedge inspect --type volume data",
         [](CommandLine line, const std::shared_ptr<Session>& session) { set_up_inspect(line, session, nullptr); }},
        audit_command()};
}

}  // namespace kedge::cli

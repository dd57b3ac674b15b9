#include "runtime/oci/command_line.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/programs.h"

#include <CLI/CLI.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>

namespace kedge::oci {

namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  mkdir -p b/rootfs/bin && cp /bin/busybox b/rootfs/bin/sh && kedge oci spec --bundle b\n"
    "  kedge oci run --bundle b shell\n"
    "  kedge oci list\n"
    "  podman --runtime /usr/libexec/kedge/kedge-oci --cgroup-manager cgroupfs run --rm busybox true";

class Help : public CLI::Formatter {
public:
    Help() { column_width(34); }
};

void report(const Session& session, const std::string& level, const std::string& message, const std::string& hint) {
    session.log.write(level, message);
    std::cerr << "kedge-oci: " << (level == "warning" ? "warning: " : "") << message << "\n";
    if (!hint.empty()) std::cerr << "hint: " << hint << "\n";
}

/// Callers may start this with a standard stream closed; another file must not come to lie there.
void open_standard_streams() {
    while (true) {
        const int fd = ::open("/dev/null", O_RDWR);
        if (fd < 0) return;
        if (fd > 2) {
            (void)::close(fd);
            return;
        }
    }
}

void add_global_options(CLI::App& app, const std::shared_ptr<Session>& session) {
    session->runtime.root = "/run/kedge-oci";
    app.add_option("--root", session->runtime.root, "Where the state of containers is kept (/run/kedge-oci)");
    app.add_option("--log", session->log.path, "A file for warnings and errors, besides standard error");
    app.add_option("--log-format", session->log_format, "text or json")->check(CLI::IsMember({"text", "json"}));
    app.add_flag("--debug", session->debug, "Accepted: there is nothing more to say");
    app.add_flag("--systemd-cgroup", session->systemd_cgroup, "Refused: systemd isn't asked for control groups");
    app.set_version_flag("-v,--version", std::string("kedge-oci version " KEDGE_VERSION "\nspec: ") + kSpecVersion);
}

void settle(Session& session) {
    session.log.json = session.log_format == "json";
    if (session.systemd_cgroup)
        throw Error(Code::invalid_argument,
                    "--systemd-cgroup is not supported: control groups are made without systemd",
                    "podman --cgroup-manager cgroupfs; containerd: SystemdCgroup = false");
    session.shim.emplace(find_program("kedge-shim"));
    session.runtime.shim = session.shim->path();
}

}  // namespace

CLI::App* add(CLI::App& app, const char* name, const char* description, const char* examples) {
    CLI::App* command = app.add_subcommand(name, description);
    command->footer(std::string("Examples:\n") + examples);
    return command;
}

void add_commands(CLI::App& app, const std::shared_ptr<Session>& session) {
    app.require_subcommand(1);
    add_life_commands(app, session);
    add_query_commands(app, session);
    add_update_command(app, session);
}

int run(const std::vector<std::string>& arguments) {
    open_standard_streams();
    auto session = std::make_shared<Session>();
    session->runtime.warn = [&session = *session](const std::string& text) { report(session, "warning", text, ""); };
    CLI::App app("Containers from OCI bundles, for engines that start an OCI runtime", "kedge oci");
    app.formatter(std::make_shared<Help>());
    app.footer(kExamples);
    add_global_options(app, session);
    add_commands(app, session);
    app.parse_complete_callback([session] { settle(*session); });
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // CLI11 takes them from the end
    try {
        app.parse(std::move(reversed));
    } catch (const CLI::Success& done) {
        return app.exit(done);  // --help and --version
    } catch (const CLI::ParseError& error) {
        session->log.json = session->log_format == "json";
        report(*session, "error", error.what(), "kedge oci --help");
        return 1;
    } catch (const Error& error) {
        report(*session, "error", error.what(), error.hint());
        return session->exit_code != 0 ? session->exit_code : 1;
    } catch (const std::exception& error) {
        report(*session, "error", error.what(), "");
        return session->exit_code != 0 ? session->exit_code : 1;
    }
    return session->exit_code;
}

}  // namespace kedge::oci

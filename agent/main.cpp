#include "agent/agent.h"
#include "agent/config.h"
#include "api/services.h"
#include "base/error.h"
#include "base/log.h"

#include <CLI/CLI.hpp>

#include <malloc.h>

#include <csignal>
#include <cstdio>
#include <map>

namespace {

/// Blocked in every thread from the start, so that only the one that waits for them gets them.
sigset_t block_signals() {
    sigset_t signals;
    ::sigemptyset(&signals);
    for (int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&signals, signal);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    return signals;
}

int run(int argc, char** argv) {
    using kedge::LogLevel;
    std::string config_path = "/etc/kedge/agent.yaml", root, run, level = "info";
    bool check = false;
    CLI::App app("kedged: runs what a Git repository says, and goes back when it isn't well", "kedged");
    app.set_version_flag("--version", "kedged " + std::string(kedge::api::version()));
    app.add_option("--config", config_path, "The agent's configuration")->capture_default_str();
    app.add_option("--root", root, "Folder for what must last, over the configuration's");
    app.add_option("--run", run, "Folder for sockets and what is running, over the configuration's");
    app.add_option("--log-level", level, "debug, info, warning or error")
        ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
    app.add_flag("--check-config", check, "Check the configuration and exit");
    CLI11_PARSE(app, argc, argv);
    static const std::map<std::string, LogLevel> kLevels = {{"debug", LogLevel::debug},
                                                            {"info", LogLevel::info},
                                                            {"warning", LogLevel::warning},
                                                            {"error", LogLevel::error}};
    kedge::set_log_level(kLevels.at(level));

    kedge::agent::Config config = kedge::agent::load_config(config_path);
    if (!root.empty()) config.engine.root = root;
    if (!run.empty()) config.engine.run = run;
    if (check) {
        std::puts((config_path + ": ok").c_str());
        return 0;
    }
    sigset_t signals = block_signals();
    kedge::agent::prepare_process();
    kedge::agent::Agent agent(config);
    agent.serve_until_signalled(signals);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    // Before any thread: a client that goes away in the middle of an answer is an error of that answer, not the agent's
    // end.
    (void)std::signal(SIGPIPE, SIG_IGN);
    // Arenas of their own for threads would cost more memory than the waiting for the shared one is worth.
    ::mallopt(M_ARENA_MAX, 1);
    try {
        return run(argc, argv);
    } catch (const kedge::Error& error) {
        kedge::log(kedge::LogLevel::error,
                   std::string(error.what()) + (error.hint().empty() ? "" : " (" + error.hint() + ")"));
        return 1;
    } catch (const std::exception& error) {
        kedge::log(kedge::LogLevel::error, error.what());
        return 1;
    }
}

#include "agent/agent.h"

#include "agent/notify.h"
#include "api/audit.h"
#include "api/http_server.h"
#include "api/metrics.h"
#include "api/routes.h"
#include "api/webhook.h"
#include "base/database.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/log.h"
#include "base/secret.h"
#include "health/health.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <cstdio>
#include <memory>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>

namespace kedge::agent {

namespace {

std::string socket_group(const SocketConfig& socket) {
    if (!socket.group.empty()) return socket.group;
    // The package makes it in this file. Asking every other source of names for a group that isn't there loads their
    // libraries for good.
    std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen("/etc/group", "re"), std::fclose);
    while (const group* entry = file ? ::fgetgrent(file.get()) : nullptr)
        if (std::string_view(entry->gr_name) == "kedge") return "kedge";
    return "";
}

reconciler::ControllerOptions controller_options(const Config& config) {
    reconciler::ControllerOptions options;
    options.root = config.engine.root;
    options.device = config.name;
    options.labels = config.labels;
    options.sources = config.sources;
    return options;
}

/// Makes the agent's folders. The root is called by its name without links from here on, as paths below it are
/// compared.
Config with_folders(Config config) {
    make_private_folder(config.engine.root);
    make_folders(AT_FDCWD, config.engine.run, 0711);
    config.engine.root = std::filesystem::canonical(config.engine.root);
    return config;
}

}  // namespace

struct Agent::Parts {
    explicit Parts(const Config& config)
        : database(config.engine.root + "/kedge.db"),
          engine(config.engine, database),
          monitor(engine),
          controller(controller_options(config), engine, database),
          audit(config.engine.root),
          services{engine, controller, audit, config.name, config.labels, wall_now()} {}

    Database database;
    runtime::Engine engine;
    health::Monitor monitor;
    reconciler::Controller controller;
    api::AuditLog audit;
    api::Services services;
    // The servers go first: no request is in flight when the rest is taken down.
    std::optional<api::HttpServer> local;
    std::optional<api::TlsGate> tcp;
    std::optional<api::HttpServer> metrics;
    std::optional<api::HttpServer> webhook;
};

void prepare_process() {
    ::umask(022);
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    files.rlim_cur = files.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &files) != 0) log(LogLevel::warning, "the limit of open files could not be raised");
}

Agent::Agent(const Config& given) {
    const Config config = with_folders(given);
    parts_ = std::make_unique<Parts>(config);
    if (!parts_->database.damaged().empty()) {
        log(LogLevel::warning,
            "the database was damaged; it lies in " + parts_->database.damaged() + " and a new one was begun");
    }
    try {
        runtime::provide_default_network(parts_->engine.networks());
    } catch (const Error& e) {  // who asks for it learns why; the others don't need it
        log(LogLevel::warning, std::string("the network bridge could not be made: ") + e.what());
    }
    std::string path = config.socket.path.empty() ? config.engine.run + "/kedge.sock" : config.socket.path;
    std::string group = socket_group(config.socket);
    parts_->local.emplace(api::ServerOptions{.threads = 256}, api::make_api(parts_->services));
    parts_->local->serve(api::Listener::on_unix(path, config.socket.mode, group));
    if (!config.docker_socket.empty()) {
        parts_->local->serve(api::Listener::on_unix(config.docker_socket, config.socket.mode, group));
    }
    if (config.tcp) {
        parts_->tcp.emplace(api::Listener::on_tcp(config.tcp->listen), config.tcp->files, *parts_->local);
    }
    if (!config.metrics_listen.empty()) {
        parts_->metrics.emplace(api::ServerOptions{.threads = 4, .untrusted = true},
                                api::make_metrics_only(parts_->services));
        parts_->metrics->serve(api::Listener::on_tcp(config.metrics_listen));
    }
    if (config.webhook) {
        api::WebhookSettings settings{config.webhook->path, read_secret(config.webhook->secret_file)};
        parts_->webhook.emplace(
            api::ServerOptions{.threads = 16, .untrusted = true},
            api::make_webhook(settings, [&controller = parts_->controller](const std::vector<std::string>& urls) {
                return controller.wake_for(urls);
            }));
        parts_->webhook->serve(api::Listener::on_tcp(config.webhook->listen));
    }
    log(LogLevel::info, "kedged " + std::string(api::version()) + " listens on " + path);
}

Agent::~Agent() {
    log(LogLevel::info, "kedged ends; containers go on running");
    notify("STOPPING=1");
}

void Agent::serve_until_signalled(const sigset_t& signals) {
    notify("READY=1");
    while (true) {
        int signal = ::sigwaitinfo(&signals, nullptr);
        if (signal == SIGHUP)
            parts_->controller.wake("");
        else if (signal > 0 || errno != EINTR)
            return;
    }
}

}  // namespace kedge::agent

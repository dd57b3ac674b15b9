#pragma once

#include "api/tls_gate.h"
#include "reconciler/controller.h"
#include "runtime/engine.h"

#include <optional>
#include <string>
#include <vector>

namespace kedge::agent {

struct SocketConfig {
    std::string path;   ///< empty: <run>/kedge.sock
    std::string group;  ///< empty: `kedge` if that group exists
    unsigned mode = 0660;
};

struct WebhookConfig {
    std::string listen;  ///< host:port
    std::string secret_file;
    std::string path = "/webhook";
};

struct TcpConfig {
    std::string listen;  ///< host:port
    api::TlsFiles files;
};

/// /etc/kedge/agent.yaml.
struct Config {
    std::string name;  ///< empty in the file: the host's name
    std::vector<std::string> labels;
    SocketConfig socket;
    std::string docker_socket;     ///< a second path of the same API; empty: none
    std::optional<TcpConfig> tcp;  ///< the same API by TCP with mutual TLS
    std::vector<reconciler::SourceConfig> sources;
    std::optional<WebhookConfig> webhook;
    std::string metrics_listen;     ///< host:port; empty: only on the socket
    runtime::EngineOptions engine;  ///< root, run, instance, registries, pools, limits
};

/// Reads a configuration's text; `file` is for messages. Strict: unknown keys, wrong types and values are Error
/// (invalid_argument) with file and line. Credentials of registries are read from their files here; the webhook's
/// secret and what Git needs are not.
Config parse_config(const std::string& text, const std::string& file);

/// The file's. Error not_found if it isn't there.
Config load_config(const std::string& path);

}  // namespace kedge::agent

#include "agent/config.h"

#include "agent/yaml_reader.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/secret.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <set>

namespace kedge::agent {

namespace {

std::string absolute(YamlReader& reader, const std::string& key, const std::string& otherwise = {}) {
    std::string path = reader.text(key, otherwise);
    if (!path.empty() && path.front() != '/') reader.fail(key, "\"" + path + "\" is not an absolute path");
    return path;
}

std::string needed(YamlReader& reader, const std::string& key) {
    std::string value = reader.text(key);
    if (value.empty()) reader.fail(key, "is missing");
    return value;
}

std::string host_port(YamlReader& reader, const std::string& key) {
    std::string value = needed(reader, key);
    size_t colon = value.rfind(':');
    int port = -1;
    if (colon != std::string::npos) {
        const char* end = value.data() + value.size();
        auto [last, failure] = std::from_chars(value.data() + colon + 1, end, port);
        if (failure != std::errc() || last != end) port = -1;
    }
    if (port < 0 || port > 65535) reader.fail(key, "\"" + value + "\" is not host:port");
    return value;
}

SocketConfig read_socket(YamlReader reader) {
    SocketConfig socket;
    socket.path = absolute(reader, "path");
    socket.group = reader.text("group");
    if (std::string mode = reader.text("mode"); !mode.empty()) {
        auto [end, failure] = std::from_chars(mode.data(), mode.data() + mode.size(), socket.mode, 8);
        if (failure != std::errc() || end != mode.data() + mode.size() || socket.mode > 0777) {
            reader.fail("mode", "\"" + mode + "\" is not an octal mode such as 0660");
        }
    }
    reader.finish();
    return socket;
}

void read_policy(YamlReader reader, reconciler::Policy& policy) {
    std::string drift = reader.text("drift");
    if (drift == "revert")
        policy.drift = reconciler::Policy::Drift::revert;
    else if (drift == "report")
        policy.drift = reconciler::Policy::Drift::report;
    else if (!drift.empty())
        reader.fail("drift", "\"" + drift + "\" is neither revert nor report");
    policy.prune = reader.flag("prune", policy.prune);
    policy.monitor = reader.duration("monitor", policy.monitor);
    policy.kept_releases = static_cast<int>(reader.number("kept_releases", policy.kept_releases, 1, 1000));
    policy.allow_privileged = reader.flag("allow_privileged", policy.allow_privileged);
    if (reader.has("allowed_binds")) policy.allowed_binds = reader.texts("allowed_binds");
    for (const std::string& path : policy.allowed_binds) {
        if (path.empty() || path.front() != '/')
            reader.fail("allowed_binds", "\"" + path + "\" is not an absolute path");
    }
    policy.dependency_timeout = reader.duration("dependency_timeout", policy.dependency_timeout);
    reader.finish();
}

sources::GitAuth read_auth(YamlReader reader) {
    sources::GitAuth auth;
    auth.username = reader.text("username");
    auth.password_file = absolute(reader, "password_file");
    auth.ca_file = absolute(reader, "ca_file");
    auth.ssh_key_file = absolute(reader, "ssh_key_file");
    auth.known_hosts_file = absolute(reader, "known_hosts_file");
    reader.finish();
    return auth;
}

bool is_source_name(const std::string& name) {
    return !name.empty() && name.size() <= 64 && name.front() != '.' && name.front() != '-' &&
           name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
               std::string::npos;
}

/// What the url says about who asks: it is shown in logs, errors and the API.
void check_url(const YamlReader& reader, const std::string& url) {
    size_t scheme = url.find("://");
    if (scheme == std::string::npos) return;
    std::string authority = url.substr(scheme + 3, url.find('/', scheme + 3) - scheme - 3);
    size_t at = authority.rfind('@');
    if (at == std::string::npos) return;
    // A token may stand in the user's place, but not for ssh.
    bool secret = authority.find(':') < at || url.starts_with("http");
    if (secret)
        reader.fail("url", "must not hold a user or password: they belong into auth.username and auth.password_file");
}

reconciler::SourceConfig read_source(YamlReader reader, const reconciler::Policy& policy) {
    reconciler::SourceConfig source;
    sources::GitSettings& git = source.git;
    git.name = needed(reader, "name");
    if (!is_source_name(git.name))
        reader.fail("name", "\"" + git.name + "\" must be made of letters, digits, _, . and -");
    git.url = needed(reader, "url");
    check_url(reader, git.url);
    git.branch = reader.text("branch");
    git.tag = reader.text("tag");
    git.commit = reader.text("commit");
    git.semver = reader.text("semver");
    int chosen = !git.branch.empty() + !git.tag.empty() + !git.commit.empty() + !git.semver.empty();
    if (chosen > 1) reader.fail("url", "only one of branch, tag, commit and semver can be followed");
    source.poll = reader.duration("poll", source.poll);
    source.jitter = reader.fraction("jitter", source.jitter);
    source.profiles = reader.texts("profiles");
    git.auth = read_auth(reader.object("auth"));
    git.allow_http = reader.flag("allow_http", false);
    git.size_limit = reader.size("size_limit", git.size_limit);
    source.policy = policy;
    read_policy(reader.object("policy"), source.policy);
    reader.finish();
    return source;
}

runtime::Credentials read_credentials(YamlReader reader) {
    runtime::Credentials credentials;
    credentials.username = reader.text("username");
    std::string password_file = absolute(reader, "password_file"), token_file = absolute(reader, "token_file");
    if (password_file.empty() == token_file.empty())
        reader.fail("password_file", "either password_file or token_file is needed");
    if (!password_file.empty() && credentials.username.empty()) reader.fail("username", "is missing");
    if (!password_file.empty()) credentials.password = read_secret(password_file);
    if (!token_file.empty()) credentials.token = read_secret(token_file);
    reader.finish();
    return credentials;
}

runtime::RegistrySettings read_registries(YamlReader reader) {
    runtime::RegistrySettings registries;
    registries.insecure = reader.texts("insecure");
    for (auto& [host, entry] : reader.object_map("credentials")) registries.credentials[host] = read_credentials(entry);
    registries.ca_files = reader.text_map("ca_files");
    registries.mirrors = reader.texts_map("mirrors");
    reader.finish();
    return registries;
}

std::optional<WebhookConfig> read_webhook(YamlReader& reader) {
    if (!reader.has("webhook")) return std::nullopt;
    YamlReader from = reader.object("webhook");
    WebhookConfig webhook;
    webhook.listen = host_port(from, "listen");
    needed(from, "secret_file");
    webhook.secret_file = absolute(from, "secret_file");
    webhook.path = absolute(from, "path", webhook.path);
    from.finish();
    return webhook;
}

std::optional<TcpConfig> read_tcp(YamlReader& reader) {
    if (!reader.has("tcp")) return std::nullopt;
    YamlReader from = reader.object("tcp");
    TcpConfig tcp;
    tcp.listen = host_port(from, "listen");
    for (auto [key, path] :
         {std::pair{"ca_file", &tcp.files.ca}, {"cert_file", &tcp.files.certificate}, {"key_file", &tcp.files.key}}) {
        needed(from, key);
        *path = absolute(from, key);
    }
    from.finish();
    return tcp;
}

std::vector<reconciler::SourceConfig> read_sources(YamlReader& reader, const reconciler::Policy& policy) {
    std::vector<reconciler::SourceConfig> sources;
    std::set<std::string> names;
    for (YamlReader& entry : reader.objects("sources")) {
        sources.push_back(read_source(entry, policy));
        const std::string& name = sources.back().git.name;
        if (!names.insert(name).second) entry.fail("name", "\"" + name + "\" is the name of another source");
    }
    return sources;
}

bool is_ipv6_subnet(const std::string& text) {
    const size_t slash = text.find('/');
    in6_addr address{};
    int bits = -1;
    if (slash == std::string::npos || ::inet_pton(AF_INET6, text.substr(0, slash).c_str(), &address) != 1) return false;
    const char* end = text.data() + text.size();
    auto [last, failure] = std::from_chars(text.data() + slash + 1, end, bits);
    return failure == std::errc() && last == end && bits >= 0 && bits <= 126;
}

void read_engine_networks(YamlReader reader, runtime::EngineOptions& engine) {
    if (reader.has("address_pools")) engine.address_pools = reader.texts("address_pools");
    runtime::DefaultNetwork& bridge = engine.default_network;
    bridge.ipv6 = reader.flag("ipv6", bridge.ipv6);
    bridge.subnet6 = reader.text("fixed_cidr_v6");
    if (!bridge.subnet6.empty()) {
        if (!is_ipv6_subnet(bridge.subnet6))
            reader.fail("fixed_cidr_v6", "\"" + bridge.subnet6 + "\" is not an IPv6 subnet such as fd00:1::/64");
        if (!bridge.ipv6) reader.fail("fixed_cidr_v6", "needs ipv6: true");
    }
    reader.finish();
}

std::string host_name() {
    char name[256] = {};
    return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

}  // namespace

Config parse_config(const std::string& text, const std::string& file) {
    YamlReader reader = YamlReader::parse(text, file);
    Config config;
    config.name = reader.text("name", host_name());
    config.labels = reader.texts("labels");
    config.engine.root = absolute(reader, "root", config.engine.root);
    config.engine.run = absolute(reader, "run", config.engine.run);
    config.engine.instance = reader.text("instance", config.engine.instance);
    config.socket = read_socket(reader.object("socket"));
    config.docker_socket = absolute(reader, "docker_socket");
    reconciler::Policy policy;
    read_policy(reader.object("policy"), policy);
    config.sources = read_sources(reader, policy);
    config.webhook = read_webhook(reader);
    config.tcp = read_tcp(reader);
    if (reader.has("metrics")) {
        YamlReader metrics = reader.object("metrics");
        config.metrics_listen = host_port(metrics, "listen");
        metrics.finish();
    }
    config.engine.registries = read_registries(reader.object("registries"));
    read_engine_networks(reader.object("networks"), config.engine);
    YamlReader limits = reader.object("limits");
    config.engine.layer_size_limit = limits.size("layer_size", config.engine.layer_size_limit);
    limits.finish();
    reader.finish();
    return config;
}

Config load_config(const std::string& path) {
    return parse_config(read_file_at(AT_FDCWD, path, 1u << 20), path);
}

}  // namespace kedge::agent

#pragma once

#include "runtime/container_files.h"
#include "runtime/containers.h"
#include "runtime/events.h"
#include "runtime/images.h"
#include "runtime/networks.h"
#include "runtime/volumes.h"

#include <memory>
#include <string>
#include <vector>

namespace kedge {
class Database;
}

namespace kedge::runtime {

struct RegistrySettings {
    std::vector<std::string> insecure;                        ///< host[:port] that may be spoken to without TLS
    std::map<std::string, Credentials> credentials;           ///< by host[:port]
    std::map<std::string, std::string> ca_files;              ///< by host[:port]
    std::map<std::string, std::vector<std::string>> mirrors;  ///< by host[:port], asked in order before it
};

struct EngineOptions {
    std::string root = "/var/lib/kedge";
    std::string run = "/run/kedge";
    std::string instance =
        "kedge";       ///< prefix of all that is made outside root and run: cgroups, links, the nftables table
    std::string shim;  ///< path of the kedge-shim executable; empty: find_program() of base/programs.h
    std::vector<std::string> address_pools = {"172.29.0.0/16"};  ///< networks without a subnet get a /24 of these
    DefaultNetwork default_network;
    RegistrySettings registries;
    int pull_connections = 3;                      ///< layers fetched side by side
    int64_t layer_size_limit = int64_t{16} << 30;  ///< bytes of one unpacked layer; more is refused
};

/// The front door of the container engine. One per root: a second agent on the same root is refused
/// (conflict, names the root and the other's pid). The constructor finishes or undoes what a crash left half-done,
/// adopts the containers that run, and starts those whose restart policy says so.
class Engine {
public:
    Engine(EngineOptions options, Database& database);
    ~Engine();  ///< containers go on running
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    Images& images();
    Containers& containers();
    ContainerFiles& files();
    Networks& networks();
    Volumes& volumes();
    Events& events();
    const EngineOptions& options() const;

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace kedge::runtime

#pragma once

#include "base/database.h"
#include "runtime/containers.h"
#include "runtime/networks.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace kedge::runtime {

/// The engine's side of Networks: what a container's start and end need besides. Thread-safe.
class BridgeNetworks : public Networks {
public:
    struct Options {
        std::string instance;  ///< prefix: links are named from it, the nftables table is exactly it
        std::vector<std::string> address_pools;
        std::string resolv_conf = "/etc/resolv.conf";  ///< whom the name server asks for other names
    };
    BridgeNetworks(Options options, Database& database);
    ~BridgeNetworks() override;

    std::string create(const NetworkSpec& spec) override;
    void remove(const std::string& name_or_id) override;
    NetworkInfo inspect(const std::string& name_or_id) const override;
    std::vector<NetworkInfo> list() const override;

    /// What one container gets on its networks. `names` are what the name server answers to on that network: container
    /// name, the id's first 12 digits, service name and aliases (several containers may share one: all addresses are
    /// answered).
    struct Attachment {
        std::string container_id;
        std::string container_name;
        std::vector<NetworkAttachment> networks;  ///< the first is eth0 and has the default route
        std::vector<PortBinding> ports;
        bool publish_ports = true;
    };
    struct Attached {
        std::vector<NetworkEndpoint> endpoints;
        std::vector<PortBinding> ports;  ///< with chosen host ports
    };

    /// Chooses addresses and host ports and holds them, before the container starts; a port in use is Error conflict
    /// (`port is already allocated`). Durable for the life of the agent's process only; adopt() brings it back.
    Attached reserve(const Attachment& attachment);
    /// Makes the links, addresses and routes inside `netns`, then publishes the ports (unless told not to) and the
    /// names.
    void connect(const Attachment& attachment, const Attached& attached, int netns);
    /// Takes ports and names away, gives addresses back. The links die with the network namespace. Also undoes a mere
    /// reserve. Idempotent.
    void disconnect(const std::string& container_id);
    /// A running container that a former agent connected.
    void adopt(const Attachment& attachment, const Attached& attached);
    /// Every published port of `from` now leads to `to`, and what only one of them publishes is opened or closed, in
    /// one nftables transaction. `record` is then called with all ports of `to`. When anything fails, `record` too,
    /// they lead where they led before.
    using RecordPorts = std::function<void(const std::vector<PortBinding>&)>;
    void move_ports(const std::string& from, const std::string& to, const RecordPorts& record = {});
    /// A connected container is found by its new name from now on; another one is left alone.
    void rename(const std::string& container_id, const std::string& name);

    /// After adopting: removes links, nftables elements and addresses that belong to no known container.
    void remove_leftovers();

    /// The address of the name server for containers whose first network is this: what goes into resolv.conf.
    std::string name_server(const std::string& network) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace kedge::runtime

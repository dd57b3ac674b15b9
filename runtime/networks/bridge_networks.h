#pragma once

#include "base/database.h"
#include "runtime/containers.h"
#include "runtime/events.h"
#include "runtime/networks.h"

#include <functional>
#include <memory>
#include <optional>
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
        DefaultNetwork default_network = {};
    };
    /// `events`: where it is told that a network was made or is gone.
    BridgeNetworks(Options options, Database& database, Events* events = nullptr);
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
        std::vector<NetworkAttachment> networks;  ///< the first is eth0
        std::vector<PortBinding> ports;
        bool publish_ports = true;
        std::vector<std::string> dns = {};  ///< whom the name server asks for it; empty: those of resolv_conf
        bool changed_by_hand = false;       ///< its networks: it is no error then if none leads out for its ports
        /// Whether its links have IPv6, if the user says so; else those have it whose networks do.
        std::optional<bool> ipv6 = {};
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

    /// One more network for a running container: chooses an address and holds it. The endpoint says `joining` until
    /// finish_join() has made the link and the name; leave() undoes either.
    NetworkEndpoint join(const std::string& container_id, const NetworkAttachment& wanted);
    /// Returns the ports that are published then: the way out may be another one, or the first. A link that a former
    /// try left is made anew.
    std::vector<PortBinding> finish_join(const std::string& container_id, const std::string& network_id, int netns,
                                         bool publish_ports);
    /// Takes name, link and address away; the default route and the published ports move to the next network with a way
    /// out, or the ports are closed. Returns those that are left. `netns` -1: the container is gone. Idempotent.
    std::vector<PortBinding> leave(const std::string& container_id, const std::string& network_id, int netns);

    /// A running container that a former agent connected.
    void adopt(const Attachment& attachment, const Attached& attached);
    /// Every published port of `from` now leads to `to`, and what only one of them publishes is opened or closed, in
    /// one nftables transaction. `record` is then called with all ports of `to`. When anything fails, `record` too,
    /// they lead where they led before.
    using RecordPorts = std::function<void(const std::vector<PortBinding>&)>;
    void move_ports(const std::string& from, const std::string& to, const RecordPorts& record = {});
    /// A connected container is found by its new name from now on; another one is left alone.
    void rename(const std::string& container_id, const std::string& name);

    /// After adopting: the default network, if it is there, becomes what the options say of it. Throws Error if a
    /// container that runs is in the way.
    void renew_default_network();
    /// After adopting: removes links, nftables elements and addresses that belong to no known container.
    void remove_leftovers();

    /// The address of the name server for containers whose first network is this: what goes into resolv.conf.
    std::string name_server(const std::string& network) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace kedge::runtime

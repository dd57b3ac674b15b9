#pragma once

#include "runtime/networks/address_pool.h"
#include "runtime/networks/bridge_networks.h"
#include "runtime/networks/conntrack.h"
#include "runtime/networks/firewall.h"
#include "runtime/networks/host_port.h"
#include "runtime/networks/links.h"
#include "runtime/networks/name_server.h"
#include "runtime/networks/name_table.h"
#include "runtime/networks/network_table.h"
#include "runtime/networks/port_relay.h"

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace kedge::runtime {

/// The options of a network that there are, in Docker's names.
struct NetworkOptions {
    std::string bridge;  ///< the link's name; empty: one of ours
    uint32_t mtu = 0;
};
/// Throws Error (invalid_argument) that names an unknown option or its wrong value.
NetworkOptions parse_network_options(const std::map<std::string, std::string>& options);

/// What BridgeNetworks knows. Everything here needs its mutex, but for what never changes.
struct BridgeNetworks::State {
    struct Network {
        NetworkInfo info;  // without its containers
        uint32_t mtu = 0;  // 0: the kernel's choice
        // Of a network with IPv4:
        std::optional<Subnet> subnet;
        Ipv4 gateway;
        std::optional<AddressPool> addresses;
        // Of a network with IPv6:
        std::optional<Subnet6> subnet6;
        Ipv6 gateway6;
        std::optional<AddressPool6> addresses6;

        explicit Network(NetworkInfo made);
        /// IPv6 as `info` says it, with no address taken.
        void begin_ipv6();
        /// The kernel that it was made with had it, this one hasn't.
        void lose_ipv6();
        Firewall::Network wall() const { return {subnet, info.spec.internal, subnet6}; }
        /// Where names are asked for: at its IPv4 gateway if it has one. Empty after lose_ipv6() of one with IPv6
        /// alone.
        std::optional<Address> server() const;
    };

    struct Container {
        Attachment attachment;
        Attached attached;
        std::vector<HeldPort> held;  // one for each of attached.ports, unless somebody else took it while no agent ran
    };

    State(Options chosen, Database& database, Events* events);

    Network& find(const std::string& name_or_id);
    /// Throws Error (conflict) for a container that has ended.
    Container& connected(const std::string& container_id);
    /// The endpoint that the default route leads through: of those with a way out the one with the highest priority,
    /// then the first by name. Null if there is none. `ipv6`: the way out of that, of those that have it.
    const NetworkEndpoint* way_out(const Attached& attached, bool ipv6 = false) const;
    bool has_way_out(const Attached& attached) const { return way_out(attached) || way_out(attached, true); }
    /// Where ports of a container lead that are published over IPv4, or IPv6: its address on the way out, of the other
    /// family if it has none of this one there. Throws Error if there is none.
    Address outward_address(const Container& container, bool ipv6) const;
    /// What comes to the ports goes there from now on, whichever way.
    void lead(const Firewall::Changes& changes);
    void forget_flows(const Firewall::Changes& changes) const {
        forget_stale_flows(changes, firewall.translates_ipv6());
    }
    /// The nftables changes that make (or, without `lead`, unmake) its ports.
    Firewall::Changes port_changes(const Container& container, bool lead);
    void make_link(const Network& network) const;
    /// conflict when the host has a link of this name.
    void refuse_existing_link(const std::string& name) const;
    /// Makes bridges that somebody removed by hand. False if all are there.
    bool restore_links(const std::vector<Endpoint>& endpoints) const;
    /// Takes an address of the network for a container; nothing of it is made.
    NetworkEndpoint take_endpoint(const Attachment& attachment, const NetworkAttachment& wanted);
    static std::optional<Ipv4> take_ipv4(Network& network, const std::string& wanted);
    static std::optional<Ipv6> take_ipv6(Network& network, std::optional<Ipv4> address, const std::string& wanted);
    /// What is to be made of an endpoint.
    Endpoint link_of(const Container& container, const NetworkEndpoint& endpoint, const std::string& name);
    /// Makes the links, and first the bridges that somebody removed.
    void wire(const std::vector<Endpoint>& endpoints, int netns) const;
    NetworkEndpoint* endpoint_of(Container& container, const std::string& network_id) const;
    /// hold_ports(), of which none is another container's that begins at this moment (until one of them listens the
    /// kernel lets both have a TCP port), nor a name server's.
    std::vector<HeldPort> hold_unshared(std::vector<PortBinding>& bindings) const;
    /// The container's networks changed: its ports lead to where its way out is now. `publish`: also if it had none.
    void move_to_way_out(Container& container, bool publish);
    void publish(const std::string& action, const NetworkInfo& network) const;
    /// A new name for the host's end of a container's link.
    std::string link_name(const std::string& container_id) const;
    /// Links of this agent's that belong to no network and no container of its.
    std::vector<std::string> unknown_links() const;
    /// Begins to answer on its gateway; port 53 leads there.
    void serve_names(const Network& network);
    void add_to_names(const Network& network);
    void stop_serving_names(const Network& network);
    /// Names of the container's networks that could not be served when the agent started.
    void serve_missing_names(const Attached& attached);
    void add_names(const Container& container);
    bool has_containers(const std::string& network_id) const;
    void give_back(const NetworkEndpoint& endpoint);
    /// Holds the addresses of a container that has them.
    void hold(const NetworkEndpoint& endpoint);
    /// What the options say of the default network.
    void configure(NetworkSpec& spec) const;
    /// The network has the IPv6 of this specification from now on, in the kernel and on record. No container has any.
    void replace_ipv6(Network& network, const NetworkSpec& spec);
    /// Subnets and gateways that a new network gets. Throws Error.
    void choose_addresses(NetworkSpec& spec) const;
    std::vector<std::string> bridges() const;
    void choose_ipv4(NetworkSpec& spec, const std::vector<std::string>& bridges) const;
    void choose_ipv6(NetworkSpec& spec, const std::vector<std::string>& bridges) const;

    const Options options;
    const std::string link_prefix;  // `kdg` and four digits of the instance
    Events* const events;           // may be null
    const std::string link_alias;   // tells this agent's bridges from another's with the same digits
    mutable std::mutex mutex;
    NetworkTable table;
    Firewall firewall;
    std::vector<Subnet> pools;
    const Subnet6 pool6;                          // a /48 of addresses that are nobody else's (RFC 4193)
    std::map<std::string, Network> networks;      // by id
    std::map<std::string, Container> containers;  // by id
    Firewall::Changes name_ports;                 // port 53 of every gateway
    std::set<std::string> without_names;          // ids of networks whose name server could not begin
    PortRelay relay;                              // has its own mutex, as those that follow
    NameTable names;
    NameServer name_server;
};

}  // namespace kedge::runtime

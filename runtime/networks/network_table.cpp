#include "runtime/networks/network_table.h"

#include "base/error.h"
#include "base/log.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <nlohmann/json.hpp>

namespace kedge::runtime {

namespace {

std::string to_text(const std::map<std::string, std::string>& values) {
    // Labels are the user's bytes: what isn't UTF-8 must not make a network unreadable.
    return nlohmann::json(values).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// What can't be understood is left out: a network is more than its labels.
std::map<std::string, std::string> to_map(const std::string& network, const std::string& text) {
    try {
        return nlohmann::json::parse(text).get<std::map<std::string, std::string>>();
    } catch (const nlohmann::json::exception&) {
        log(LogLevel::error,
            "kedge.db: network " + network + ": its labels or options are damaged and ignored: " + text);
        return {};
    }
}

WallTime to_time(const std::string& text) {
    try {
        return parse_time(text);
    } catch (const Error&) {
        return {};
    }
}

void insert_row(SQLite::Database& db, const NetworkInfo& network) {
    SQLite::Statement insert(
        db,
        "INSERT INTO networks(id, name, driver, subnet, gateway, internal, labels, options, bridge, "
        "created, ip_range, attachable, aux_addresses, ipv6, subnet6, gateway6, ip_range6, aux_addresses6, "
        "ipv4) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    insert.bind(1, network.id);
    insert.bind(2, network.spec.name);
    insert.bind(3, network.spec.driver);
    insert.bind(4, network.spec.subnet);
    insert.bind(5, network.spec.gateway);
    insert.bind(6, network.spec.internal ? 1 : 0);
    insert.bind(7, to_text(network.spec.labels));
    insert.bind(8, to_text(network.spec.options));
    insert.bind(9, network.bridge);
    insert.bind(10, format_time(network.created));
    insert.bind(11, network.spec.ip_range);
    insert.bind(12, network.spec.attachable ? 1 : 0);
    insert.bind(13, to_text(network.spec.aux_addresses));
    insert.bind(14, network.spec.ipv6 ? 1 : 0);
    insert.bind(15, network.spec.subnet6);
    insert.bind(16, network.spec.gateway6);
    insert.bind(17, network.spec.ip_range6);
    insert.bind(18, to_text(network.spec.aux_addresses6));
    insert.bind(19, network.spec.ipv4 ? 1 : 0);
    insert.exec();
}

void erase_row(SQLite::Database& db, const std::string& id) {
    SQLite::Statement erase(db, "DELETE FROM networks WHERE id = ?");
    erase.bind(1, id);
    erase.exec();
}

constexpr const char* kFirstTable =
    "CREATE TABLE networks(id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, driver TEXT NOT NULL, subnet TEXT NOT NULL,"
    " gateway TEXT NOT NULL, internal INTEGER NOT NULL, labels TEXT NOT NULL, options TEXT NOT NULL,"
    " bridge TEXT NOT NULL, created TEXT NOT NULL)";
constexpr const char* kRange =
    "ALTER TABLE networks ADD COLUMN ip_range TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE networks ADD COLUMN attachable INTEGER NOT NULL DEFAULT 0";
constexpr const char* kAuxAddresses = "ALTER TABLE networks ADD COLUMN aux_addresses TEXT NOT NULL DEFAULT '{}'";
constexpr const char* kIpv6 =
    "ALTER TABLE networks ADD COLUMN ipv6 INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE networks ADD COLUMN subnet6 TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE networks ADD COLUMN gateway6 TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE networks ADD COLUMN ip_range6 TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE networks ADD COLUMN aux_addresses6 TEXT NOT NULL DEFAULT '{}'";
constexpr const char* kIpv4 = "ALTER TABLE networks ADD COLUMN ipv4 INTEGER NOT NULL DEFAULT 1";

}  // namespace

NetworkTable::NetworkTable(Database& database) : database_(database) {
    database_.migrate("networks", {kFirstTable, kRange, kAuxAddresses, kIpv6, kIpv4});
}

std::vector<NetworkInfo> NetworkTable::all() const {
    std::vector<NetworkInfo> networks;
    database_.read([&](SQLite::Database& db) {
        SQLite::Statement query(db,
                                "SELECT id, name, driver, subnet, gateway, internal, labels, options, bridge, created, "
                                "ip_range, attachable, aux_addresses, ipv6, subnet6, gateway6, ip_range6, "
                                "aux_addresses6, ipv4 FROM networks ORDER BY created, id");
        while (query.executeStep()) {
            NetworkInfo network;
            network.id = query.getColumn(0).getString();
            network.spec.name = query.getColumn(1).getString();
            network.spec.driver = query.getColumn(2).getString();
            network.spec.subnet = query.getColumn(3).getString();
            network.spec.gateway = query.getColumn(4).getString();
            network.spec.internal = query.getColumn(5).getInt() != 0;
            network.spec.labels = to_map(network.spec.name, query.getColumn(6).getString());
            network.spec.options = to_map(network.spec.name, query.getColumn(7).getString());
            network.bridge = query.getColumn(8).getString();
            network.created = to_time(query.getColumn(9).getString());
            network.spec.ip_range = query.getColumn(10).getString();
            network.spec.attachable = query.getColumn(11).getInt() != 0;
            network.spec.aux_addresses = to_map(network.spec.name, query.getColumn(12).getString());
            network.spec.ipv6 = query.getColumn(13).getInt() != 0;
            network.spec.subnet6 = query.getColumn(14).getString();
            network.spec.gateway6 = query.getColumn(15).getString();
            network.spec.ip_range6 = query.getColumn(16).getString();
            network.spec.aux_addresses6 = to_map(network.spec.name, query.getColumn(17).getString());
            network.spec.ipv4 = query.getColumn(18).getInt() != 0;
            networks.push_back(std::move(network));
        }
    });
    return networks;
}

void NetworkTable::insert(const NetworkInfo& network) {
    database_.transaction(Database::Durability::power, [&](SQLite::Database& db) { insert_row(db, network); });
}

void NetworkTable::replace(const NetworkInfo& network) {
    database_.transaction(Database::Durability::power, [&](SQLite::Database& db) {
        erase_row(db, network.id);
        insert_row(db, network);
    });
}

void NetworkTable::erase(const std::string& id) {
    database_.transaction(Database::Durability::power, [&](SQLite::Database& db) { erase_row(db, id); });
}

}  // namespace kedge::runtime

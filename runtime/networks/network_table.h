#pragma once

#include "base/database.h"
#include "runtime/networks.h"

#include <string>
#include <vector>

namespace kedge::runtime {

/// The table `networks`: which networks there are, durably. `containers` of a NetworkInfo isn't in it.
class NetworkTable {
public:
    explicit NetworkTable(Database& database);

    std::vector<NetworkInfo> all() const;
    void insert(const NetworkInfo& network);
    void replace(const NetworkInfo& network);  ///< the one with its id
    void erase(const std::string& id);

private:
    Database& database_;
};

}  // namespace kedge::runtime

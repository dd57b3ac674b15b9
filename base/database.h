#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace SQLite {
class Database;
}

namespace kedge {

/// The agent's one SQLite file, `kedge.db`, in WAL mode. Every room keeps its own tables in it and brings
/// its own schema. Thread-safe: one transaction runs at a time. A damaged file is set aside as
/// `kedge.db.damaged-<time>` and a new one begun; damaged() tells.
class Database {
public:
    /// How much a transaction must survive.
    enum class Durability {
        process,  ///< the agent's death, not necessarily a power cut (no fsync)
        power,    ///< a power cut: fsynced before commit() returns
    };

    explicit Database(const std::string& path);
    ~Database();
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    /// Brings a room's tables to their newest version: steps[i] is the SQL that leads from version i to i+1.
    /// The version is remembered per room. Throws Error when the file was written by a newer kedge.
    void migrate(const std::string& room, const std::vector<std::string>& steps);

    /// Runs `work` in one transaction: committed when it returns, rolled back when it throws.
    /// SQLite's exceptions become Error (a full disk: resource_exhausted). Do not nest.
    void transaction(Durability durability, const std::function<void(SQLite::Database&)>& work);

    /// Runs `work` for reading, under the same lock.
    void read(const std::function<void(SQLite::Database&)>& work) const;

    /// Where the damaged file of before was put; empty if there was none.
    const std::string& damaged() const { return damaged_; }

private:
    void open(const std::string& path);

    mutable std::mutex mutex_;
    std::unique_ptr<SQLite::Database> db_;
    std::string damaged_;
    Durability durability_ = Durability::process;
};

}  // namespace kedge

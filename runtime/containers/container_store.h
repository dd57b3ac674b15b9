#pragma once

#include "base/callbacks.h"
#include "base/database.h"
#include "runtime/containers/container_record.h"

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

namespace kedge::runtime {

/// All containers' records: in memory for reading, in the database for the next agent. What it hands out are snapshots
/// that never change. Readers don't wait for the disk. Thread-safe.
class ContainerStore {
public:
    using Snapshot = std::shared_ptr<const ContainerRecord>;

    /// How far a change goes: `memory` is lost with the agent.
    enum class Keep { memory, process, power };

    /// Reads the table. Rows that are damaged are dropped; their names are in damaged().
    explicit ContainerStore(Database& database);

    /// The container of this id, unique prefix of an id, or name (a `/` in front is fine). Errors: not_found, and
    /// invalid_argument for a prefix that several have.
    Snapshot find(const std::string& name_or_id) const;
    /// By the whole id; null if there is none.
    Snapshot get(const std::string& id) const;
    /// All, newest first; those not yet complete too.
    std::vector<Snapshot> list() const;

    /// A new record, which survives a power cut from its next durable change on. conflict if the name is in use.
    void insert(const ContainerRecord& record);
    /// Changes one record: `edit` gets a copy, which then takes the old one's place; `tell` is called with it
    /// before any other change can be made. Returns the new one. not_found if it is gone.
    Snapshot change(const std::string& id, Keep keep, const std::function<void(ContainerRecord&)>& edit,
                    const std::function<void(const ContainerRecord&)>& tell = {});
    /// Changes two records in one durable transaction.
    void change_both(const std::string& a, const std::string& b,
                     const std::function<void(ContainerRecord&, ContainerRecord&)>& edit);
    /// After a power cut it may be there again, as it was last durable. `tell` is called before anybody who waits for
    /// it hears of it.
    void erase(const std::string& id, const std::function<void()>& tell);

    /// Blocks until `ready` says so of the record, or it was removed (then its last snapshot), or `stop`, or the
    /// deadline (then null). The caller's snapshot names the container.
    Snapshot wait(const Snapshot& from, const std::function<bool(const ContainerRecord&)>& ready,
                  std::stop_token stop = {},
                  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max()) const;

    /// Who is told of changes of one container.
    using Observation = Callbacks<std::string, const ContainerRecord*>::Handle;
    /// `seen` is called with each new state, and with null once the container is removed, while the change is being
    /// made: it only notes it.
    Observation observe(const std::string& id, std::function<void(const ContainerRecord*)> seen) {
        return observers_.add(id, std::move(seen));
    }

    const std::vector<std::string>& damaged() const { return damaged_; }

private:
    struct Entry {
        Snapshot record;  ///< guarded by mutex_
        bool erased = false;
    };
    void check_name_is_free(const std::string& name, const std::string& id) const;
    void write_state(const std::vector<const ContainerRecord*>& records, Keep keep, bool with_spec);

    Database& database_;
    std::vector<std::string> damaged_;
    std::mutex writing_;  ///< one change at a time; taken before mutex_
    mutable std::mutex mutex_;
    mutable std::condition_variable_any changed_;
    Callbacks<std::string, const ContainerRecord*> observers_;
    std::map<std::string, std::shared_ptr<Entry>> entries_;  ///< by id
};

}  // namespace kedge::runtime

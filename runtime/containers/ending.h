#pragma once

#include "runtime/containers/container_store.h"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

namespace kedge::runtime {

/// Waits for a container's end by what its record becomes.
class RecordEnding : public Ending {
public:
    RecordEnding(ContainerStore& store, const std::string& id, Until until);

    std::optional<int> exit_code() const override;
    void tell(std::function<void()> come) override;
    int wait(std::stop_token stop) const override;

private:
    void note(const ContainerRecord* record);

    const ContainerStore::Snapshot before_;
    const Until until_;
    mutable std::mutex mutex_;
    mutable std::condition_variable_any changed_;
    std::function<void()> come_;  ///< guarded by mutex_, as what follows
    int last_code_;
    std::optional<int> exit_code_;  ///< once it has come
    ContainerStore::Observation observation_;
};

}  // namespace kedge::runtime

#pragma once

#include "reconciler/controller.h"

#include <mutex>
#include <string>

namespace kedge::reconciler {

/// Counts what happened. Thread-safe.
class FigureBook {
public:
    void sync(const std::string& source, const std::string& result) {
        std::lock_guard lock(mutex_);
        ++figures_.syncs_total[source + "\t" + result];
    }
    void rollback(const std::string& project) {
        std::lock_guard lock(mutex_);
        ++figures_.rollbacks_total[project];
    }
    void drift(const std::string& project) {
        std::lock_guard lock(mutex_);
        ++figures_.drift_total[project];
    }
    void step(const std::string& kind, double seconds) {
        std::lock_guard lock(mutex_);
        Figures::Duration& duration = figures_.steps[kind];
        ++duration.count;
        duration.seconds += seconds;
    }
    Figures read() const {
        std::lock_guard lock(mutex_);
        return figures_;
    }

private:
    mutable std::mutex mutex_;
    Figures figures_;
};

}  // namespace kedge::reconciler

#pragma once

#include "base/digest.h"

#include <set>

namespace kedge::runtime {

/// What operations in progress rely on: everything that was come across since the oldest of them began.
/// Guarded by its owner's mutex.
class Leases {
public:
    void begin() { ++count_; }
    void end() {
        if (--count_ == 0) touched_.clear();
    }
    void touch(const Digest& digest) {
        if (count_ > 0) touched_.insert(digest);
    }
    bool protect(const Digest& digest) const { return touched_.contains(digest); }

private:
    int count_ = 0;
    std::set<Digest> touched_;
};

}  // namespace kedge::runtime

#pragma once

#include "base/clock.h"

#include <map>
#include <string>
#include <vector>

namespace kedge::runtime {

struct VolumeSpec {
    std::string name;  ///< empty: 64 random hex digits (an anonymous volume)
    std::string driver = "local";
    std::map<std::string, std::string> labels;
    std::map<std::string, std::string> options;
    bool operator==(const VolumeSpec&) const = default;
};

struct VolumeInfo {
    VolumeSpec spec;
    std::string mountpoint;  ///< <root>/volumes/<name>/_data
    WallTime created;
    bool anonymous = false;
};

/// Named volumes on this machine. Thread-safe.
class Volumes {
public:
    virtual ~Volumes() = default;

    /// An existing volume of that name is returned as it is.
    virtual VolumeInfo create(const VolumeSpec& spec) = 0;
    /// conflict while a container, running or not, uses it.
    virtual void remove(const std::string& name, bool force = false) = 0;
    virtual VolumeInfo inspect(const std::string& name) const = 0;
    /// Bytes of its files. Looks at every one: it takes its time.
    virtual int64_t size(const std::string& name) const = 0;
    virtual std::vector<VolumeInfo> list() const = 0;
};

}  // namespace kedge::runtime

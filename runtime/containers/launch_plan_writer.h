#pragma once

#include "runtime/containers/launch_spec.h"

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace kedge::runtime {

/// The bytes of a shim::Plan with all that it points to.
class PlanWriter {
public:
    explicit PlanWriter(const LaunchSpec& spec);

    /// An empty file in memory for a plan.
    static Fd make_memfd();
    void write_to(int memfd) const;
    /// One with this plan, for the shim's kPlanFd.
    Fd to_memfd() const;

    /// The text at an offset that the shim sent back; empty for what is none.
    std::string text(shim::Text at) const;

private:
    shim::Text add(std::string_view text);
    template <typename T>
    shim::List add_list(const std::vector<T>& values) {
        if (values.empty()) return {};
        align();
        shim::List list{static_cast<uint32_t>(bytes_.size()), static_cast<uint32_t>(values.size())};
        bytes_.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
        return list;
    }
    shim::List add_texts(const std::vector<std::string>& texts);
    shim::List add_pointers(const std::vector<std::string>& texts);
    shim::List add_mounts(const std::vector<LaunchMount>& mounts);
    void align() { bytes_.resize((bytes_.size() + 7) & ~size_t{7}); }

    std::string bytes_;
};

}  // namespace kedge::runtime

#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace kedge {

/// Bytes as Docker and Compose write them: `1048576`, `64k`, `512m`, `1.5g`, also with `b` or `ib` behind the unit, in
/// either case; units are powers of 1024. Nothing if it is something else or negative, or more than fits, which
/// `too_large` tells.
std::optional<int64_t> parse_size(std::string_view text, bool* too_large = nullptr);

}  // namespace kedge

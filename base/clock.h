#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace kedge {

using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds>;
using Nanoseconds = std::chrono::nanoseconds;

/// The time of day. Deadlines use std::chrono::steady_clock instead.
WallTime wall_now();

/// RFC 3339 in UTC with nine digits: `2026-01-02T03:04:05.000000006Z`; the zero time as Docker writes it,
/// `0001-01-01T00:00:00Z`, for WallTime{}.
std::string format_time(WallTime time);

/// Reads what format_time writes, and offsets such as +02:00. Years before 1900 and after 2189 become these: they and
/// the differences of two times fit. Throws Error (invalid_argument).
WallTime parse_time(std::string_view text);

/// Seconds since 1970, within the same years.
WallTime from_unix(int64_t seconds_since_epoch);

/// A duration as Go and Compose write it: `1h30m`, `1.5s`, `300ms`, `2m0s`. Throws Error (invalid_argument).
Nanoseconds parse_duration(std::string_view text);

/// The same, back: `1m30s`, `500ms`.
std::string format_duration(Nanoseconds duration);

/// `5 minutes`, `2 weeks`: as Docker's lists round it ("Less than a second", "About a minute", "About an hour").
std::string human_duration(Nanoseconds duration);

}  // namespace kedge

#pragma once

#include "base/clock.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace kedge::cli {

/// `1.24MB`, `5.61kB`, `0B`: as Docker's lists write sizes; its sums have four digits.
std::string human_size(int64_t bytes, int digits = 3);
inline constexpr int kDigitsOfSums = 4;
/// `3 minutes ago` of a time in RFC 3339; empty for none.
std::string ago(const std::string& time, WallTime now);
/// `1h`, `12m`, `45s`, `3d`: for narrow columns; `-` for none.
std::string age(const std::string& time, WallTime now);
/// `0.0.0.0:8080->80/tcp` of Docker's Ports lists; those of one address that follow each other and are the same inside
/// and outside come as a range, `0.0.0.0:9000-9002->9000-9002/udp`, and others last.
std::string ports_text(const nlohmann::json& ports);
/// `web,db` of the Names of an item of the agent's list.
std::string container_names(const nlohmann::json& container);
/// `80/tcp -> 0.0.0.0:8080` for each binding of inspect's Ports, by number; with `wanted` only what is behind the
/// arrow, of this port.
std::string published_lines(const nlohmann::json& ports, const std::string& wanted);
/// The first 12 digits of an id, with `sha256:` taken off.
std::string short_id(const std::string& id);
/// At most `width` characters, the last an ellipsis.
std::string truncated(const std::string& text, size_t width);
/// Text members of JSON that may be absent or null.
std::string text_of(const nlohmann::json& object, const char* key);
int64_t number_of(const nlohmann::json& object, const char* key);
/// `a=b,c=d` of labels; null is none.
std::string labels_text(const nlohmann::json& labels);
/// kedge::parse_size(); throws Error (invalid_argument) with what to write instead.
int64_t size_of(const std::string& text);
/// --since and --until for the agent, as seconds since 1970 with nine decimals: a duration (`10m`: so long before
/// `now`), such seconds, or a date and time in RFC 3339, whose end may be missing (`2026-01-02T15:04`, `2026-01-02`)
/// and which is local without an offset. Empty stays empty. Throws Error.
std::string time_parameter(const std::string& text, WallTime now);
/// `2026-01-02T15:04:05.000000006+01:00`, in local time.
std::string local_time(int64_t nanoseconds);
/// `2026-01-02T15:04:05+01:00`, in local time.
std::string local_seconds(WallTime time);
/// `2026-01-02 15:04:05.000000006 +0100 CET`, in local time, as Go prints times: without a fraction that is zero.
std::string go_time(WallTime time);
/// In double quotes, as Go writes text.
std::string go_quoted(std::string_view text);

}  // namespace kedge::cli

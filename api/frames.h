#pragma once

#include <string>
#include <string_view>

namespace kedge::api {

enum class StreamKind : unsigned char { out = 1, err = 2, exit_code = 3 };

/// One frame of Docker's multiplexed streams: the stream, three zero bytes, the length as four big-endian bytes, the
/// data. StreamKind::exit_code is kedge's: the last frame of an exec and of a container that is followed to its end,
/// its data the number in decimal.
std::string frame(StreamKind kind, std::string_view data);

}  // namespace kedge::api

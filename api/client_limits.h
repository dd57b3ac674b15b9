#pragma once

#include <chrono>
#include <cstddef>

namespace kedge::api {

/// How long and how much a client may take.
struct ClientLimits {
    std::chrono::milliseconds idle{15'000};    ///< between requests
    std::chrono::milliseconds head{15'000};    ///< from a request's first byte to the end of its head
    std::chrono::milliseconds body{0};         ///< from the end of the head to the end of the body; 0: no limit
    std::chrono::milliseconds stall{300'000};  ///< without a byte coming in or going out
    size_t head_size = 64u << 10;              ///< bytes of request line and headers together
};

}  // namespace kedge::api

#include "api/frames.h"

#include <cstdint>

namespace kedge::api {

std::string frame(StreamKind kind, std::string_view data) {
    auto size = static_cast<uint32_t>(data.size());
    std::string bytes(8, '\0');
    bytes[0] = static_cast<char>(kind);
    for (size_t i = 0; i < 4; ++i) bytes[4 + i] = static_cast<char>(size >> (24 - 8 * i) & 0xff);
    return bytes.append(data);
}

}  // namespace kedge::api

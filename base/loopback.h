#pragma once

#include <string_view>

namespace kedge {

/// Whether a URL's host (a name, or an address, IPv6 with or without brackets) is this machine itself:
/// `127.0.0.1.example.org` is somebody else's.
bool is_loopback(std::string_view host);

}  // namespace kedge

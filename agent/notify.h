#pragma once

#include <string>

namespace kedge::agent {

/// Tells the service manager, if there is one (a datagram to $NOTIFY_SOCKET, sd_notify(3)). What fails is nobody's
/// loss.
void notify(const std::string& state);

}  // namespace kedge::agent

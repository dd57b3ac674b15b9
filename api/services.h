#pragma once

#include "base/clock.h"

#include <string>
#include <vector>

namespace kedge::runtime {
class Engine;
}
namespace kedge::reconciler {
class Controller;
}

namespace kedge::api {

class AuditLog;

/// What the routes work on. They outlive the servers.
struct Services {
    runtime::Engine& engine;
    reconciler::Controller& controller;
    AuditLog& audit;
    std::string device;  ///< this device's name
    std::vector<std::string> labels;
    WallTime started;
};

/// kedge's version, and the Docker Engine API's that it speaks.
std::string_view version();
inline constexpr std::string_view kApiVersion = "1.51";
inline constexpr std::string_view kMinimumApiVersion = "1.24";

}  // namespace kedge::api

#pragma once

#include "api/http.h"

#include <functional>
#include <string>
#include <vector>

namespace kedge::api {

struct WebhookSettings {
    std::string path = "/webhook";
    std::string secret;  ///< what the forge signs with; never empty
};

/// Answers pushes: POST to the path with a right signature wakes the sources of that repository (`wake` names them),
/// 202. All else learns nothing: 404 for other paths and methods, 401 without saying what is wrong with the signature.
Handler make_webhook(WebhookSettings settings,
                     std::function<std::vector<std::string>(const std::vector<std::string>& urls)> wake);

}  // namespace kedge::api

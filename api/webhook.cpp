#include "api/webhook.h"

#include "api/reply.h"
#include "base/error.h"
#include "base/log.h"
#include "sources/webhook.h"

#include <nlohmann/json.hpp>

namespace kedge::api {

using nlohmann::json;

namespace {

/// What comes from outside goes to the log only in a form that can't forge lines.
std::string printable(const std::string& text) {
    std::string result;
    for (char c : text.substr(0, 100)) result += c >= ' ' && c < 127 ? c : '?';
    return result;
}

}  // namespace

Handler make_webhook(WebhookSettings settings,
                     std::function<std::vector<std::string>(const std::vector<std::string>&)> wake) {
    return [settings = std::move(settings), wake = std::move(wake)](const Request& request) {
        if (request.method != "POST" || request.path != settings.path) return error_reply(404, "not found");
        try {
            std::string body = request.body(sources::kWebhookBodyLimit);
            sources::PushEvent event = sources::verify_webhook(request.headers, body, settings.secret);
            std::vector<std::string> woken = event.ping ? std::vector<std::string>{} : wake(event.urls);
            log(LogLevel::info, "webhook: " + event.forge + " delivery " + printable(event.delivery) + " for " +
                                    printable(event.ref) + " woke " + std::to_string(woken.size()) + " sources");
            return json_reply({{"woken", woken}}, 202);
        } catch (const Error& error) {
            log(LogLevel::warning, "webhook: refused: " + printable(error.what()));
            return error.code() == Code::unauthenticated ? error_reply(401, "unauthenticated")
                                                         : error_reply(400, "not a push event");
        }
    };
}

}  // namespace kedge::api

#include "api/audited.h"

#include "api/reply.h"
#include "api/router.h"
#include "base/error.h"
#include "runtime/engine.h"

namespace kedge::api {

namespace {

bool changes_nothing(const Request& request) {
    return request.method == "GET" || request.method == "HEAD" || request.path.ends_with("/wait") ||
           request.path.ends_with("/resize");
}

/// What the path is about, while it is still there.
void name_object(runtime::Engine& engine, Change& change) {
    std::vector<std::string> parts = split_path(change.path);
    if (parts.size() > 3 && parts[0] == "kedge" && parts[2] == "projects") change.project = parts[3];
    if (parts.size() > 2 && parts[0] == "kedge") parts.erase(parts.begin(), parts.begin() + 2);  // and its version
    if (parts.size() < 2 || parts[0] != "containers") return;
    try {
        auto info = engine.containers().snapshot(parts[1]);
        change.object = info->name;
        auto label = info->labels.find("com.docker.compose.project");
        if (label != info->labels.end()) change.project = label->second;
    } catch (const Error&) {
        // create, prune, or a name of nothing
    }
}

}  // namespace

Handler audited(Handler handler, const Services& services) {
    return [handler = std::move(handler), &services](Request& request) {
        if (changes_nothing(request)) return handler(request);
        Change change;
        change.time = wall_now();
        change.peer = request.peer ? request.peer() : Peer();
        change.method = request.method;
        change.path = request.path;
        name_object(services.engine, change);
        auto note = [&](int status) {
            change.status = status;
            services.audit.add(std::move(change));
        };
        try {
            Response response = handler(request);
            note(response.status);
            return response;
        } catch (const Error& error) {
            note(error_reply(error).status);
            throw;
        }
    };
}

}  // namespace kedge::api

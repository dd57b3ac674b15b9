#include "api/reply.h"
#include "api/routes.h"

#include <nlohmann/json.hpp>

namespace kedge::api {

namespace {

constexpr const char* kNoManager =
    "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to "
    "swarm "
    "and try again.";

Handler refusing(int status, const std::string& message) {
    return [=](const Request&) { return error_reply(status, message); };
}

}  // namespace

/// What a Docker that is in no swarm and has no plugins answers, and what kedge has not.
void add_absent_routes(Router& router, const Services&) {
    for (const char* method : {"GET", "POST", "DELETE"}) {
        for (const char* kind : {"nodes", "services", "tasks", "secrets", "configs"}) {
            router.add(method, std::string("/") + kind, refusing(503, kNoManager));
            router.add(method, std::string("/") + kind + "/{rest...}", refusing(503, kNoManager));
        }
    }
    router.add("GET", "/swarm", refusing(503, kNoManager));
    router.add("GET", "/swarm/unlockkey", refusing(503, kNoManager));
    router.add("POST", "/swarm/update", refusing(503, kNoManager));
    router.add("POST", "/swarm/leave", refusing(503, "This node is not part of a swarm"));
    for (const char* action : {"init", "join", "unlock"})
        router.add("POST", std::string("/swarm/") + action, refusing(501, "swarm mode is not supported by kedge"));
    router.add("GET", "/plugins", [](const Request&) { return json_reply(nlohmann::json::array()); });
    router.add("GET", "/plugins/{rest...}", refusing(404, "plugins are not supported by kedge"));
    router.add("POST", "/plugins/{rest...}", refusing(501, "plugins are not supported by kedge"));
    router.add("DELETE", "/plugins/{rest...}", refusing(501, "plugins are not supported by kedge"));
    router.add("POST", "/session", refusing(501, "builds are not supported by kedge"));
}

}  // namespace kedge::api

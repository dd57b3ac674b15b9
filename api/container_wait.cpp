#include "api/container_wait.h"

#include "api/reply.h"
#include "base/error.h"
#include "runtime/engine.h"

#include <nlohmann/json.hpp>

#include <charconv>

namespace kedge::api {

using nlohmann::json;

namespace {

int exit_code_of(const runtime::Event& event, int otherwise) {
    auto found = event.attributes.find("exitCode");
    if (found == event.attributes.end()) return otherwise;
    int code = otherwise;
    (void)std::from_chars(found->second.data(), found->second.data() + found->second.size(),
                          code);  // the engine's own number
    return code;
}

/// Follows the events of one container until `action`; the exit code of its last `die`, or the one that it had.
int await_event(runtime::Engine& engine, uint64_t from, const std::string& id, int code, const std::string& action,
                std::stop_token stop) {
    bool seen = false;
    while (!seen && !stop.stop_requested()) {
        uint64_t missed = 0;
        from = engine.events().read(
            from,
            [&](const runtime::Event& event) {
                if (seen || event.type != "container" || event.id != id) return;
                if (event.action == "die") code = exit_code_of(event, code);
                seen = event.action == action;
            },
            stop, std::chrono::steady_clock::time_point::max(), &missed);
        if (missed > 0 && !seen)
            throw Error(Code::unavailable, "too many events at a time to wait for the container's end");
    }
    if (!seen) throw Error(Code::cancelled, "waiting was cancelled");
    return code;
}

}  // namespace

Response wait_reply(const Request& request, runtime::Engine& engine) {
    std::string condition = request.parameter("condition");
    if (condition.empty()) condition = "not-running";
    if (condition != "not-running" && condition != "next-exit" && condition != "removed") {
        throw Error(Code::invalid_argument, "invalid condition: \"" + condition + "\"");
    }
    uint64_t from = engine.events().next();  // before the look at the container, so that nothing is missed between
    const runtime::ContainerInfo info = engine.containers().inspect(request.captures.at("id"));
    const std::string id = info.id;
    const int code = info.exit_code;
    std::stop_token stop = request.watch_client();
    Response response;
    response.stream = [=, &engine](Writer& writer) {
        json result = {{"StatusCode", 0}};
        try {
            result["StatusCode"] =
                condition == "not-running"
                    ? engine.containers().wait(id, stop)
                    : await_event(engine, from, id, code, condition == "removed" ? "destroy" : "die", stop);
        } catch (const std::exception& error) {
            result["Error"] = {{"Message", error.what()}};
        }
        writer.write(to_text(result) + "\n");
    };
    return response;
}

}  // namespace kedge::api

#include "api/container_wait.h"

#include "api/reply.h"
#include "base/error.h"
#include "runtime/engine.h"

#include <nlohmann/json.hpp>

#include <charconv>
#include <optional>

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

enum class Until { not_running, next_exit, removed };

Until read_condition(const std::string& condition) {
    if (condition.empty() || condition == "not-running") return Until::not_running;
    if (condition == "next-exit") return Until::next_exit;
    if (condition == "removed") return Until::removed;
    throw Error(Code::invalid_argument, "invalid condition: \"" + condition + "\"");
}

/// Says nothing until the container has come that far, and then with which exit code.
class WaitFeed : public Feed {
public:
    WaitFeed(runtime::Engine& engine, std::string id, Until until, int code, uint64_t next)
        : engine_(engine), id_(std::move(id)), until_(until), code_(code), next_(next) {}

    runtime::Events::Subscription events;
    std::shared_ptr<void> changes;

    State fill(std::string& out) override {
        uint64_t missed = 0;
        uint64_t next = engine_.events().read_now(
            next_, [&](const runtime::Event& event) { note(event); }, kAtOnce, &missed);
        bool more = next - next_ - missed >= kAtOnce;
        next_ = next;
        json result = {{"StatusCode", 0}};
        if (missed > 0)
            result["Error"] = {{"Message", "too many events at a time to wait for the container's end"}};
        else if (has_come())
            result["StatusCode"] = code_;
        else
            return more ? State::more : State::waiting;
        out += to_text(result) + "\n";
        return State::ended;
    }

private:
    static constexpr size_t kAtOnce = 64;

    void note(const runtime::Event& event) {
        if (event.type != "container" || event.id != id_ || removed_ || (exited_ && until_ == Until::next_exit)) return;
        if (event.action == "die") code_ = exit_code_of(event, code_);
        exited_ = exited_ || event.action == "die";
        removed_ = event.action == "destroy";
    }

    bool has_come() {
        if (removed_ || until_ == Until::removed) return removed_;
        if (until_ == Until::next_exit) return exited_;
        try {
            std::optional<int> code = engine_.containers().exit_code(id_);
            code_ = code.value_or(code_);
            return code.has_value();
        } catch (const Error& error) {
            if (error.code() != Code::not_found) throw;
            return false;  // the event of its removal, after that of its end, is on its way
        }
    }

    runtime::Engine& engine_;
    const std::string id_;
    const Until until_;
    int code_;
    uint64_t next_;
    bool exited_ = false, removed_ = false;
};

}  // namespace

Response wait_reply(const Request& request, runtime::Engine& engine) {
    const Until until = read_condition(request.parameter("condition"));
    uint64_t from = engine.events().next();  // before the look at the container, so that nothing is missed between
    const runtime::ContainerInfo info = engine.containers().inspect(request.captures.at("id"));
    Response response;
    response.feed = [=, &engine, id = info.id, code = info.exit_code](const std::function<void()>& wake) {
        auto feed = std::make_unique<WaitFeed>(engine, id, until, code, from);
        feed->events = engine.events().subscribe(wake);
        try {
            if (until == Until::not_running) feed->changes = engine.containers().watch(id, wake);
        } catch (const Error& error) {
            if (error.code() != Code::not_found) throw;  // it was removed meanwhile, which the events tell
        }
        return feed;
    };
    return response;
}

}  // namespace kedge::api

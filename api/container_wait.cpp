#include "api/container_wait.h"

#include "api/reply.h"
#include "base/error.h"
#include "runtime/containers.h"

#include <nlohmann/json.hpp>

#include <optional>

namespace kedge::api {

using runtime::Until;

namespace {

Until read_condition(const std::string& condition) {
    if (condition.empty() || condition == "not-running") return Until::not_running;
    if (condition == "next-exit") return Until::next_exit;
    if (condition == "removed") return Until::removed;
    throw Error(Code::invalid_argument, "invalid condition: \"" + condition + "\"");
}

/// Says nothing until the container has come that far, and then with which exit code.
class WaitFeed : public Feed {
public:
    WaitFeed(std::shared_ptr<runtime::Ending> ending, std::function<void()> wake) : ending_(std::move(ending)) {
        ending_->tell(std::move(wake));
    }
    ~WaitFeed() override { ending_->tell({}); }
    WaitFeed(const WaitFeed&) = delete;
    WaitFeed& operator=(const WaitFeed&) = delete;

    State fill(std::string& out) override {
        std::optional<int> code = ending_->exit_code();
        if (!code) return State::waiting;
        out += to_text({{"StatusCode", *code}}) + "\n";
        return State::ended;
    }

private:
    const std::shared_ptr<runtime::Ending> ending_;
};

}  // namespace

Response wait_reply(const Request& request, runtime::Containers& containers) {
    Until until = read_condition(request.parameter("condition"));
    Response response;
    response.feed = [ending = std::shared_ptr(containers.await(request.captures.at("id"), until))](auto wake) {
        return std::make_unique<WaitFeed>(ending, std::move(wake));
    };
    return response;
}

}  // namespace kedge::api

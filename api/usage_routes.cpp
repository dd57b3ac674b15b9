#include "api/docker_json.h"
#include "api/process_table.h"
#include "api/reply.h"
#include "api/routes.h"
#include "base/error.h"
#include "runtime/engine.h"

#include <nlohmann/json.hpp>

#include <condition_variable>
#include <mutex>
#include <optional>

namespace kedge::api {

using nlohmann::json;

namespace {

constexpr auto kBetweenSamples = std::chrono::seconds(1);

/// False when a stop is requested before the time is over.
bool pause_between(std::stop_token stop) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    (void)never.wait_for(lock, stop, kBetweenSamples, [] { return false; });
    return !stop.stop_requested();
}

/// Looks at one container again and again.
class Samples {
public:
    Samples(const runtime::Containers& containers, std::string id) : containers_(containers), id_(std::move(id)) {}

    /// Throws Error not_found when it is gone.
    json next() {
        const auto info = containers_.snapshot(id_);
        std::optional<runtime::ContainerUsage> now;
        try {
            now = containers_.usage(id_);
        } catch (const Error& error) {
            if (error.code() != Code::conflict) throw;  // it doesn't run: nothing is used
        }
        if (info->started != run_) last_.reset();  // another run counts from zero
        run_ = info->started;
        json value = stats_json(*info, now ? &*now : nullptr, last_ ? &*last_ : nullptr);
        last_ = std::move(now);
        return value;
    }
    bool runs() const { return last_.has_value(); }

private:
    const runtime::Containers& containers_;
    std::string id_;
    WallTime run_;
    std::optional<runtime::ContainerUsage> last_;
};

/// A sample each second for as long as the container is there.
class StatsFeed : public Feed {
public:
    explicit StatsFeed(Samples samples) : samples_(std::move(samples)) {}

    State fill(std::string& out) override {
        const auto now = std::chrono::steady_clock::now();
        if (now < due_) return State::waiting;
        due_ = now + kBetweenSamples;
        try {
            out += to_text(samples_.next()) + "\n";
        } catch (const Error&) {
            return State::ended;  // it was removed
        }
        return State::waiting;
    }
    Time deadline() const override { return due_; }

private:
    Samples samples_;
    Time due_{};
};

Response stats(const Request& request, const runtime::Containers& containers) {
    const bool stream = request.flag("stream", true), once = request.flag("one-shot");
    if (stream && once) throw Error(Code::invalid_argument, "cannot have stream=true and one-shot=true");
    Samples samples(containers, containers.snapshot(request.captures.at("id"))->id);
    Response response;
    if (stream) {
        response.feed = [samples](const std::function<void()>&) { return std::make_unique<StatsFeed>(samples); };
        return response;
    }
    json value = samples.next();
    // Shares of time need two samples.
    if (!once && samples.runs() && pause_between(request.watch_client())) value = samples.next();
    return json_reply(value);
}

Response top(const Request& request, runtime::Containers& containers) {
    // Options are checked first: who looked is an event.
    const std::string options = request.parameter("ps_args");
    (void)process_table(options, {}, process_context());
    const ProcessTable table =
        process_table(options, containers.processes(request.captures.at("id")), process_context());
    return json_reply({{"Titles", table.titles}, {"Processes", table.rows}});
}

}  // namespace

void add_usage_routes(Router& router, const Services& services) {
    runtime::Containers& containers = services.engine.containers();
    router.add("GET", "/containers/{id}/top",
               [&containers](const Request& request) { return top(request, containers); });
    router.add("GET", "/containers/{id}/stats",
               [&containers](const Request& request) { return stats(request, containers); });
}

}  // namespace kedge::api

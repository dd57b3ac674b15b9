#include "api/frames.h"
#include "api/reply.h"
#include "api/routes.h"
#include "api/stream_time.h"
#include "base/error.h"
#include "base/log.h"
#include "runtime/engine.h"
#include "runtime/log_attributes.h"

#include <fmt/format.h>

#include <cctype>
#include <charconv>
#include <string_view>

namespace kedge::api {

namespace {

int64_t read_tail(const std::string& text) {
    if (text.empty() || text == "all") return -1;
    int64_t tail = 0;
    auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), tail);
    if (failure != std::errc() || end != text.data() + text.size()) {
        throw Error(Code::invalid_argument, "tail: \"" + text + "\" is neither a number nor all");
    }
    return std::max<int64_t>(tail, -1);
}

constexpr size_t kAtOnce = 65536;  ///< bytes that are sent together

/// How lines are to be sent.
struct Rendering {
    bool timestamps = false;
    bool raw = false;     ///< of a terminal: without frames
    std::string details;  ///< what stands before each line
};

std::string render(const runtime::LogLine& line, const Rendering& how) {
    std::string text = how.details + line.text;
    if (how.timestamps) text = format_time(line.time) + " " + text;
    return how.raw ? text : frame(line.err ? StreamKind::err : StreamKind::out, text);
}

/// As in a form: letters, digits and `-_.~` as they are, a blank as `+`, and the rest as `%xx`.
std::string escaped(const std::string& text) {
    std::string result;
    for (char c : text) {
        if (std::isalnum(static_cast<unsigned char>(c)) || std::string_view("-_.~").find(c) != std::string_view::npos)
            result += c;
        else if (c == ' ')
            result += '+';
        else
            result += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return result;
}

/// `a=1,b=2 `; a blank if there are none.
std::string details_of(const runtime::ContainerInfo& info) {
    std::string text;
    for (const auto& [key, value] : runtime::log_attributes(info))
        text += (text.empty() ? "" : ",") + escaped(key) + "=" + escaped(value);
    return text + " ";
}

class LogFeed : public Feed {
public:
    LogFeed(std::unique_ptr<runtime::LogFollower> follower, WallTime until, Rendering rendering)
        : follower_(std::move(follower)), rendering_(std::move(rendering)) {
        if (until != WallTime{}) deadline_ = std::chrono::steady_clock::now() + (until - wall_now());
    }

    State fill(std::string& out) override {
        bool late = std::chrono::steady_clock::now() >= deadline_;
        using Read = runtime::LogFollower::Read;
        Read read = follower_->read([&](const runtime::LogLine& line) {
            out += render(line, rendering_);
            return out.size() < kAtOnce;
        });
        if (read == Read::ended || (read == Read::waiting && late)) return State::ended;
        return read == Read::more ? State::more : State::waiting;
    }
    Time deadline() const override { return deadline_; }

private:
    std::unique_ptr<runtime::LogFollower> follower_;
    Time deadline_ = Time::max();
    Rendering rendering_;
};

Response logs(const Request& request, const Services& services) {
    runtime::LogOptions options;
    options.follow = request.flag("follow");
    options.out = request.flag("stdout");
    options.err = request.flag("stderr");
    options.tail = read_tail(request.parameter("tail"));
    options.since = parameter_time(request.parameter("since"));
    options.until = parameter_time(request.parameter("until"));
    if (!options.out && !options.err)
        throw Error(Code::invalid_argument, "Bad parameters: you must choose at least one stream");
    runtime::ContainerInfo info = services.engine.containers().inspect(request.captures.at("id"));
    if (info.spec.log.driver == "none") {
        throw Error(Code::invalid_argument, "configured logging driver does not support reading");
    }
    Rendering rendering{request.flag("timestamps"), info.spec.tty, {}};
    if (request.flag("details")) rendering.details = details_of(info);
    Response response;
    response.content_type =
        rendering.raw ? "application/vnd.docker.raw-stream" : "application/vnd.docker.multiplexed-stream";
    if (options.follow) {
        response.feed = [=, id = info.id, &containers = services.engine.containers()](std::function<void()> wake) {
            return std::make_unique<LogFeed>(containers.follow(id, options, std::move(wake)), options.until, rendering);
        };
        return response;
    }
    response.stream = [=, id = info.id, &containers = services.engine.containers()](Writer& writer) {
        std::string lines;
        containers.logs(id, options, [&](const runtime::LogLine& line) {
            lines += render(line, rendering);
            if (lines.size() < kAtOnce) return true;
            bool taken = writer.write(lines);
            lines.clear();
            return taken;
        });
        (void)writer.write(lines);  // who is gone needs no end
    };
    return response;
}

}  // namespace

void add_log_routes(Router& router, const Services& services) {
    router.add("GET", "/containers/{id}/logs", [&services](const Request& request) { return logs(request, services); });
}

}  // namespace kedge::api

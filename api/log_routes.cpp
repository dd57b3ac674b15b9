#include "api/frames.h"
#include "api/reply.h"
#include "api/routes.h"
#include "api/stream_time.h"
#include "base/error.h"
#include "base/log.h"
#include "runtime/engine.h"

#include <charconv>

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

std::string render(const runtime::LogLine& line, bool timestamps, bool raw) {
    std::string text = timestamps ? format_time(line.time) + " " + line.text : line.text;
    return raw ? text : frame(line.err ? StreamKind::err : StreamKind::out, text);
}

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
    bool timestamps = request.flag("timestamps"), raw = info.spec.tty;
    std::stop_token stop = options.follow ? request.watch_client() : std::stop_token();
    Response response;
    response.content_type = raw ? "application/vnd.docker.raw-stream" : "application/vnd.docker.multiplexed-stream";
    response.stream = [=, id = info.id, &containers = services.engine.containers()](Writer& writer) {
        try {
            containers.logs(
                id, options, [&](const runtime::LogLine& line) { return writer.write(render(line, timestamps, raw)); },
                stop);
        } catch (const Error& error) {
            if (error.code() == Code::cancelled) return;
            log(LogLevel::warning, "logs of " + id + ": " + error.what());
        }
    };
    return response;
}

}  // namespace

void add_log_routes(Router& router, const Services& services) {
    router.add("GET", "/containers/{id}/logs", [&services](const Request& request) { return logs(request, services); });
}

}  // namespace kedge::api

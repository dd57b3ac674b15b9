#include "api/frames.h"
#include "api/reply.h"
#include "api/routes.h"
#include "base/error.h"
#include "base/log.h"
#include "runtime/engine.h"

namespace kedge::api {

namespace {

/// Docker's attach: what the container writes in the run in progress or, if there is none, in its next one; with `logs`
/// all of before as well. The output is what the log gets, so that any number may be attached, at any time.
Response attach(const Request& request, runtime::Containers& containers) {
    runtime::ContainerInfo info = containers.inspect(request.captures.at("id"));
    if (request.flag("stdin") && info.spec.open_stdin) {
        throw Error(Code::invalid_argument, "attaching to a container's standard input is not supported by kedge",
                    "leave out -i, or use exec -i, which has one");
    }
    if (!request.flag("stream")) {
        throw Error(Code::invalid_argument, "attaching without stream=1 is not supported by kedge", "ask for the logs");
    }
    runtime::LogOptions options;
    options.out = request.flag("stdout");
    options.err = request.flag("stderr");
    options.tail = request.flag("logs") ? -1 : 0;
    Response response;
    bool raw = info.spec.tty;
    response.content_type = raw ? "application/vnd.docker.raw-stream" : "application/vnd.docker.multiplexed-stream";
    if (info.spec.log.driver == "none") {
        // As an error of the request nobody would see it: clients only say that the upgrade failed.
        response.take_over = [=](Duplex& duplex) {
            const std::string note = "the container's output is not shown: it has no log\n";
            (void)duplex.write(raw ? note : frame(StreamKind::err, note));
        };
        return response;
    }
    // Opened before the client hears that it is attached, which then starts the container.
    runtime::Containers::AttachedOutput output = containers.attach(info.id, options);
    std::stop_token stop = request.watch_connection();
    response.take_over = [=, id = info.id](Duplex& duplex) {
        auto send = [&](const runtime::LogLine& line) {
            return duplex.write(raw ? line.text : frame(line.err ? StreamKind::err : StreamKind::out, line.text));
        };
        try {
            output(send, stop);
        } catch (const Error& error) {
            if (error.code() != Code::cancelled) log(LogLevel::warning, "attach to " + id + ": " + error.what());
        }
    };
    return response;
}

}  // namespace

void add_attach_routes(Router& router, const Services& services) {
    runtime::Containers& containers = services.engine.containers();
    router.add("POST", "/containers/{id}/attach",
               [&containers](const Request& request) { return attach(request, containers); });
    router.add("GET", "/containers/{id}/attach/ws",
               [](const Request&) { return error_reply(501, "attaching by websocket is not supported by kedge"); });
}

}  // namespace kedge::api

#include "api/frames.h"
#include "api/reply.h"
#include "api/routes.h"
#include "api/stream_pump.h"
#include "api/terminal_size.h"
#include "api/websocket.h"
#include "base/detach_keys.h"
#include "base/error.h"
#include "base/log.h"
#include "base/stop_fd.h"
#include "runtime/engine.h"

#include <thread>

namespace kedge::api {

namespace {

/// What a client who attaches asked for.
struct Wanted {
    std::string id;
    bool terminal = false;
    bool raw = false;  ///< bytes as they are, without frames
    bool out = false, err = false, in = false, logs = false, stream = false;
    std::string detach_keys;
};

void send_logs(runtime::Containers& containers, const Wanted& wanted, WallTime until, Duplex& client,
               const std::stop_token& stop) {
    runtime::LogOptions options;
    options.out = wanted.out;
    options.err = wanted.err;
    options.until = until;
    auto send = [&](const runtime::LogLine& line) {
        return client.write(wanted.raw ? line.text : frame(line.err ? StreamKind::err : StreamKind::out, line.text));
    };
    containers.logs(wanted.id, options, send, stop);
}

/// Carries bytes in both directions until the container ends, the client is gone, or it detaches: then false. Who only
/// sends is done when it has sent all.
bool carry(runtime::Containers& containers, const Wanted& wanted, runtime::Attachment* attachment, Duplex& client,
           const std::stop_token& client_gone) {
    std::stop_source end;
    std::stop_callback gone(client_gone, [&] { end.request_stop(); });
    WallTime until{};
    Fd input;
    if (attachment) {
        runtime::Attachment::Begun begun = attachment->wait(end.get_token());
        until = begun.since;
        input = std::move(begun.in);
    }
    if (wanted.logs) send_logs(containers, wanted, until, client, end.get_token());
    if (!attachment) return true;
    StopFd stopped(end.get_token());
    std::atomic<bool> quiet = !wanted.out && !wanted.err;  // read all the same: its end is the container's
    std::atomic<bool> detached = false;
    std::jthread feeder;
    if (input) {
        feeder = std::jthread([&, to = std::move(input)]() mutable {
            DetachKeys keys(wanted.detach_keys);
            detached = pump_input(client, std::move(to), stopped.get(), wanted.terminal ? &keys : nullptr);
            if (detached || quiet) end.request_stop();
        });
    }
    pump_output({attachment->out(), attachment->err(), wanted.raw}, {stopped.get(), -1}, client, &quiet);
    client.end_reading();
    if (feeder.joinable()) feeder.join();
    return !detached;
}

Wanted read_wanted(const Request& request, const runtime::ContainerInfo& info) {
    Wanted wanted;
    wanted.id = info.id;
    wanted.terminal = wanted.raw = info.spec.tty;
    wanted.out = request.flag("stdout");
    wanted.err = request.flag("stderr");
    wanted.in = request.flag("stdin");
    wanted.stream = request.flag("stream");
    wanted.logs = request.flag("logs") && info.spec.log.driver != "none";
    wanted.detach_keys = request.parameter("detachKeys");
    (void)DetachKeys(wanted.detach_keys);
    return wanted;
}

std::shared_ptr<runtime::Attachment> begin(runtime::Containers& containers, const Wanted& wanted) {
    runtime::AttachOptions options;
    options.out = wanted.out || !wanted.err;
    options.err = wanted.err;
    options.in = wanted.in;
    options.pending = wanted.logs;
    return containers.attach(wanted.id, options);
}

/// Of a connection that is over nobody is left to tell; whoever looks into it has the log.
void log_failure(const Wanted& wanted, const Error& error) {
    if (error.code() != Code::cancelled) log(LogLevel::warning, "attach to " + wanted.id + ": " + error.what());
}

/// `response`: what has been settled of the answer so far.
Response attach(const Request& request, runtime::Containers& containers, Response response) {
    const bool websocket = response.status == 101;
    Wanted wanted = read_wanted(request, *containers.snapshot(request.captures.at("id")));
    if (websocket) wanted.raw = true;
    std::shared_ptr<runtime::Attachment> attachment;
    // Made before the client hears that it is attached, which then starts the container.
    if (wanted.stream) attachment = begin(containers, wanted);
    std::stop_token gone = request.watch_connection();
    response.content_type =
        wanted.raw ? "application/vnd.docker.raw-stream" : "application/vnd.docker.multiplexed-stream";
    response.take_over = [=, &containers](Duplex& client) {
        WebSocket messages(client);
        try {
            (void)carry(containers, wanted, attachment.get(), websocket ? messages : client, gone);
            if (websocket) messages.close();
        } catch (const Error& error) {
            log_failure(wanted, error);
        }
    };
    return response;
}

/// Attaching, with `start` the start, and waiting for the end in one request, as the `kedge` command does it: the
/// output comes in frames also of a terminal, and the last frame tells the exit code, unless the client has detached.
/// Of a container that removes itself it comes when that is done.
Response follow(const Request& request, runtime::Containers& containers) {
    const bool start = request.flag("start");
    const auto info = containers.snapshot(request.captures.at("id"));
    std::shared_ptr<runtime::Ending> ending =
        containers.await(info->id, info->spec.auto_remove ? runtime::Until::removed : runtime::Until::next_exit);
    if (!start && !is_up(containers.snapshot(info->id)->status))
        throw Error(Code::conflict, "You cannot attach to a stopped container, start it first");
    Wanted wanted = read_wanted(request, *info);
    wanted.raw = false;
    std::shared_ptr<runtime::Attachment> attachment = begin(containers, wanted);
    try {
        if (start) containers.start(info->id);
    } catch (const Error& error) {
        if (error.code() != Code::not_modified) throw;  // somebody was faster; it is followed all the same
    }
    std::stop_token gone = request.watch_connection();
    Response response;
    response.content_type = "application/vnd.docker.multiplexed-stream";
    response.take_over = [=, &containers](Duplex& client) {
        try {
            if (!carry(containers, wanted, attachment.get(), client, gone)) return;
            (void)client.write(frame(StreamKind::exit_code, std::to_string(ending->wait(gone))));
        } catch (const Error& error) {
            log_failure(wanted, error);
        }
    };
    return response;
}

}  // namespace

void add_attach_routes(Router& router, const Services& services) {
    runtime::Containers& containers = services.engine.containers();
    router.add("POST", "/containers/{id}/attach",
               [&containers](const Request& request) { return attach(request, containers, {}); });
    router.add("POST", "/kedge/v1/containers/{id}/attach",
               [&containers](const Request& request) { return follow(request, containers); });
    router.add("GET", "/containers/{id}/attach/ws", [&containers](const Request& request) {
        Response response = accept_websocket(request);
        return response.status == 101 ? attach(request, containers, std::move(response)) : response;
    });
    router.add("POST", "/containers/{id}/resize", [&containers](const Request& request) {
        auto [rows, columns] = terminal_size(request);
        containers.resize(request.captures.at("id"), rows, columns);
        return empty_reply(200);
    });
}

}  // namespace kedge::api

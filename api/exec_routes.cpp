#include "api/execs.h"
#include "api/frames.h"
#include "api/json_body.h"
#include "api/reply.h"
#include "api/routes.h"
#include "base/error.h"
#include "runtime/engine.h"

namespace kedge::api {

using nlohmann::json;

namespace {

runtime::ExecSpec read_spec(const Fields& body) {
    runtime::ExecSpec spec;
    spec.arguments = body.texts("Cmd");
    if (spec.arguments.empty()) throw Error(Code::invalid_argument, "No exec command specified");
    spec.environment = body.texts("Env");
    spec.user = body.text("User");
    spec.working_dir = body.text("WorkingDir");
    spec.privileged = body.flag("Privileged");
    body.refuse_others({"Cmd", "Env", "User", "WorkingDir", "Privileged", "AttachStdin", "AttachStdout", "AttachStderr",
                        "Tty",
                        // what the path says already, and of the client's terminal
                        "Container", "DetachKeys", "ConsoleSize"});
    return spec;
}

void refuse_terminal(const Fields& body) {
    if (body.flag("Tty"))
        throw Error(Code::invalid_argument, "exec with a terminal is not supported by kedge", "leave out -t");
}

std::string running_container(runtime::Containers& containers, const std::string& id) {
    runtime::ContainerInfo info = containers.inspect(id);
    if (info.status != runtime::Status::running)
        throw Error(Code::conflict, "Container " + info.id + " is not running");
    return info.id;
}

/// Runs it to its end; what prevents that is told on the error stream, as Docker does once the head is sent.
int run_and_tell(runtime::Containers& containers, const std::string& id, const runtime::ExecSpec& spec, Writer& writer,
                 Duplex* input, std::stop_token stop) {
    try {
        return run_exec(containers, id, spec, writer, input, stop);
    } catch (const std::exception& error) {
        std::string text = error.what();
        (void)writer.write(frame(StreamKind::err, text + "\n"));
        return text.find("not found") != std::string::npos || text.find("no such file") != std::string::npos ? 127
                                                                                                             : 126;
    }
}

Response create(const Request& request, runtime::Containers& containers, Execs& execs) {
    json text = json_body(request);
    Fields body(text, "");
    refuse_terminal(body);
    Execs::Exec exec;
    exec.spec = read_spec(body);
    exec.attach_in = body.flag("AttachStdin");
    exec.attach_out = body.flag("AttachStdout");
    exec.attach_err = body.flag("AttachStderr");
    exec.container = running_container(containers, request.captures.at("id"));
    return json_reply({{"Id", execs.add(exec)}}, 201);
}

Response start(const Request& request, runtime::Containers& containers, const std::shared_ptr<Execs>& execs) {
    json text = json_body(request);
    Fields body(text, "");
    refuse_terminal(body);
    Execs::Exec exec = execs->begin(request.captures.at("id"));
    if (body.flag("Detach")) {
        execs->run_detached(exec);
        return empty_reply(200);
    }
    std::stop_token stop = request.watch_connection();
    Response response;
    response.content_type = "application/vnd.docker.multiplexed-stream";
    response.take_over = [=, &containers](Duplex& duplex) {
        execs->finish(exec.id, run_and_tell(containers, exec.container, exec.spec, duplex,
                                            exec.attach_in ? &duplex : nullptr, stop));
    };
    return response;
}

Response inspect(const Request& request, const Execs& execs) {
    Execs::Exec exec = execs.get(request.captures.at("id"));
    const auto& arguments = exec.spec.arguments;
    json rest = json::array();
    for (size_t i = 1; i < arguments.size(); ++i) rest.push_back(arguments[i]);
    return json_reply({{"ID", exec.id},
                       {"Running", exec.running},
                       {"ExitCode", exec.exit_code ? json(*exec.exit_code) : json(nullptr)},
                       {"ProcessConfig",
                        {{"tty", false},
                         {"entrypoint", arguments.front()},
                         {"arguments", rest},
                         {"privileged", exec.spec.privileged},
                         {"user", exec.spec.user}}},
                       {"OpenStdin", exec.attach_in},
                       {"OpenStdout", exec.attach_out},
                       {"OpenStderr", exec.attach_err},
                       {"CanRemove", false},
                       {"ContainerID", exec.container},
                       {"DetachKeys", ""},
                       {"Pid", 0}});
}

/// kedge's own: make, run and the exit code in one request.
Response run_now(const Request& request, runtime::Containers& containers) {
    json text = json_body(request);
    Fields body(text, "");
    refuse_terminal(body);
    runtime::ExecSpec spec = read_spec(body);
    std::string id = running_container(containers, request.captures.at("id"));
    std::stop_token stop = request.watch_client();
    Response response;
    response.content_type = "application/vnd.docker.multiplexed-stream";
    response.stream = [=, &containers](Writer& writer) {
        int code = run_and_tell(containers, id, spec, writer, nullptr, stop);
        writer.write(frame(StreamKind::exit_code, std::to_string(code)));
    };
    return response;
}

}  // namespace

void add_exec_routes(Router& router, const Services& services) {
    runtime::Containers& containers = services.engine.containers();
    auto execs = std::make_shared<Execs>(containers);
    router.add("POST", "/containers/{id}/exec",
               [&containers, execs](const Request& r) { return create(r, containers, *execs); });
    router.add("POST", "/exec/{id}/start",
               [&containers, execs](const Request& r) { return start(r, containers, execs); });
    router.add("GET", "/exec/{id}/json", [execs](const Request& r) { return inspect(r, *execs); });
    router.add("POST", "/exec/{id}/resize",
               [](const Request&) { return error_reply(501, "exec resize is not supported by kedge"); });
    router.add("POST", "/kedge/v1/containers/{id}/exec",
               [&containers](const Request& r) { return run_now(r, containers); });
}

}  // namespace kedge::api

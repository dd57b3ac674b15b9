#include "api/execs.h"
#include "api/frames.h"
#include "api/json_body.h"
#include "api/reply.h"
#include "api/routes.h"
#include "api/terminal_size.h"
#include "base/detach_keys.h"
#include "base/error.h"
#include "runtime/engine.h"

#include <tuple>

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
    spec.tty = body.flag("Tty");
    std::tie(spec.rows, spec.columns) = read_console_size(body);
    body.refuse_others({"Cmd", "Env", "User", "WorkingDir", "Privileged", "AttachStdin", "AttachStdout", "AttachStderr",
                        "Tty", "DetachKeys", "ConsoleSize",
                        // what the path says already, and what the start will say
                        "Container", "Detach"});
    return spec;
}

void refuse_paused(const runtime::ContainerInfo& info, const std::string& name) {
    if (info.status != runtime::Status::paused) return;
    throw Error(Code::conflict, "Container " + name + " is paused, unpause the container before exec");
}

std::string running_container(runtime::Containers& containers, const std::string& id) {
    auto info = containers.snapshot(id);
    refuse_paused(*info, id);
    if (info->status != runtime::Status::running)
        throw Error(Code::conflict, "container " + info->id + " is not running");
    return info->id;
}

/// Runs it to its end; what prevents that is told on the error stream, as Docker does once the head is sent.
void run_and_tell(Execs& execs, const Execs::Exec& exec, Duplex& client, std::stop_token stop,
                  const std::function<void(int)>& ended) {
    try {
        execs.run_attached(exec, client, stop, ended);
    } catch (const std::exception& error) {
        std::string text = error.what(), line = text + (exec.spec.tty ? "\r\n" : "\n");
        (void)client.write(exec.spec.tty && !exec.framed ? line : frame(StreamKind::err, line));
        ended(text.find("not found") != std::string::npos || text.find("no such file") != std::string::npos ? 127
                                                                                                            : 126);
    }
}

Execs::Exec read_exec(const Request& request, const Fields& body, runtime::Containers& containers) {
    Execs::Exec exec;
    exec.spec = read_spec(body);
    exec.attach_in = body.flag("AttachStdin");
    exec.attach_out = body.flag("AttachStdout");
    exec.attach_err = body.flag("AttachStderr");
    exec.detach_keys = body.text("DetachKeys");
    (void)DetachKeys(exec.detach_keys);
    exec.container = running_container(containers, request.captures.at("id"));
    return exec;
}

Response create(const Request& request, runtime::Containers& containers, Execs& execs) {
    json text = json_body(request);
    return json_reply({{"Id", execs.add(read_exec(request, Fields(text, ""), containers))}}, 201);
}

/// `finished` is called once the streams and the exit code are known.
Response run_attached(const Request& request, const std::shared_ptr<Execs>& execs, const Execs::Exec& exec,
                      const std::function<void(Duplex&, int exit_code)>& finished) {
    // Whatever keeps it from being run, such as a body that goes on after its end: it doesn't count as running then.
    std::shared_ptr<void> begun(nullptr, [execs, id = exec.id](void*) { execs->abandon(id); });
    std::stop_token stop = request.watch_connection();
    Response response;
    response.content_type = exec.spec.tty && !exec.framed ? "application/vnd.docker.raw-stream"
                                                          : "application/vnd.docker.multiplexed-stream";
    response.take_over = [=, begun = std::move(begun)](Duplex& duplex) {
        run_and_tell(*execs, exec, duplex, stop, [&](int code) {
            execs->finish(exec.id, code);
            finished(duplex, code);
        });
    };
    return response;
}

Response start(const Request& request, const runtime::Containers& containers, const std::shared_ptr<Execs>& execs) {
    json text = json_body(request);
    Fields body(text, "");
    auto [rows, columns] = read_console_size(body);
    const std::string container = execs->get(request.captures.at("id")).container;
    refuse_paused(*containers.snapshot(container), container);
    const bool detach = body.flag("Detach");  // before it begins: what is wrong here must not leave it running
    Execs::Exec exec = execs->begin(request.captures.at("id"));
    if (rows > 0) std::tie(exec.spec.rows, exec.spec.columns) = std::tie(rows, columns);
    if (detach) {
        execs->run_detached(exec);
        return empty_reply(200);
    }
    return run_attached(request, execs, exec, [](Duplex&, int) {});
}

/// All of that in one request, as the `kedge` command does it: the answer's Location is the exec, its output comes in
/// frames also of a terminal, and the last frame tells the exit code.
Response run(const Request& request, runtime::Containers& containers, const std::shared_ptr<Execs>& execs) {
    json text = json_body(request);
    Fields body(text, "");
    Execs::Exec exec = read_exec(request, body, containers);
    exec.framed = true;
    const bool detach = body.flag("Detach");
    exec = execs->begin(execs->add(exec));
    if (detach) {
        execs->run_detached(exec);
        return json_reply({{"Id", exec.id}}, 201);
    }
    Response response = run_attached(request, execs, exec, [](Duplex& client, int exit_code) {
        (void)client.write(frame(StreamKind::exit_code, std::to_string(exit_code)));
    });
    response.headers.emplace_back("Location", "/exec/" + exec.id);
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
                        {{"tty", exec.spec.tty},
                         {"entrypoint", arguments.front()},
                         {"arguments", rest},
                         {"privileged", exec.spec.privileged},
                         {"user", exec.spec.user}}},
                       {"OpenStdin", exec.attach_in},
                       {"OpenStdout", exec.attach_out},
                       {"OpenStderr", exec.attach_err},
                       {"CanRemove", false},
                       {"ContainerID", exec.container},
                       {"DetachKeys", exec.detach_keys},
                       {"Pid", exec.pid}});
}

Response resize(const Request& request, Execs& execs) {
    auto [rows, columns] = terminal_size(request);
    execs.resize(request.captures.at("id"), rows, columns);
    return empty_reply(200);
}

}  // namespace

void add_exec_routes(Router& router, const Services& services) {
    runtime::Containers& containers = services.engine.containers();
    auto execs = std::make_shared<Execs>(containers);
    router.add("POST", "/containers/{id}/exec",
               [&containers, execs](const Request& r) { return create(r, containers, *execs); });
    router.add("POST", "/kedge/v1/containers/{id}/exec",
               [&containers, execs](const Request& r) { return run(r, containers, execs); });
    router.add("POST", "/exec/{id}/start",
               [&containers, execs](const Request& r) { return start(r, containers, execs); });
    router.add("GET", "/exec/{id}/json", [execs](const Request& r) { return inspect(r, *execs); });
    router.add("POST", "/exec/{id}/resize", [execs](const Request& r) { return resize(r, *execs); });
}

}  // namespace kedge::api

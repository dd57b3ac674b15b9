// The files of containers: archive, export, changes, commit.
#include "api/docker_json.h"
#include "api/json_body.h"
#include "api/reply.h"
#include "api/routes.h"
#include "base/error.h"
#include "base/log.h"
#include "base/piped.h"
#include "runtime/container_files.h"
#include "runtime/engine.h"

#include <openssl/evp.h>
#include <sys/stat.h>
#include <nlohmann/json.hpp>

#include <optional>

namespace kedge::api {

using nlohmann::json;

namespace {

/// The file mode as Go's clients read it (io/fs, FileMode).
uint32_t go_mode(mode_t mode) {
    uint32_t result = mode & 0777;
    auto mark = [&](bool is, unsigned bit) {
        if (is) result |= 1u << bit;
    };
    mark(S_ISDIR(mode), 31);
    mark(S_ISLNK(mode), 27);
    mark(S_ISBLK(mode) || S_ISCHR(mode), 26);
    mark(S_ISFIFO(mode), 25);
    mark(S_ISSOCK(mode), 24);
    mark(mode & S_ISUID, 23);
    mark(mode & S_ISGID, 22);
    mark(S_ISCHR(mode), 21);
    mark(mode & S_ISVTX, 20);
    return result;
}

std::string base64(const std::string& text) {
    std::string result(4 * ((text.size() + 2) / 3) + 1, '\0');
    int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(result.data()),
                               reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    result.resize(static_cast<size_t>(size));
    return result;
}

std::pair<std::string, std::string> stat_header(const runtime::FileStat& stat) {
    // The zero time means none elsewhere, but files of 1970 are plenty.
    const std::string changed = stat.mtime == WallTime{} ? "1970-01-01T00:00:00Z" : format_time(stat.mtime);
    json value = {{"name", stat.name},
                  {"size", stat.size},
                  {"mode", go_mode(stat.mode)},
                  {"mtime", changed},
                  {"linkTarget", stat.link_target}};
    return {"X-Docker-Container-Path-Stat", base64(to_text(value))};
}

std::string path_of(const Request& request) {
    std::string path = request.parameter("path");
    if (path.empty()) throw Error(Code::invalid_argument, "bad parameter: path cannot be empty");
    return path;
}

Response archive_stream(const Request& request, runtime::FileArchive archive) {
    Response response;
    response.content_type = "application/x-tar";
    response.stream = [write = std::move(archive.write), stop = request.watch_client(),
                       what = request.path](Writer& writer) {
        try {
            write([&](std::string_view piece) { return writer.write(piece); }, stop);
        } catch (const std::exception& error) {
            const auto* known = dynamic_cast<const Error*>(&error);
            if (!known || known->code() != Code::cancelled) log(LogLevel::warning, what + ": " + error.what());
            writer.break_off();  // a client must not take what it got for all
        }
    };
    return response;
}

Response put_archive(const Request& request, runtime::ContainerFiles& files) {
    runtime::ExtractOptions options;
    options.keep_types = request.flag("noOverwriteDirNonDir");
    options.as_own_user = request.flag("copyUIDGID");
    std::string path = path_of(request);
    std::optional<Piped> body;  // read from when it is known where it goes: the client may wait to be told
    auto open_body = [&] {
        body.emplace([&](const Piped::Write& write) {
            request.read_body([&](std::string_view piece) {
                write(piece);
                return true;
            });
        });
        return body->read_end();
    };
    files.write(request.captures.at("id"), path, open_body, options);
    body->finish();
    return empty_reply(200);
}

Response changes(const Request& request, runtime::ContainerFiles& files) {
    json list = json::array();
    for (const runtime::FileChange& change : files.changes(request.captures.at("id")))
        list.push_back({{"Path", change.path}, {"Kind", static_cast<int>(change.kind)}});
    return json_reply(list.empty() ? json(nullptr) : list);
}

runtime::ImageConfig read_image_config(const Fields& body) {
    runtime::ImageConfig config;
    config.user = body.text("User");
    config.environment = body.texts("Env");
    config.entrypoint = body.texts("Entrypoint");
    config.command = body.texts("Cmd");
    config.working_dir = body.text("WorkingDir");
    config.stop_signal = body.text("StopSignal");
    config.volumes = body.object("Volumes").keys();
    config.exposed_ports = body.object("ExposedPorts").keys();
    config.labels = body.text_map("Labels");
    config.shell = body.texts("Shell");
    config.on_build = body.texts("OnBuild");
    if (body.has("Healthcheck")) config.healthcheck = read_healthcheck(body.object("Healthcheck"));
    body.refuse_others({"User", "Env", "Entrypoint", "Cmd", "WorkingDir", "StopSignal", "Volumes", "ExposedPorts",
                        "Labels", "Shell", "OnBuild", "Healthcheck",
                        // what a container has and an image hasn't
                        "Hostname", "Domainname", "Image", "Tty", "OpenStdin", "StdinOnce", "AttachStdin",
                        "AttachStdout", "AttachStderr", "ArgsEscaped", "MacAddress", "NetworkDisabled", "StopTimeout"});
    return config;
}

Response commit(const Request& request, runtime::ContainerFiles& files) {
    runtime::CommitOptions options;
    options.reference = request.parameter("repo");
    std::string tag = request.parameter("tag");
    if (!options.reference.empty() && !tag.empty()) options.reference += ":" + tag;
    options.author = request.parameter("author");
    options.message = request.parameter("comment");
    options.pause = request.flag("pause", true);
    auto [first, last] = request.query.equal_range("changes");
    for (auto change = first; change != last; ++change) options.changes.push_back(change->second);
    json body = json_body(request);
    options.config = read_image_config(Fields(body, ""));
    runtime::ImageInfo image = files.commit(request.parameter("container"), options, request.watch_client());
    return json_reply({{"Id", image.id.str()}}, 201);
}

}  // namespace

void add_container_file_routes(Router& router, const Services& services) {
    runtime::ContainerFiles& files = services.engine.files();
    router.add("HEAD", "/containers/{id}/archive", [&files](const Request& request) {
        Response response = empty_reply(200);
        response.headers.push_back(stat_header(files.stat(request.captures.at("id"), path_of(request))));
        return response;
    });
    router.add("GET", "/containers/{id}/archive", [&files](const Request& request) {
        runtime::FileArchive archive = files.read(request.captures.at("id"), path_of(request));
        auto header = stat_header(archive.stat);
        Response response = archive_stream(request, std::move(archive));
        response.headers.push_back(std::move(header));
        return response;
    });
    router.add("PUT", "/containers/{id}/archive",
               [&files](const Request& request) { return put_archive(request, files); });
    router.add("GET", "/containers/{id}/export", [&files](const Request& request) {
        return archive_stream(request, files.export_root(request.captures.at("id")));
    });
    router.add("GET", "/containers/{id}/changes", [&files](const Request& request) { return changes(request, files); });
    router.add("POST", "/commit", [&files](const Request& request) { return commit(request, files); });
}

}  // namespace kedge::api

#include "api/docker_json.h"
#include "api/image_platform.h"
#include "api/registry_auth.h"
#include "api/reply.h"
#include "api/routes.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "runtime/engine.h"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <memory>

namespace kedge::api {

using nlohmann::json;

namespace {

/// Streams what `work` reports as lines of JSON; its error becomes the last line, as Docker's clients expect.
Response progress_stream(std::function<void(const std::function<void(const json&)>&)> work) {
    Response response;
    response.stream = [work = std::move(work)](Writer& writer) {
        auto send = [&](const json& line) {
            (void)writer.write(to_text(line) + "\r\n");
        };  // a client that is gone stops the work
        try {
            work(send);
        } catch (const Error& error) {
            json detail = error_json(error);
            detail["code"] = status_of(error);
            send({{"errorDetail", detail}, {"error", error.what()}});
        } catch (const std::exception& error) {
            send({{"errorDetail", {{"message", error.what()}}}, {"error", error.what()}});
        }
    };
    return response;
}

/// The request's body as an unnamed file in the agent's root: an archive's parts are needed in another order than they
/// come.
Fd spool_body(const Request& request, const std::string& folder) {
    Fd file = open_at(AT_FDCWD, folder, O_TMPFILE | O_RDWR, 0600);
    request.read_body([&](std::string_view piece) {
        write_all(file.get(), piece);
        return true;
    });
    if (::lseek(file.get(), 0, SEEK_SET) != 0) throw_errno("spool");
    return file;
}

std::string with_tag(const std::string& name, const std::string& tag) {
    if (tag.empty() || name.empty()) return name;
    return name + (tag.starts_with("sha256:") ? "@" : ":") + tag;
}

Response pull(const Request& request, runtime::Images& images) {
    std::string name = with_tag(request.parameter("fromImage"), request.parameter("tag"));
    runtime::Reference reference = runtime::Reference::parse(name);
    runtime::PullOptions options;
    if (std::string platform = request.parameter("platform"); !platform.empty())
        options.platform = runtime::Platform::parse(platform);
    options.credentials = read_registry_auth(request.header("x-registry-auth"));
    std::stop_token stop = request.watch_client();
    return progress_stream([=, &images](const std::function<void(const json&)>& send) {
        std::optional<Digest> before;
        try {
            before = images.get(name).id;
        } catch (const Error& error) {
            if (error.code() != Code::not_found) throw;
        }
        runtime::ImageInfo info = images.pull(
            name, options, [&](const runtime::Progress& progress) { send(progress_json(progress)); }, stop);
        bool same = before && *before == info.id;
        send({{"status", (same ? "Status: Image is up to date for " : "Status: Downloaded newer image for ") +
                             reference.familiar()}});
    });
}

Response import(const Request& request, const Services& services) {
    std::string source = request.parameter("fromSrc");
    if (source != "-")
        throw Error(Code::invalid_argument, "importing from \"" + source + "\" is not supported by kedge",
                    "send the archive as the request's body");
    runtime::ImportOptions options;
    options.reference = with_tag(request.parameter("repo"), request.parameter("tag"));
    options.message = request.parameter("message");
    auto [first, last] = request.query.equal_range("changes");
    for (auto change = first; change != last; ++change) options.changes.push_back(change->second);
    if (std::string platform = request.parameter("platform"); !platform.empty())
        options.platform = runtime::Platform::parse(platform);
    auto file = std::make_shared<Fd>(spool_body(request, services.engine.options().root));
    std::stop_token stop = request.watch_client();
    return progress_stream([=, &images = services.engine.images()](const std::function<void(const json&)>& send) {
        runtime::ImageInfo info = images.import(
            file->get(), options, [&](const runtime::Progress& p) { send(progress_json(p)); }, stop);
        send({{"status", info.id.str()}});
    });
}

Response load(const Request& request, const Services& services) {
    if (!asked_platforms(request, "platform", 48).empty())
        throw Error(Code::invalid_argument,
                    "platform: is not supported by kedge, which loads what this machine can run");
    auto file = std::make_shared<Fd>(spool_body(request, services.engine.options().root));
    bool quiet = request.flag("quiet");
    std::stop_token stop = request.watch_client();
    return progress_stream([=, &images = services.engine.images()](const std::function<void(const json&)>& send) {
        auto progress = [&](const runtime::Progress& p) {
            if (!quiet) send(progress_json(p));
        };
        for (const runtime::ImageInfo& info : images.load(file->get(), progress, stop)) {
            for (const std::string& tag : info.tags) send({{"stream", "Loaded image: " + tag + "\n"}});
            if (info.tags.empty()) send({{"stream", "Loaded image ID: " + info.id.str() + "\n"}});
        }
    });
}

Response save(const Request& request, runtime::Images& images, const std::vector<std::string>& names) {
    for (const runtime::Platform& platform : asked_platforms(request, "platform", 48)) {
        for (const std::string& name : names) expect_platform(images.get(name), name, platform);
    }
    Response response;
    response.content_type = "application/x-tar";
    std::stop_token stop = request.watch_client();
    response.stream = [archive = images.save(names), stop](Writer& writer) {
        archive([&](std::string_view piece) { return writer.write(piece); }, stop);
    };
    return response;
}

/// `names` is given once for each, or once with commas.
std::vector<std::string> asked_names(const Request& request) {
    std::vector<std::string> names;
    auto [first, last] = request.query.equal_range("names");
    for (auto name = first; name != last; ++name) {
        for (std::string& one : split(name->second, ',')) {
            if (!one.empty()) names.push_back(std::move(one));
        }
    }
    return names;
}

}  // namespace

void add_image_transfer_routes(Router& router, const Services& services) {
    router.add("POST", "/images/create", [&services](const Request& request) {
        if (request.query.contains("fromSrc")) return import(request, services);
        if (request.parameter("fromImage").empty())
            throw Error(Code::invalid_argument, "fromImage or fromSrc must say what to fetch");
        return pull(request, services.engine.images());
    });
    router.add("GET", "/images/get", [&services](const Request& request) {
        return save(request, services.engine.images(), asked_names(request));
    });
    router.add("GET", "/images/{name...}/get", [&services](const Request& request) {
        return save(request, services.engine.images(), {request.captures.at("name")});
    });
    router.add("POST", "/images/load", [&services](const Request& request) { return load(request, services); });
}

}  // namespace kedge::api

#include "base/error.h"
#include "base/fd.h"
#include "cli/format.h"
#include "cli/image_name.h"
#include "cli/image_transfer.h"
#include "cli/progress.h"
#include "cli/session.h"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <unistd.h>

namespace kedge::cli {

using nlohmann::json;

namespace {

/// Hands the lines of JSON that make up a reply to `take`.
Client::Receiver each_message(const std::function<void(const json&)>& take) {
    auto lines = std::make_shared<Lines>([=](const std::string& line) { take(json::parse(line, nullptr, false)); });
    return [lines](std::string_view data) { lines->take(data); };
}

/// An archive on its way to the agent.
class Upload {
public:
    /// `-` is standard input.
    explicit Upload(const std::string& path) : path_(path == "-" ? "standard input" : path) {
        file_ = path == "-" ? Fd(STDIN_FILENO).duplicate() : open_at(AT_FDCWD, path, O_RDONLY);
    }
    std::string_view next() {
        buffer_.resize(256 * 1024);
        ssize_t n = -1;
        do {
            n = ::read(file_.get(), buffer_.data(), buffer_.size());
        } while (n < 0 && errno == EINTR);
        if (n < 0) throw_errno("read " + path_);
        return std::string_view(buffer_).substr(0, static_cast<size_t>(n));
    }

private:
    std::string path_;
    Fd file_;
    std::string buffer_;
};

void set_up_pull(CommandLine line, const std::shared_ptr<Session>& session) {
    struct Options {
        std::string image, platform;
        bool quiet = false;
    };
    auto options = std::make_shared<Options>();
    line.add_option("image", options->image, "NAME[:TAG|@DIGEST]").required();
    line.add_option("--platform", options->platform, "Of another platform than this machine's: linux/arm64");
    line.add_flag("-q,--quiet", options->quiet, "Only the image's name");
    line.refuse_options({"-a,--all-tags", "--disable-content-trust"});
    line.callback([=] {
        ImageName name = ImageName::parse(options->image);
        if (!name.has_tag() && !options->quiet) print("Using default tag: latest\n");
        pull_image(session->client(), name.with_tag(), options->platform, options->quiet, STDOUT_FILENO);
        print(name.full() + "\n");
    });
}

struct ImportOptions {
    std::string source, name, message, platform;
    std::vector<std::string> changes;
};

void import(const Session& session, const ImportOptions& options) {
    if (options.source.find("://") != std::string::npos) {
        throw Error(Code::invalid_argument, "importing from a URL is not supported yet",
                    "fetch it, and import it from standard input (-)");
    }
    std::multimap<std::string, std::string> parameters = {
        {"fromSrc", "-"}, {"repo", options.name}, {"message", options.message}, {"platform", options.platform}};
    for (const std::string& change : options.changes) parameters.emplace("changes", change);
    Upload upload(options.source);
    std::string id;
    // Only the last status, which is the image's id, goes to standard output; the others are for who watches.
    std::optional<ProgressDisplay::Terminal> terminal = terminal_at(STDERR_FILENO);
    ProgressDisplay display(
        [&](std::string_view text) {
            if (terminal) print(text, STDERR_FILENO);
        },
        terminal);
    session.client().upload(
        "/images/create" + query(parameters), [&] { return upload.next(); }, each_message([&](const json& message) {
            std::string status = text_of(message, "status");
            if (status.starts_with("sha256:"))
                id = status;
            else
                display.take(message);
        }));
    if (id.empty()) throw Error(Code::unavailable, "the agent ended before the import did");
    print(id + "\n");
}

void set_up_import(CommandLine line, const std::shared_ptr<Session>& session) {
    auto options = std::make_shared<ImportOptions>();
    line.add_option("file", options->source, "A root file system's tar, compressed or not; - is standard input")
        .required();
    line.add_option("name", options->name, "REPOSITORY[:TAG] of the new image");
    line.add_list("-c,--change", options->changes, "A Dockerfile instruction to apply: 'CMD [\"sh\"]', 'ENV A=b', ...");
    line.add_option("-m,--message", options->message, "What the image's history says");
    line.add_option("--platform", options->platform, "The image's platform, if it isn't this machine's");
    line.callback([=] { import(*session, *options); });
}

void set_up_load(CommandLine line, const std::shared_ptr<Session>& session) {
    struct Options {
        std::string file = "-";
        bool quiet = false;
    };
    auto options = std::make_shared<Options>();
    line.add_option("-i,--input", options->file, "The archive, instead of standard input");
    line.add_flag("-q,--quiet", options->quiet, "No progress");
    line.refuse_options({"--platform"});
    line.callback([=] {
        if (options->file == "-" && ::isatty(STDIN_FILENO) == 1)
            throw Error(Code::invalid_argument, "requested load from stdin, but stdin is empty");
        Upload upload(options->file);
        ProgressDisplay display([](std::string_view text) { print(text); }, terminal_at(STDOUT_FILENO));
        session->client().upload(
            "/images/load" + query({{"quiet", options->quiet ? "1" : ""}}), [&] { return upload.next(); },
            each_message([&](const json& message) { display.take(message); }));
    });
}

}  // namespace

void pull_image(const Client& client, const std::string& name, const std::string& platform, bool quiet, int fd) {
    ProgressDisplay display(
        [&](std::string_view text) {
            if (!quiet) print(text, fd);
        },
        quiet ? std::nullopt : terminal_at(fd));
    client.stream("POST", "/images/create" + query({{"fromImage", name}, {"platform", platform}}), {},
                  each_message([&](const json& message) { display.take(message); }));
}

std::vector<Command> image_transfer_commands() {
    return {
        {"pull", "Fetch an image from a registry",
         "  kedge pull nginx:1.27\n  kedge pull -q registry.example.org/shop/web@sha256:...", set_up_pull},
        {"import", "Make an image from a root file system's tar",
         "  kedge import rootfs.tar.gz shop/base:1\n  kedge import --change 'CMD [\"/app\"]' - shop/web < rootfs.tar",
         set_up_import},
        {"load", "Load images from a docker-archive or OCI archive",
         "  kedge load -i images.tar\n  zcat images.tar.gz | kedge load", set_up_load},
        save_command()};
}

}  // namespace kedge::cli

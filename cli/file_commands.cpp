// The files of containers: cp, export, diff, commit.
#include "base/error.h"
#include "base/fd.h"
#include "base/programs.h"
#include "cli/copy_paths.h"
#include "cli/session.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace kedge::cli {

using nlohmann::json;

namespace {

struct CopyFlags {
    bool archive = false, follow_link = false, quiet = false;
    std::string source, target;
};

/// Ends in another program, which is loaded only for this.
void copy(const Session& session, const CopyFlags& flags, bool quiet_given) {
    CopyArgument source = CopyArgument::parse(flags.source), target = CopyArgument::parse(flags.target);
    if (!source.container.empty() && !target.container.empty())
        throw Error(Code::invalid_argument, "copying between containers is not supported",
                    "kedge cp A:PATH - | kedge cp - B:FOLDER");
    if (source.container.empty() && target.container.empty())
        throw Error(Code::invalid_argument, "must specify at least one container source",
                    "a path in a container is written as CONTAINER:PATH");
    std::string letters = "-";
    if (flags.archive) letters += 'a';
    if (flags.follow_link) letters += 'L';
    if (quiet_given ? flags.quiet : ::isatty(STDOUT_FILENO) != 1) letters += 'q';
    std::string program = find_program("kedge-cp"), socket = socket_path(session.host);
    const char* arguments[] = {program.c_str(),      socket.c_str(),       letters.c_str(),
                               flags.source.c_str(), flags.target.c_str(), nullptr};
    ::execv(program.c_str(), const_cast<char**>(arguments));
    throw_errno(program);
}

void set_up_cp(CommandLine line, const std::shared_ptr<Session>& session) {
    auto flags = std::make_shared<CopyFlags>();
    line.add_flag("-a,--archive", flags->archive, "Into a container: for its user. Out of it: with owners (as root)");
    line.add_flag("-L,--follow-link", flags->follow_link, "If the source is a link, copy what it leads to");
    const Flag quiet =
        line.add_flag("-q,--quiet", flags->quiet, "Don't say how much was copied (the default without a terminal)");
    line.add_option("source", flags->source, "CONTAINER:PATH, or a path here; - is a tar on standard input").required();
    line.add_option("target", flags->target, "The same; - writes a tar to standard output").required();
    line.callback([=] { copy(*session, *flags, quiet.count() > 0); });
}

/// Under another name until it is whole.
void save_to(const std::string& path, const std::function<void(const Client::Receiver&)>& produce) {
    struct stat info {};
    bool special = ::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode);
    if (special && S_ISDIR(info.st_mode))
        throw Error(Code::invalid_argument, "invalid output path: " + path + " is a directory");
    if (!special) expect_folder(path);
    std::string written = special ? path : path + ".part-" + std::to_string(::getpid());
    Fd file = open_at(AT_FDCWD, written, O_WRONLY | (special ? 0 : O_CREAT | O_EXCL), 0600);
    try {
        produce([&](std::string_view piece) { write_all(file.get(), piece); });
        if (!special && ::rename(written.c_str(), path.c_str()) != 0) throw_errno(path);
    } catch (...) {
        if (!special) (void)::unlink(written.c_str());
        throw;
    }
}

void set_up_export(CommandLine line, const std::shared_ptr<Session>& session) {
    struct Options {
        std::string container, output;
    };
    auto options = std::make_shared<Options>();
    line.add_option("-o,--output", options->output, "The file to write, instead of standard output");
    line.add_option("container", options->container, "The container").required();
    line.callback([=] {
        if (options->output.empty() && ::isatty(STDOUT_FILENO) == 1)
            throw Error(Code::invalid_argument, "cowardly refusing to save to a terminal. Use the -o flag or redirect");
        Client client = session->client();
        const std::string url = "/containers/" + escape(options->container) + "/export";
        if (options->output.empty()) return client.stream("GET", url, {}, [](std::string_view piece) { print(piece); });
        save_to(options->output, [&](const Client::Receiver& take) { client.stream("GET", url, {}, take); });
    });
}

struct CommitFlags {
    std::string container, image, author, message;
    std::vector<std::string> changes;
    bool pause = true;
};

void commit(const Session& session, const CommitFlags& flags) {
    std::multimap<std::string, std::string> parameters = {{"container", flags.container},
                                                          {"author", flags.author},
                                                          {"comment", flags.message},
                                                          {"pause", flags.pause ? "1" : "0"}};
    if (!flags.image.empty()) parameters.emplace("repo", flags.image);
    for (const std::string& change : flags.changes) parameters.emplace("changes", change);
    json answer = session.client().post("/commit" + query(parameters));
    print(answer.value("Id", "") + "\n");
}

void set_up_commit(CommandLine line, const std::shared_ptr<Session>& session) {
    auto flags = std::make_shared<CommitFlags>();
    line.add_option("-a,--author", flags->author, "Who made it: 'Jo Doe <jo@example.org>'");
    line.add_list("-c,--change", flags->changes, "A Dockerfile instruction to apply: 'CMD [\"sh\"]', 'ENV A=b', ...");
    line.add_option("-m,--message", flags->message, "What the image's history says");
    line.add_flag("-p,--pause,!--no-pause", flags->pause, "Pause the container meanwhile (default true)");
    line.add_option("container", flags->container, "The container").required();
    line.add_option("image", flags->image, "REPOSITORY[:TAG] of the new image");
    line.callback([=] { commit(*session, *flags); });
}

}  // namespace

void show_changes(const Client& client, const std::string& container, const std::string& format) {
    json changes = client.get("/containers/" + escape(container) + "/changes");
    if (format == "json") return print_json(changes);
    std::string text;
    for (const json& change : changes) {
        constexpr std::string_view kKinds = "CAD";
        size_t kind = change.value("Kind", 0u);
        text += fmt::format("{} {}\n", kind < kKinds.size() ? kKinds[kind] : '?', change.value("Path", ""));
    }
    print(text);
}

Command container_diff_command() {
    return {"diff", "What a container has changed of its image's files (A added, C changed, D deleted)",
            "  kedge container diff web", [](CommandLine line, const std::shared_ptr<Session>& session) {
                auto container = std::make_shared<std::string>();
                line.add_option("container", *container, "The container").required();
                line.callback([=] { show_changes(session->client(), *container, "table"); });
            }};
}

std::vector<Command> file_commands() {
    return {{"cp", "Copy files into a container or out of it",
             "  kedge cp web:/etc/nginx/nginx.conf .\n  kedge cp ./site/. web:/srv/www\n"
             "  kedge cp web:/var/log - | tar t\n  tar c data | kedge cp - web:/srv",
             set_up_cp},
            {"export", "A container's files as a tar, without its volumes",
             "  kedge export -o web.tar web\n  kedge export web | tar t", set_up_export},
            {"commit", "Make an image of a container with what it has changed",
             "  kedge commit web shop/web:debug\n  kedge commit -m 'with tools' -c 'CMD [\"sh\"]' web shop/tools",
             set_up_commit}};
}

}  // namespace kedge::cli

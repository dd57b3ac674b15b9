#include "base/error.h"
#include "base/fd.h"
#include "cli/attached_run.h"
#include "cli/client.h"
#include "cli/dialogue.h"
#include "cli/format.h"
#include "cli/image_name.h"
#include "cli/image_transfer.h"
#include "cli/run_options.h"
#include "cli/session.h"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace kedge::cli {

using nlohmann::json;

namespace {

/// As Docker's: whatever keeps a container from running, but for its program's own exit codes.
constexpr int kCannotRun = 125;

void pull_for(const Client& client, const RunOptions& options) {
    pull_image(client, ImageName::parse(options.image).with_tag(), options.platform, options.quiet, STDERR_FILENO);
}

bool has_image(const Client& client, const std::string& image) {
    try {
        (void)client.get("/images/" + escape(image) + "/json");
        return true;
    } catch (const Error& error) {
        if (error.code() != Code::not_found) throw;
        return false;
    }
}

/// Makes the container, and pulls its image first if need be; its id.
std::string create_container(const Client& client, const RunOptions& options, const json& body) {
    std::string path = "/containers/create" + query({{"name", options.name}, {"platform", options.platform}});
    if (options.pull == "always") pull_for(client, options);
    try {
        return text_of(client.post(path, body), "Id");
    } catch (const Error& error) {
        if (error.code() != Code::not_found || options.pull != "missing") throw;
        // What is missing may also be a network, or the image is there for another platform.
        if (options.platform.empty() && has_image(client, options.image)) throw;
    }
    print("Unable to find image '" + ImageName::parse(options.image).with_tag() + "' locally\n", STDERR_FILENO);
    pull_for(client, options);
    return text_of(client.post(path, body), "Id");
}

/// The file for the id is made before the container, so that the id is not lost.
class IdFile {
public:
    explicit IdFile(const std::string& path) : path_(path) {
        if (path_.empty()) return;
        file_.reset(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
        if (!file_ && errno == EEXIST) {
            throw Error(Code::conflict,
                        "container ID file found, make sure the other container isn't running or delete " + path_);
        }
        if (!file_) throw_errno("create the container ID file " + path_);
    }
    ~IdFile() {
        if (file_ && !written_) (void)::unlink(path_.c_str());  // an empty one helps nobody
    }
    IdFile(const IdFile&) = delete;
    IdFile& operator=(const IdFile&) = delete;
    void write(const std::string& id) {
        if (file_) write_all(file_.get(), id);
        written_ = true;
    }

private:
    std::string path_;
    Fd file_;
    bool written_ = false;
};

std::string create_with_id_file(const Client& client, const RunOptions& options) {
    json body = container_body(options, outside());
    TerminalSize size = options.tty ? terminal_size() : TerminalSize();
    if (size.rows > 0) body["HostConfig"]["ConsoleSize"] = {size.rows, size.columns};
    IdFile file(options.cid_file);
    std::string id = create_container(client, options, body);
    file.write(id);
    return id;
}

void run(Session& session, const RunOptions& options) {
    session.exit_code = 1;
    check_run(options);
    if (!options.detach) check_terminal(options.interactive, options.tty);
    (void)DetachKeys(options.detach_keys);
    session.exit_code = kCannotRun;
    Client client = session.client();
    std::string id = create_with_id_file(client, options);
    if (options.detach) {
        try {
            (void)client.post("/containers/" + id + "/start");
        } catch (const Error& error) {
            session.exit_code = exit_code_of_start(error);
            throw;
        }
        print(id + "\n");
        session.exit_code = 0;
        return;
    }
    Attach streams = attached_streams(options);
    AttachedRun attached;
    attached.in = streams.in && options.interactive;
    attached.out = streams.out;
    attached.err = streams.err;
    attached.tty = options.tty;
    attached.pass_signals = options.sig_proxy;
    attached.detach_keys = options.detach_keys;
    session.exit_code = attached.run(client, id);
}

void set_up_run(CommandLine line, const std::shared_ptr<Session>& session) {
    auto options = std::make_shared<RunOptions>();
    session->exit_code = kCannotRun;  // until there is something better
    add_run_flags(line, *options);
    line.callback([=] {
        session->exit_code = 1;
        take_words(line, *options);
        session->exit_code = kCannotRun;
        run(*session, *options);
    });
}

void set_up_create(CommandLine line, const std::shared_ptr<Session>& session) {
    auto options = std::make_shared<RunOptions>();
    session->exit_code = kCannotRun;
    add_create_flags(line, *options);
    line.callback([=] {
        session->exit_code = 1;
        take_words(line, *options);
        print(create_with_id_file(session->client(), *options) + "\n");
        session->exit_code = 0;
    });
}

}  // namespace

std::vector<Command> run_commands() {
    std::vector<Command> commands = {
        {"run", "Create and start a container, and follow it to its end",
         "  kedge run --rm busybox echo hello\n  kedge run --rm -it alpine sh\n  kedge run -d --name web -p 8080:80 "
         "--restart unless-stopped "
         "nginx:1.27\n"
         "  kedge run --rm -v \"$PWD\":/work -w /work -e MODE=test alpine sh -c 'ls -l'",
         set_up_run},
        {"create", "Create a container without starting it",
         "  kedge create --name job -v data:/data busybox sh -c 'date > /data/last'", set_up_create}};
    commands.push_back(exec_command());
    return commands;
}

}  // namespace kedge::cli

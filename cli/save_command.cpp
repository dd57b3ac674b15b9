#include "base/error.h"
#include "base/fd.h"
#include "cli/session.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

namespace kedge::cli {

namespace {

/// Where the archive goes: under another name until it is whole, so that nothing half of it is left under the one that
/// was asked for.
class Output {
public:
    explicit Output(const std::string& path) : path_(path) {
        struct stat info {};
        const bool is_there = ::stat(path.c_str(), &info) == 0;
        if (is_there && S_ISDIR(info.st_mode))
            throw Error(Code::invalid_argument, "invalid output path: \"" + path + "\" is a directory");
        if (is_there && !S_ISREG(info.st_mode)) {  // a pipe or a device
            file_ = open_at(AT_FDCWD, path, O_WRONLY);
            return;
        }
        expect_folder(path);
        temporary_ = path + ".tmp-" + std::to_string(::getpid());
        file_ = open_at(AT_FDCWD, temporary_, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    }
    ~Output() {
        if (!temporary_.empty()) (void)::unlink(temporary_.c_str());
    }
    Output(const Output&) = delete;
    Output& operator=(const Output&) = delete;

    void write(std::string_view data) { write_all(file_.get(), data); }
    void finish() {
        if (temporary_.empty()) return;
        const mode_t mask = ::umask(0);
        (void)::umask(mask);
        if (::fchmod(file_.get(), 0666 & ~mask) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0)
            throw_errno("write " + path_);
        temporary_.clear();
    }

private:
    std::string path_, temporary_;
    Fd file_;
};

void save(const Session& session, const std::vector<std::string>& images, const std::string& path) {
    if (path.empty() && ::isatty(STDOUT_FILENO) == 1) {
        throw Error(Code::invalid_argument, "cowardly refusing to save to a terminal. Use the -o flag or redirect");
    }
    std::multimap<std::string, std::string> parameters;
    for (const std::string& image : images) parameters.emplace("names", image);
    std::optional<Output> output;
    if (!path.empty()) output.emplace(path);
    session.client().stream("GET", "/images/get" + query(parameters), {},
                            [&](std::string_view data) { output ? output->write(data) : print(data); });
    if (output) output->finish();
}

void set_up_save(CommandLine line, const std::shared_ptr<Session>& session) {
    struct Options {
        std::vector<std::string> images;
        std::string path;
    };
    auto options = std::make_shared<Options>();
    line.add_option("images", options->images, "Names or ids; a name without tag means all its tags").required();
    line.add_option("-o,--output", options->path, "The file, instead of standard output");
    line.refuse_options({"--platform"});
    line.callback([=] { save(*session, options->images, options->path); });
}

}  // namespace

Command save_command() {
    return {"save", "Write images into an archive that load, docker load and skopeo read",
            "  kedge save -o web.tar shop/web:2\n  kedge save shop/web shop/db | gzip > shop.tar.gz", set_up_save};
}

}  // namespace kedge::cli

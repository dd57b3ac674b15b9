#include "sources/git/repository.h"

#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>
#include <git2.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

namespace kedge::sources {

namespace {

Code code_of(int result, const git_error* error) {
    if (result == GIT_EAUTH) return Code::unauthenticated;
    if (result == GIT_ECERTIFICATE) return Code::permission_denied;
    if (result == GIT_ENOTFOUND) return Code::not_found;
    if (result == GIT_EINVALIDSPEC) return Code::invalid_argument;
    std::string text = error && error->message ? error->message : "";
    auto says = [&](const char* words) { return text.find(words) != std::string::npos; };
    if (says("status code: 401") || says("authentication")) return Code::unauthenticated;
    if (says("status code: 403")) return Code::permission_denied;
    if (says("status code: 404") || says("does not appear to be a git repository") || says("failed to resolve path")) {
        return Code::not_found;
    }
    if (says("No space left")) return Code::resource_exhausted;
    switch (error ? error->klass : 0) {
        case GIT_ERROR_NET:
        case GIT_ERROR_SSL:
        case GIT_ERROR_HTTP:
        case GIT_ERROR_SSH:
        case GIT_ERROR_OS: return Code::unavailable;
        case GIT_ERROR_NOMEMORY: return Code::resource_exhausted;
        default: return Code::internal;
    }
}

}  // namespace

void check_git(int result, const std::string& what) {
    if (result >= 0) return;
    const git_error* error = git_error_last();
    std::string reason = error && error->message ? error->message : "error " + std::to_string(result);
    throw Error(code_of(result, error), what + ": " + reason);
}

void check_object(int result, const std::string& what) {
    try {
        check_git(result, what);
    } catch (const Error& e) {
        if (e.code() != Code::not_found) throw;
        throw Error(Code::internal, e.what());
    }
}

void RepositoryCloser::operator()(git_repository* repository) const {
    git_repository_free(repository);
}

Repository open_repository(const std::string& folder, const std::string& name) {
    std::string path = folder + "/" + name;
    git_repository* repository = nullptr;
    int result = git_repository_open_bare(&repository, path.c_str());
    if (result == GIT_ENOTFOUND) {
        check_git(git_repository_init(&repository, path.c_str(), 1), path);
    } else if (result < 0) {
        if (code_of(result, git_error_last()) != Code::internal)
            check_git(result, path);  // no memory, no descriptors: it may be good
        set_repository_aside(folder);
        check_git(git_repository_init(&repository, path.c_str(), 1), path);
    }
    return Repository(repository);
}

void remove_leftovers(const std::string& folder) {
    std::string path = folder + "/repository.git";
    std::error_code error;
    std::vector<std::filesystem::path> leftovers;
    for (std::filesystem::recursive_directory_iterator entry(path, error), end; !error && entry != end;
         entry.increment(error)) {
        bool is_pack_folder = entry->path().parent_path() == path + "/objects/pack";
        bool left = entry->path().extension() == ".lock" ||
                    (is_pack_folder && !entry->path().filename().string().starts_with("pack-"));
        if (left) leftovers.push_back(entry->path());
    }
    for (const auto& leftover : leftovers) std::filesystem::remove(leftover, error);
}

void set_repository_aside(const std::string& folder) {
    std::string path = folder + "/repository.git";
    remove_tree(AT_FDCWD, path + ".damaged");
    rename_durably(AT_FDCWD, path, AT_FDCWD, path + ".damaged");
}

void set_up_libgit2(const GitSettings& settings, const std::string& folder) {
    // libgit2 looks for known_hosts in the home folder and nowhere else, so it gets one.
    std::string home = folder + "/home";
    make_folders(AT_FDCWD, home + "/.ssh", 0700);
    if (!settings.auth.known_hosts_file.empty()) {
        write_file_durably(AT_FDCWD, home + "/.ssh/known_hosts",
                           read_file_at(AT_FDCWD, settings.auth.known_hosts_file));
    }
    if (::setenv("HOME", home.c_str(), 1) != 0) throw_errno("setenv");
    check_git(git_libgit2_init(), "libgit2");
    (void)git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
    (void)git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);  // file:// repositories may belong to anybody
    for (int level : {GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_GLOBAL, GIT_CONFIG_LEVEL_XDG}) {
        (void)git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, "");
    }
    if (!settings.auth.ca_file.empty()) {
        check_git(git_libgit2_opts(GIT_OPT_SET_SSL_CERT_LOCATIONS, settings.auth.ca_file.c_str(), nullptr),
                  settings.auth.ca_file);
    }
}

}  // namespace kedge::sources

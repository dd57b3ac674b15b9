#include "base/error.h"
#include "base/fd.h"
#include "base/loopback.h"
#include "base/secret.h"
#include "sources/git/repository.h"
#include "sources/semver.h"
#include "sources/utf8.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <git2.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

namespace kedge::sources {

namespace {

struct Session {
    const GitSettings& settings;
    const std::function<void()>& alive;
    std::string url;
    bool asked = false;          ///< for credentials, once: libgit2 would ask again for ever
    std::optional<Error> error;  ///< thrown once libgit2, which is C, has returned
};

struct Parts {
    std::string scheme, host;
};

Parts split_url(const std::string& url) {
    Parts parts;
    size_t mark = url.find("://");
    if (mark == std::string::npos) {  // user@host:path
        size_t at = url.find('@'), colon = url.find(':');
        bool scp_form = at != std::string::npos && colon != std::string::npos && at < colon;
        parts.scheme = url.starts_with('/') ? "file" : scp_form ? "ssh" : "";
        if (scp_form) parts.host = url.substr(at + 1, colon - at - 1);
        return parts;
    }
    parts.scheme = url.substr(0, mark);
    std::string authority = url.substr(mark + 3, url.find('/', mark + 3) - mark - 3);
    authority = authority.substr(authority.rfind('@') + 1);
    size_t colon = authority.rfind(':');
    if (colon != std::string::npos && authority.find(']', colon) == std::string::npos) {
        authority.resize(colon);
    }
    parts.host = authority;
    return parts;
}

void check_url(const GitSettings& settings) {
    Parts parts = split_url(settings.url);
    if (parts.scheme == "http") {
        if (!is_loopback(parts.host) && !settings.allow_http) {
            throw Error(Code::invalid_argument, settings.url + ": http is not encrypted",
                        "use https, or set allow_http");
        }
    } else if (parts.scheme != "https" && parts.scheme != "ssh" && parts.scheme != "file") {
        throw Error(Code::invalid_argument, settings.url + ": the scheme \"" + parts.scheme + "\" is not supported",
                    "use https://, ssh:// or file://");
    } else if (parts.scheme == "ssh" && settings.auth.known_hosts_file.empty()) {
        throw Error(Code::invalid_argument, settings.url + ": the host can't be known: known_hosts_file is not set");
    }
}

int give_credentials(git_credential** out, const char*, const char* user_from_url, unsigned allowed, void* payload) {
    auto& session = *static_cast<Session*>(payload);
    const GitAuth& auth = session.settings.auth;
    try {
        std::string user = !auth.username.empty() ? auth.username : user_from_url ? user_from_url : "git";
        if (allowed == GIT_CREDENTIAL_USERNAME) return git_credential_username_new(out, user.c_str());
        if (session.asked) throw Error(Code::unauthenticated, session.url + ": the credentials were refused");
        session.asked = true;
        if ((allowed & GIT_CREDENTIAL_SSH_KEY) && !auth.ssh_key_file.empty()) {
            check_private(auth.ssh_key_file);
            return git_credential_ssh_key_new(out, user.c_str(), nullptr, auth.ssh_key_file.c_str(), nullptr);
        }
        if ((allowed & GIT_CREDENTIAL_USERPASS_PLAINTEXT) && !auth.password_file.empty()) {
            std::string secret = read_secret(auth.password_file);
            return git_credential_userpass_plaintext_new(out, user.c_str(), secret.c_str());
        }
        throw Error(Code::unauthenticated,
                    session.url + ": the repository asks for credentials and none are configured");
    } catch (const Error& e) {
        session.error = e;
        return GIT_EUSER;
    }
}

int check_certificate(git_cert* cert, int valid, const char* host, void* payload) {
    auto& session = *static_cast<Session*>(payload);
    try {
        if (valid) return 0;
        if (cert->cert_type == GIT_CERT_HOSTKEY_LIBSSH2) {
            throw Error(Code::permission_denied,
                        std::string(host) + ": the host's key is not in " + session.settings.auth.known_hosts_file,
                        "add the line that ssh-keyscan prints, once you know that it is right");
        }
        throw Error(Code::permission_denied, std::string(host) + ": the certificate is not trusted",
                    "if it is signed by an authority of your own, name it in ca_file");
    } catch (const Error& e) {
        session.error = e;
        return GIT_ECERTIFICATE;
    }
}

int on_transfer(const git_indexer_progress* progress, void* payload) {
    auto& session = *static_cast<Session*>(payload);
    session.alive();
    // A hostile server could send for ever: what a tree may unpack to, its history may weigh too, eight times over.
    if (static_cast<int64_t>(progress->received_bytes) > session.settings.size_limit * 8) {
        session.error = Error(Code::invalid_argument, session.url + ": the repository is larger than " +
                                                          std::to_string(session.settings.size_limit * 8) + " bytes");
        return GIT_EUSER;
    }
    return 0;
}

int on_sideband(const char*, int, void* payload) {
    static_cast<Session*>(payload)->alive();
    return 0;
}

git_remote_callbacks callbacks_of(Session& session) {
    git_remote_callbacks callbacks = GIT_REMOTE_CALLBACKS_INIT;
    callbacks.credentials = give_credentials;
    callbacks.certificate_check = check_certificate;
    callbacks.transfer_progress = on_transfer;
    callbacks.sideband_progress = on_sideband;
    callbacks.payload = &session;
    return callbacks;
}

void check_session(int result, Session& session) {
    if (result < 0 && session.error) throw *session.error;
    check_git(result, session.url);
}

using Refs = std::map<std::string, git_oid>;

/// The name of the reference that the settings mean, among what the remote has.
std::string choose(const GitSettings& settings, const Refs& refs, git_remote* remote) {
    auto require = [&](const std::string& name, const std::string& what) {
        if (!refs.contains(name)) throw Error(Code::not_found, settings.url + ": there is no " + what);
        return name;
    };
    if (!settings.branch.empty()) return require("refs/heads/" + settings.branch, "branch " + settings.branch);
    if (!settings.tag.empty()) return require("refs/tags/" + settings.tag, "tag " + settings.tag);
    if (!settings.semver.empty()) {
        VersionRange range = VersionRange::parse(settings.semver);
        std::optional<Version> best;
        std::string name;
        for (const auto& [ref, id] : refs) {
            if (!ref.starts_with("refs/tags/") || ref.ends_with("^{}")) continue;
            auto version = Version::parse(std::string_view(ref).substr(10));
            if (version && range.contains(*version) && (!best || *best < *version)) {
                best = version;
                name = ref;
            }
        }
        if (name.empty()) throw Error(Code::not_found, settings.url + ": no tag is in the range " + settings.semver);
        return name;
    }
    git_buf head = GIT_BUF_INIT;
    if (git_remote_default_branch(&head, remote) != 0) {
        throw Error(Code::not_found, settings.url + ": the repository has no default branch: it is empty");
    }
    std::string name(head.ptr, head.size);
    git_buf_dispose(&head);
    return require(name, "branch " + name);
}

Refs list_refs(git_remote* remote, Session& session) {
    const git_remote_head** heads = nullptr;
    size_t count = 0;
    check_session(git_remote_ls(&heads, &count, remote), session);
    Refs refs;
    for (size_t i = 0; i < count; ++i) refs[heads[i]->name] = heads[i]->oid;
    return refs;
}

Commit describe(git_repository* repository, const git_oid& id, const std::string& ref, const std::string& url) {
    git_object* object = nullptr;
    check_git(git_object_lookup(&object, repository, &id, GIT_OBJECT_ANY), url);
    git_object* peeled = nullptr;
    int result = git_object_peel(&peeled, object, GIT_OBJECT_COMMIT);
    git_object_free(object);
    check_git(result, url + ": " + ref + " is no commit");
    auto* commit = reinterpret_cast<git_commit*>(peeled);
    const char* summary = git_commit_summary(commit);
    Commit described{git_oid_tostr_s(git_commit_id(commit)), ref, printable(git_commit_author(commit)->name, 200),
                     printable(summary ? summary : "", 200), from_unix(git_commit_time(commit))};
    git_commit_free(commit);
    return described;
}

bool has_object(git_repository* repository, const git_oid& id) {
    git_odb* odb = nullptr;
    check_git(git_repository_odb(&odb, repository), "object store");
    bool found = git_odb_exists(odb, &id) == 1;
    git_odb_free(odb);
    return found;
}

void download(git_remote* remote, Session& session, std::vector<std::string> refspecs) {
    std::vector<char*> pointers;
    for (std::string& spec : refspecs) pointers.push_back(spec.data());
    git_strarray specs{pointers.data(), pointers.size()};
    git_fetch_options options = GIT_FETCH_OPTIONS_INIT;
    options.callbacks = callbacks_of(session);
    options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
    options.update_fetchhead = 0;
    session.asked = false;  // the connection may be made anew
    check_session(git_remote_fetch(remote, &specs, &options, nullptr), session);
}

}  // namespace

Commit fetch_commit(git_repository* repository, const GitSettings& settings, const std::function<void()>& alive) {
    check_url(settings);
    git_oid wanted{};
    bool by_id = !settings.commit.empty();
    if (by_id && git_oid_fromstr(&wanted, settings.commit.c_str()) != 0) {
        throw Error(Code::invalid_argument, "\"" + settings.commit + "\" is not a commit id of 40 digits");
    }
    if (by_id && has_object(repository, wanted)) return describe(repository, wanted, settings.commit, settings.url);

    Session session{settings, alive, settings.url, false, {}};
    git_remote* made = nullptr;
    check_git(git_remote_create_anonymous(&made, repository, settings.url.c_str()), settings.url);
    std::unique_ptr<git_remote, void (*)(git_remote*)> remote(made, git_remote_free);
    git_remote_callbacks callbacks = callbacks_of(session);
    check_session(git_remote_connect(remote.get(), GIT_DIRECTION_FETCH, &callbacks, nullptr, nullptr), session);
    alive();
    Refs refs = list_refs(remote.get(), session);
    if (by_id) {
        download(remote.get(), session, {"+refs/heads/*:refs/kedge/heads/*", "+refs/tags/*:refs/kedge/tags/*"});
        if (!has_object(repository, wanted)) {
            throw Error(Code::not_found, settings.url + ": no branch or tag has the commit " + settings.commit);
        }
        return describe(repository, wanted, settings.commit, settings.url);
    }
    std::string name = choose(settings, refs, remote.get());
    if (!has_object(repository, refs.at(name))) {
        std::string local = "refs/kedge/" + name.substr(name.find('/') + 1);
        download(remote.get(), session, {"+" + name + ":" + local});
        // The branch may have moved since it was listed: what counts is what came.
        git_oid arrived{};
        check_git(git_reference_name_to_id(&arrived, repository, local.c_str()), settings.url);
        return describe(repository, arrived, name, settings.url);
    }
    return describe(repository, refs.at(name), name, settings.url);
}

}  // namespace kedge::sources

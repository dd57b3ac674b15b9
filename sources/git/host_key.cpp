#include "sources/git/host_key.h"

#include "base/error.h"

#include <git2.h>
#include <libssh2.h>

#include <memory>

namespace kedge::sources {

void check_host_key(const std::string& known_hosts_file, const std::string& host, int port, const git_cert_hostkey& key) {
    if (known_hosts_file.empty()) {
        throw Error(Code::permission_denied, host + ": the host's key can't be checked: no known_hosts_file is configured");
    }
    if (!(key.type & GIT_CERT_SSH_RAW)) throw Error(Code::permission_denied, host + ": the host's key was not shown");

    std::unique_ptr<LIBSSH2_SESSION, int (*)(LIBSSH2_SESSION*)> session(libssh2_session_init(), libssh2_session_free);
    if (!session) throw Error(Code::internal, "libssh2: no memory");
    std::unique_ptr<LIBSSH2_KNOWNHOSTS, void (*)(LIBSSH2_KNOWNHOSTS*)> known(libssh2_knownhost_init(session.get()),
                                                                            libssh2_knownhost_free);
    if (!known || libssh2_knownhost_readfile(known.get(), known_hosts_file.c_str(), LIBSSH2_KNOWNHOST_FILE_OPENSSH) < 0) {
        throw Error(Code::permission_denied, known_hosts_file + " can't be read");
    }
    // -1: the plain name; a port that isn't 22 is looked for as [host]:port.
    int look_up_port = port == 0 || port == 22 ? -1 : port;
    int result = libssh2_knownhost_checkp(known.get(), host.c_str(), look_up_port, key.hostkey, key.hostkey_len,
                                          LIBSSH2_KNOWNHOST_TYPE_PLAIN | LIBSSH2_KNOWNHOST_KEYENC_RAW, nullptr);
    if (result == LIBSSH2_KNOWNHOST_CHECK_MATCH) return;
    if (result == LIBSSH2_KNOWNHOST_CHECK_MISMATCH) {
        throw Error(Code::permission_denied, host + ": the host's key is not the one in " + known_hosts_file,
                    "if the host really has a new key, replace its line there");
    }
    throw Error(Code::permission_denied, host + " is not in " + known_hosts_file);
}

}  // namespace kedge::sources

#pragma once

#include <git2/cert.h>

#include <string>

namespace kedge::sources {

/// Whether the known_hosts file (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT", hashed names too) has exactly this key for the host.
/// `host` as in the url, without port; port 0 means 22. Throws Error (permission_denied) that says what differs.
void check_host_key(const std::string& known_hosts_file, const std::string& host, int port, const git_cert_hostkey& key);

}  // namespace kedge::sources

#pragma once

#include "base/fd.h"

#include <openssl/ssl.h>

#include <memory>
#include <string>

namespace kedge::api {

struct SslFree {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using Ssl = std::unique_ptr<SSL, SslFree>;

/// Makes the handshake on a non-blocking socket, at most ten seconds long or until `end` is readable. False if it
/// failed.
bool shake_hands(SSL* ssl, int socket, int end);

/// The common name of the client's certificate.
std::string common_name(const SSL* ssl);

/// Carries bytes between a TLS connection and a plain socket, each side's end included, until both have ended, one
/// broke off, or `end` is readable. Both sockets are non-blocking.
void relay(SSL* ssl, int socket, int plain, int end);

}  // namespace kedge::api

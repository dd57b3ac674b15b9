#pragma once

#include "api/http_server.h"

#include <memory>
#include <string>
#include <vector>

namespace kedge::api {

/// PEM files of mutual TLS.
struct TlsFiles {
    std::string ca;           ///< who signed the certificates of clients
    std::string certificate;  ///< this server's, with its chain
    std::string key;          ///< readable by its owner only
};

/// Lets clients in by TCP: with TLS 1.2 or newer, and only with a certificate that `ca` signed. Their requests are
/// served by `server`, which outlives this; what they do is noted under the certificate's common name.
class TlsGate {
public:
    /// Throws Error that names a file which is missing, is not what it should be, or may be read by others.
    TlsGate(std::vector<Listener> listeners, const TlsFiles& files, HttpServer& server);
    ~TlsGate();  ///< ends all connections
    TlsGate(const TlsGate&) = delete;
    TlsGate& operator=(const TlsGate&) = delete;

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace kedge::api

// The HTTP front: whatever comes over a connection is read as requests or refused, and every answer is HTTP.

#include "api/connection.h"
#include "api/exchange.h"
#include "api/peer_watch.h"
#include "tests/support/touch_everything.h"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace kedge::api {
namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

Response answer(const Request& request) {
    require(request.path.starts_with("/"));
    return touch_everything(request, 4096);
}

std::string all_of(int socket) {
    std::string text;
    char buffer[4096];
    for (ssize_t n; (n = ::recv(socket, buffer, sizeof buffer, MSG_DONTWAIT)) > 0;)
        text.append(buffer, static_cast<size_t>(n));
    return text;
}

void serve(const char* data, size_t size) {
    static const Fd end(::eventfd(0, EFD_CLOEXEC));
    static PeerWatch watch;
    static const ClientLimits limits;
    int ends[2];
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    Fd client(ends[0]), server(ends[1]);
    require(::send(client.get(), data, size, 0) == static_cast<ssize_t>(size));
    require(::shutdown(client.get(), SHUT_WR) == 0);
    Connection connection(server.get(), end.get(), limits);
    const Serving serving{.watch = watch, .handler = answer, .peer = [] { return Peer{}; }, .taken_over = [] {}};
    while (serve_request(connection, serving).next) {
    }
    std::string received = all_of(client.get());
    require(received.empty() || received.starts_with("HTTP/1.1 "));
}

}  // namespace
}  // namespace kedge::api

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size > 0) kedge::api::serve(reinterpret_cast<const char*>(data), size);
    return 0;
}

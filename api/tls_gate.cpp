#include "api/tls_gate.h"

#include "api/audit.h"
#include "api/tls_relay.h"
#include "base/error.h"
#include "base/log.h"
#include "base/secret.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>

namespace kedge::api {

namespace {

constexpr int kMostConnections = 64;

struct ContextFree {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using Context = std::unique_ptr<SSL_CTX, ContextFree>;

void need(bool well, const std::string& path, const char* what) {
    unsigned long code = ERR_get_error();
    ERR_clear_error();
    if (well) return;
    const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    throw Error(Code::invalid_argument, path + ": is not " + what + (reason ? std::string(": ") + reason : ""));
}

Context make_context(const TlsFiles& files) {
    for (const std::string* path : {&files.ca, &files.certificate}) (void)open_at(AT_FDCWD, *path, O_RDONLY);
    check_private(files.key);
    Context context(SSL_CTX_new(TLS_server_method()));
    if (!context) throw Error(Code::internal, "cannot set up TLS");
    need(SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) == 1, "TLS 1.2", "known");
    need(SSL_CTX_use_certificate_chain_file(context.get(), files.certificate.c_str()) == 1, files.certificate,
         "a certificate in PEM");
    need(SSL_CTX_use_PrivateKey_file(context.get(), files.key.c_str(), SSL_FILETYPE_PEM) == 1, files.key,
         "the certificate's key in PEM");
    need(SSL_CTX_load_verify_locations(context.get(), files.ca.c_str(), nullptr) == 1, files.ca,
         "a certificate in PEM");
    SSL_CTX_set_client_CA_list(context.get(), SSL_load_client_CA_file(files.ca.c_str()));
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return context;
}

}  // namespace

struct TlsGate::State {
    State(std::vector<Listener> from, const TlsFiles& files, HttpServer& to)
        : listeners(std::move(from)), context(make_context(files)), server(to), end(::eventfd(0, EFD_CLOEXEC)) {
        if (!end) throw_errno("eventfd");
    }

    void accept_all(const std::shared_ptr<State>& self);
    void accept_one(const Listener& listener, const std::shared_ptr<State>& self);
    void serve(Fd socket);

    std::vector<Listener> listeners;
    Context context;
    HttpServer& server;
    Fd end;  ///< readable once this ends
    std::thread acceptor;
    std::mutex mutex;
    std::condition_variable changed;
    int connections = 0;
};

void TlsGate::State::accept_all(const std::shared_ptr<State>& self) {
    while (true) {
        {
            std::unique_lock lock(mutex);  // more wait in the backlog
            changed.wait_for(lock, std::chrono::milliseconds(100), [&] { return connections < kMostConnections; });
            if (connections >= kMostConnections) {
                pollfd over{end.get(), POLLIN, 0};
                if (::poll(&over, 1, 0) > 0) return;
                continue;
            }
        }
        std::vector<pollfd> entries = {{end.get(), POLLIN, 0}};
        for (const Listener& listener : listeners) entries.push_back({listener.fd(), POLLIN, 0});
        if (::poll(entries.data(), entries.size(), -1) < 0) {
            if (errno != EINTR) return;
            continue;
        }
        if (entries[0].revents) return;
        for (size_t i = 0; i < listeners.size(); i++)
            if (entries[i + 1].revents) accept_one(listeners[i], self);
    }
}

void TlsGate::State::accept_one(const Listener& listener, const std::shared_ptr<State>& self) {
    Fd socket(::accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) {
        pollfd over{end.get(), POLLIN, 0};
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) ::poll(&over, 1, 50);
        return;
    }
    std::lock_guard lock(mutex);
    try {
        std::thread([self, socket = std::move(socket)]() mutable {
            self->serve(std::move(socket));
            std::lock_guard done(self->mutex);
            --self->connections;
            self->changed.notify_all();
        }).detach();  // counted, and waited for by the destructor
        ++connections;
    } catch (const std::system_error&) {
        // The client is cut off, as it would be by a machine that can't take it.
    }
}

void TlsGate::State::serve(Fd socket) {
    int on = 1;  // a client whose machine is gone is noticed some time
    (void)::setsockopt(socket.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    Ssl ssl(SSL_new(context.get()));
    if (!ssl || SSL_set_fd(ssl.get(), socket.get()) != 1) return;
    if (!shake_hands(ssl.get(), socket.get(), end.get())) {
        ERR_clear_error();
        log(LogLevel::debug, "a client that has no certificate of ours was turned away");
        return;
    }
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return;
    Fd ours(ends[0]);
    server.serve(Fd(ends[1]), Peer{common_name(ssl.get()), -1, 0, "tls"});
    relay(ssl.get(), socket.get(), ours.get(), end.get());
}

TlsGate::TlsGate(std::vector<Listener> listeners, const TlsFiles& files, HttpServer& server)
    : state_(std::make_shared<State>(std::move(listeners), files, server)) {
    state_->acceptor = std::thread([state = state_] { state->accept_all(state); });
}

TlsGate::~TlsGate() {
    uint64_t one = 1;
    (void)!::write(state_->end.get(), &one, sizeof one);  // an eventfd at 0 takes a 1
    state_->acceptor.join();
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [&] { return state_->connections == 0; });
}

}  // namespace kedge::api

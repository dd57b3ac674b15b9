#include "api/http_server.h"

#include "api/connection.h"
#include "api/exchange.h"
#include "api/feed_hub.h"
#include "api/peer_watch.h"
#include "base/error.h"
#include "base/log.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace kedge::api {

namespace {

constexpr std::chrono::seconds kThreadIdle{5};
constexpr size_t kRefusedKept = 16;
constexpr std::chrono::milliseconds kPatience{500};  ///< for a thread to become free
constexpr size_t kWaiting = 1024;                    ///< most are served in less than a millisecond

ClientLimits limits_for(bool untrusted) {
    ClientLimits limits;
    if (untrusted) {
        limits.idle = limits.head = limits.body = limits.stall = std::chrono::seconds(10);
        limits.head_size = 16u << 10;
    }
    return limits;
}

void tell_busy(const Fd& socket) {
    constexpr std::string_view kBody = "{\"message\":\"too many requests are being served\"}\n";
    std::string text =
        "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: " +
        std::to_string(kBody.size()) + "\r\n\r\n";
    text += kBody;
    (void)::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);  // politeness only
    (void)::shutdown(socket.get(), SHUT_WR);
}

}  // namespace

struct HttpServer::State {
    using Time = std::chrono::steady_clock::time_point;

    State(ServerOptions given, Handler handler_)
        : options(given),
          limits(given.limits.value_or(limits_for(given.untrusted))),
          handler(std::move(handler_)),
          end(::eventfd(0, EFD_CLOEXEC)) {
        if (!end) throw_errno("eventfd");
    }

    void accept_from(const std::shared_ptr<State>& self, int listener);
    void hand_over(const std::shared_ptr<State>& self, Fd socket, std::optional<Peer> peer = {});
    void work(const std::shared_ptr<State>& self);
    void serve(const std::shared_ptr<State>& self, Fd socket, const std::optional<Peer>& peer);
    void note_taken_over(const std::shared_ptr<State>& self);
    bool begin_thread(const std::shared_ptr<State>& self);
    int refuse_late();
    size_t most_waiting() const { return options.untrusted ? static_cast<size_t>(options.threads) : kWaiting; }

    const ServerOptions options;
    const ClientLimits limits;
    Handler handler;
    PeerWatch watch;
    std::optional<FeedHub> feeds{std::in_place};
    Fd end;  ///< readable once the server ends

    std::mutex mutex;
    std::condition_variable changed;
    struct Waiting {
        Fd socket;
        Time since;
        std::optional<Peer> peer;  ///< where the socket itself doesn't tell
    };
    std::deque<Waiting> waiting;  ///< oldest first
    std::deque<Fd> refused;       ///< the latest
    int threads = 0;
    int idle = 0;
    int taken_over = 0;  ///< threads whose connection has left HTTP: they keep no request from being served
    bool ending = false;

    std::vector<Listener> listeners;
    std::vector<std::thread> acceptors;
};

/// With the lock held. False if there are enough threads, or the system gives none.
bool HttpServer::State::begin_thread(const std::shared_ptr<State>& self) {
    if (threads - taken_over >= options.threads) return false;
    try {
        std::thread([self] { self->work(self); }).detach();  // counted in `threads`, which the destructor waits for
    } catch (const std::system_error&) {
        return false;
    }
    ++threads;
    return true;
}

void HttpServer::State::hand_over(const std::shared_ptr<State>& self, Fd socket, std::optional<Peer> peer) {
    std::lock_guard lock(mutex);
    if (ending) return;
    // Without a thread for it, it waits: those that have just answered are free in a moment.
    if (idle <= static_cast<int>(waiting.size())) (void)begin_thread(self);
    waiting.push_back({std::move(socket), std::chrono::steady_clock::now(), std::move(peer)});
    changed.notify_one();
}

/// Tells those that waited for a thread too long; milliseconds until it is another's turn, -1: nobody waits.
int HttpServer::State::refuse_late() {
    std::lock_guard lock(mutex);
    while (!waiting.empty()) {
        auto left = std::chrono::ceil<std::chrono::milliseconds>(waiting.front().since + kPatience -
                                                                 std::chrono::steady_clock::now());
        if (left.count() > 0 && waiting.size() <= most_waiting()) return static_cast<int>(left.count());
        tell_busy(waiting.front().socket);
        // Closed at once, it would be reset under a client that still sends its request and has not read the answer.
        refused.push_back(std::move(waiting.front().socket));
        waiting.pop_front();
        if (refused.size() > kRefusedKept) refused.pop_front();
    }
    return -1;
}

void HttpServer::State::work(const std::shared_ptr<State>& self) {
    std::unique_lock lock(mutex);
    while (true) {
        ++idle;
        changed.wait_for(lock, kThreadIdle, [&] { return ending || !waiting.empty(); });
        --idle;
        if (waiting.empty() || ending) break;
        Waiting next = std::move(waiting.front());
        waiting.pop_front();
        lock.unlock();
        serve(self, std::move(next.socket), next.peer);
        lock.lock();
    }
    --threads;
    changed.notify_all();
}

/// There may be a thread for who waits for one.
void HttpServer::State::note_taken_over(const std::shared_ptr<State>& self) {
    std::lock_guard lock(mutex);
    ++taken_over;
    if (idle < static_cast<int>(waiting.size()) && !ending) (void)begin_thread(self);
}

void HttpServer::State::serve(const std::shared_ptr<State>& self, Fd socket, const std::optional<Peer>& peer) {
    bool left_http = false;
    try {
        Connection connection(socket.get(), end.get(), limits);
        const Serving serving{.watch = watch,
                              .handler = handler,
                              .peer = [&] { return peer ? *peer : peer_of(socket.get()); },
                              .taken_over =
                                  [&] {
                                      left_http = true;
                                      note_taken_over(self);
                                  },
                              .last = options.untrusted};
        Served served{.next = true};
        while (served.next) served = serve_request(connection, serving);
        if (served.feed) feeds->add(std::move(socket), served.chunked, served.feed);
    } catch (const std::exception& error) {
        log(LogLevel::error, std::string("connection: ") + error.what());
    }
    if (!left_http) return;
    std::lock_guard lock(mutex);
    --taken_over;
}

void HttpServer::State::accept_from(const std::shared_ptr<State>& self, int listener) {
    pollfd entries[] = {{listener, POLLIN, 0}, {end.get(), POLLIN, 0}};
    while (true) {
        int ready = ::poll(entries, 2, refuse_late());
        if (ready < 0 && errno == EINTR) continue;
        if (ready < 0 || entries[1].revents) return;
        if (ready == 0) continue;
        Fd socket(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
        if (socket) {
            hand_over(self, std::move(socket));
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
            ::poll(entries + 1, 1, 50);  // until some connection ends; the client waits in the backlog
        }
    }
}

void HttpServer::serve(std::vector<Listener> listeners) {
    for (Listener& listener : listeners) serve(std::move(listener));
}

void HttpServer::serve(Listener listener) {
    int fd = listener.fd();
    state_->listeners.push_back(std::move(listener));
    state_->acceptors.emplace_back([state = state_, fd] { state->accept_from(state, fd); });
}

void HttpServer::serve(Fd socket, Peer peer) {
    state_->hand_over(state_, std::move(socket), std::move(peer));
}

HttpServer::HttpServer(ServerOptions options, Handler handler)
    : state_(std::make_shared<State>(options, std::move(handler))) {}

HttpServer::~HttpServer() {
    state_->watch.stop_all();  // before connections end, so that streams know why
    uint64_t one = 1;
    (void)!::write(state_->end.get(), &one, sizeof one);  // an eventfd at 0 takes a 1
    for (std::thread& acceptor : state_->acceptors) acceptor.join();
    for (Listener& listener : state_->listeners) listener.remove_file();
    std::unique_lock lock(state_->mutex);
    state_->ending = true;
    state_->waiting.clear();
    state_->refused.clear();
    state_->changed.notify_all();
    state_->changed.wait(lock, [&] { return state_->threads == 0; });
    // Here, not in whichever thread lets go of the state last: what these use may be gone by then.
    state_->feeds.reset();
    state_->handler = nullptr;
}

}  // namespace kedge::api

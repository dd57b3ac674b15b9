#include "api/http_server.h"

#include "api/connection.h"
#include "api/peer_watch.h"
#include "api/reply.h"
#include "base/error.h"
#include "base/log.h"

#include <nlohmann/json.hpp>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <limits>
#include <mutex>
#include <set>
#include <thread>

namespace kedge::api {

namespace {

constexpr std::chrono::seconds kThreadIdle{5};

/// The connection and what was set aside of the request while httplib handles it on this thread.
struct Current {
    Connection* connection = nullptr;
    PeerWatch* watch = nullptr;
    std::string path;
};
thread_local Current current;

/// httplib's protocol engine without its sockets, threads and (regular expression) routes: every request ends in one handler.
class Protocol : public httplib::Server {
public:
    explicit Protocol(api::Handler handler) : handler_(std::move(handler)) {
        svr_sock_ = 0;  // tells httplib's streams that the server isn't shutting down
        payload_max_length_ = std::numeric_limits<size_t>::max();  // the routes have limits of their own
        auto with_body = [this](const httplib::Request& from, httplib::Response& to,
                                const httplib::ContentReader& reader) { handle(from, to, &reader); };
        auto without = [this](const httplib::Request& from, httplib::Response& to) { handle(from, to, nullptr); };
        Get("/", without);
        Options("/", without);
        Post("/", with_body).Put("/", with_body).Patch("/", with_body).Delete("/", with_body);
    }

    void shut_down() { svr_sock_ = INVALID_SOCKET; }

    bool serve_one(Connection& connection, bool last, bool& closed) {
        return process_request(connection, last, closed, [&](httplib::Request& request) {
            connection.begin_body();
            current.path = std::exchange(request.path, "/");
            // What would make httplib compress, cut or parse by itself.
            for (const char* name : {"Accept-Encoding", "Range"}) request.headers.erase(name);
            request.ranges.clear();
            if (request.is_multipart_form_data()) request.headers.erase("Content-Type");
            bool has_body = request.has_header("Content-Length") || request.has_header("Transfer-Encoding");
            if (has_body && (request.method == "GET" || request.method == "HEAD")) closed = true;  // it stays unread
        });
    }

private:
    void handle(const httplib::Request& from, httplib::Response& to, const httplib::ContentReader* reader);
    api::Handler handler_;
};

class SinkWriter : public Writer {
public:
    explicit SinkWriter(httplib::DataSink& sink) : sink_(sink) {}
    bool write(std::string_view data) override { return data.empty() || sink_.write(data.data(), data.size()); }

private:
    httplib::DataSink& sink_;
};

Request translate(const httplib::Request& from, const httplib::ContentReader* reader) {
    Request request;
    request.method = from.method;
    request.path = current.path;
    request.query.insert(from.params.begin(), from.params.end());
    for (const auto& [name, value] : from.headers) {
        std::string lower = name;
        std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
        request.headers.emplace(std::move(lower), value);
    }
    request.read_body = [reader](const std::function<bool(std::string_view)>& sink) {
        if (!reader) return;
        bool given_up = false;
        bool whole = (*reader)([&](const char* data, size_t size) {
            given_up = !sink({data, size});
            return !given_up;
        });
        if (!whole && !given_up) throw Error(Code::unavailable, "the request's body broke off");
    };
    auto watch = [watch = current.watch, socket = current.connection->socket()](bool half_closed) {
        return watch->watch(socket, half_closed);
    };
    request.watch_client = [watch] { return watch(false); };
    request.watch_connection = [watch] { return watch(true); };
    return request;
}

Response answer(const Handler& handler, const Request& request) {
    try {
        return handler(request);
    } catch (const Error& error) {
        return error_reply(error);
    } catch (const std::exception& error) {
        log(LogLevel::error, request.method + " " + request.path + ": " + error.what());
        return error_reply(Error(Code::internal, error.what()));
    }
}

void upgrade(Connection& connection, const Request& request, const Response& response) {
    std::string type = "Content-Type: " + response.content_type + "\r\n";
    if (request.header("upgrade").empty()) {
        connection.send("HTTP/1.1 200 OK\r\n" + type + "\r\n");
    } else {
        connection.send("HTTP/1.1 101 UPGRADED\r\n" + type + "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
    }
    connection.take_over();
    TakenOver duplex(connection);
    response.take_over(duplex);
}

void Protocol::handle(const httplib::Request& from, httplib::Response& to, const httplib::ContentReader* reader) {
    Request request = translate(from, reader);
    Response response = answer(handler_, request);
    to.status = response.status;
    for (const auto& [name, value] : response.headers) to.set_header(name, value);
    if (response.take_over) {
        upgrade(*current.connection, request, response);
    } else if (response.stream) {
        to.set_chunked_content_provider(response.content_type, [stream = response.stream](size_t, httplib::DataSink& sink) {
            SinkWriter writer(sink);
            stream(writer);
            sink.done();
            return true;
        });
    } else if (!response.body.empty()) {
        to.set_content(response.body, response.content_type);
    }
}

ClientLimits limits_for(bool untrusted) {
    ClientLimits limits;
    if (untrusted) {
        limits.idle = limits.head = limits.body = limits.stall = std::chrono::seconds(10);
        limits.head_size = 16u << 10;
    }
    return limits;
}

}  // namespace

struct HttpServer::State {
    State(ServerOptions given, api::Handler handler)
        : options(given), limits(limits_for(given.untrusted)), protocol(std::move(handler)), end(::eventfd(0, EFD_CLOEXEC)) {
        if (!end) throw_errno("eventfd");
    }

    void accept_from(const Listener& listener);
    void hand_over(const std::shared_ptr<State>& self, Fd socket);
    void work();
    void serve(Fd socket);

    const ServerOptions options;
    const ClientLimits limits;
    Protocol protocol;
    PeerWatch watch;
    Fd end;  ///< readable once the server ends

    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Fd> waiting;
    std::set<int> open;
    int threads = 0;
    int idle = 0;
    bool ending = false;

    std::vector<Listener> listeners;
    std::vector<std::thread> acceptors;
};

void HttpServer::State::hand_over(const std::shared_ptr<State>& self, Fd socket) {
    std::unique_lock lock(mutex);
    if (ending) return;
    if (idle <= static_cast<int>(waiting.size())) {
        if (threads >= options.threads) {
            lock.unlock();
            constexpr std::string_view kBusy =
                "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Type: application/json\r\n"
                "Content-Length: 50\r\n\r\n{\"message\":\"too many requests are being served\"}\r\n";
            (void)::send(socket.get(), kBusy.data(), kBusy.size(), MSG_NOSIGNAL | MSG_DONTWAIT);  // politeness only
            return;
        }
        std::thread([self] { self->work(); }).detach();  // counted in `threads`, which the destructor waits for
        ++threads;
    }
    waiting.push_back(std::move(socket));
    changed.notify_one();
}

void HttpServer::State::work() {
    std::unique_lock lock(mutex);
    while (true) {
        ++idle;
        changed.wait_for(lock, kThreadIdle, [&] { return ending || !waiting.empty(); });
        --idle;
        if (waiting.empty() || ending) break;
        Fd socket = std::move(waiting.front());
        waiting.pop_front();
        open.insert(socket.get());
        lock.unlock();
        serve(std::move(socket));
        lock.lock();
    }
    --threads;
    changed.notify_all();
}

void HttpServer::State::serve(Fd socket) {
    int number = socket.get();
    try {
        Connection connection(number, limits);
        bool closed = options.untrusted;
        do {
            if (!connection.await_request()) break;
            current = Current{&connection, &watch, {}};
            bool understood = protocol.serve_one(connection, options.untrusted, closed);
            watch.forget(number);
            if (!understood || connection.taken_over()) break;
        } while (!closed);
    } catch (const std::exception& error) {
        log(LogLevel::error, std::string("connection: ") + error.what());
    }
    watch.forget(number);
    std::lock_guard lock(mutex);
    open.erase(number);
    socket.reset();  // under the lock: the destructor shuts down what is in `open`
}

void HttpServer::serve(Listener listener) {
    auto& listeners = state_->listeners;
    listeners.push_back(std::move(listener));
    int fd = listeners.back().fd();
    state_->acceptors.emplace_back([state = state_, fd] {
        pollfd entries[] = {{fd, POLLIN, 0}, {state->end.get(), POLLIN, 0}};
        while (true) {
            int ready = ::poll(entries, 2, -1);
            if (ready < 0 && errno == EINTR) continue;
            if (ready < 0 || entries[1].revents) return;
            Fd socket(::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC));
            if (socket) {
                state->hand_over(state, std::move(socket));
            } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
                ::poll(entries + 1, 1, 50);  // until some connection ends; the client waits in the backlog
            }
        }
    });
}

HttpServer::HttpServer(ServerOptions options, Handler handler)
    : state_(std::make_shared<State>(options, std::move(handler))) {}

HttpServer::~HttpServer() {
    uint64_t one = 1;
    (void)!::write(state_->end.get(), &one, sizeof one);  // an eventfd at 0 takes a 1
    for (std::thread& acceptor : state_->acceptors) acceptor.join();
    for (Listener& listener : state_->listeners) listener.remove_file();
    state_->protocol.shut_down();
    state_->watch.stop_all();
    std::unique_lock lock(state_->mutex);
    state_->ending = true;
    state_->waiting.clear();
    for (int socket : state_->open) (void)::shutdown(socket, SHUT_RD);  // ends waiting for requests; answers still go out
    state_->changed.notify_all();
    state_->changed.wait(lock, [&] { return state_->threads == 0; });
}

}  // namespace kedge::api

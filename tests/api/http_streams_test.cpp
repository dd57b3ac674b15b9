#include "api/http_server.h"
#include "api/reply.h"
#include "base/error.h"
#include "tests/api/raw_client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <latch>
#include <thread>

namespace kedge::api {
namespace {

using test::Answer;
using test::RawClient;
using test::request;
using test::TestServer;
using namespace std::chrono_literals;

/// Blocks until the stop is requested; true if that took less than ten seconds.
bool stopped(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::unique_lock lock(mutex);
    (void)changed.wait_for(lock, stop, 10s, [] { return false; });
    return stop.stop_requested();
}

ServerOptions hurried() {
    ServerOptions options;
    ClientLimits limits;
    limits.idle = limits.head = limits.body = limits.stall = 150ms;
    options.limits = limits;
    return options;
}

Response body_of(const Request& request) {
    Response response;
    response.body = request.body();
    return response;
}

TEST(HttpTimes, AHeadThatComesDropByDropIsCutOffAsAWhole) {
    TestServer server(body_of, hurried());
    RawClient client = server.client();
    auto begin = std::chrono::steady_clock::now();
    std::string head = request("GET", "/" + std::string(10'000, 'x'));
    pollfd entry{client.fd(), POLLIN, 0};
    for (char c : head) {
        client.send({&c, 1});
        if (::poll(&entry, 1, 5) > 0) break;  // each byte comes in time, all of them don't
    }
    EXPECT_EQ(client.answer().status, 408);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

TEST(HttpTimes, ABodyThatComesDropByDropIsCutOffAsAWhole) {
    TestServer server(body_of, hurried());
    RawClient client = server.client();
    client.send(request("POST", "/", "", "Content-Length: 10000\r\n"));
    pollfd entry{client.fd(), POLLIN, 0};
    for (int i = 0; i < 1000; ++i) {
        client.send("x");
        if (::poll(&entry, 1, 5) > 0) break;
    }
    EXPECT_EQ(client.answer().status, 503);
    EXPECT_TRUE(client.closed_in_time());
}

TEST(HttpTimes, AnIdleConnectionIsClosedWithoutAWord) {
    TestServer server(body_of, hurried());
    RawClient client = server.client();
    EXPECT_EQ(client.ask(request("GET", "/")).status, 200);
    EXPECT_EQ(client.rest(), "");
}

TEST(HttpTimes, AnUntrustedClientHasOneRequestAConnection) {
    TestServer server(body_of, {.untrusted = true});
    RawClient client = server.client();
    client.send(request("GET", "/") + request("GET", "/"));
    Answer answer = client.answer();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.headers["Connection"], "close");
    EXPECT_EQ(client.rest(), "");
}

TEST(HttpStreams, MoreRequestsThanThreadsAreToldSoAndTheOthersGoOn) {
    std::latch all_there(64);
    std::promise<void> go_on;
    std::shared_future<void> going = go_on.get_future().share();
    TestServer server([&](const Request& request) {
        if (request.path == "/wait") {
            all_there.count_down();
            going.wait();
        }
        return Response{};
    });
    std::vector<RawClient> clients;
    for (int i = 0; i < 64; ++i) {
        clients.push_back(server.client());
        clients.back().send(request("GET", "/wait"));
    }
    all_there.wait();
    for (int i = 0; i < 2; ++i) {
        Answer answer = server.ask(request("GET", "/"));
        EXPECT_EQ(answer.status, 503);
        EXPECT_TRUE(answer.whole);
    }
    go_on.set_value();
    for (RawClient& client : clients) EXPECT_EQ(client.answer().status, 200);
    clients.clear();
    // The threads see their clients leave at some time after that.
    int status = 503;
    for (int i = 0; i < 1000 && status == 503; ++i) status = server.ask(request("GET", "/")).status;
    EXPECT_EQ(status, 200);
}

TEST(HttpStreams, APileOfClientsAtOnceAreAllAnswered) {
    TestServer server(body_of, {.threads = 200});
    std::atomic<int> right = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 100; ++i) {
        threads.emplace_back([&, i] {
            RawClient client = server.client();
            for (int j = 0; j < 20; ++j) {
                std::string body = std::to_string(i * 100 + j) + std::string(static_cast<size_t>(j) * 1000, 'b');
                if (client.ask(request("POST", "/", body)).body == body) ++right;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(right, 2000);
}

TEST(HttpStreams, AStreamLearnsThatItsClientIsGone) {
    std::promise<bool> ended;
    TestServer server([&](const Request& request) {
        std::stop_token stop = request.watch_client();
        Response response;
        response.stream = [&, stop](Writer& writer) {
            writer.write("begun");
            ended.set_value(stopped(stop));
        };
        return response;
    });
    RawClient client = server.client();
    client.send(request("GET", "/"));
    client.until("begun");
    client.hang_up();
    EXPECT_TRUE(ended.get_future().get());
}

TEST(HttpStreams, ASlowReaderGetsAllOfAStreamAndDelaysNobody) {
    constexpr size_t kSize = 8u << 20;
    TestServer server([&](const Request& request) {
        Response response;
        if (request.path != "/large") return response;
        response.stream = [](Writer& writer) {
            std::string piece(10'000, 'x');
            for (size_t sent = 0; sent < kSize; sent += piece.size()) {
                if (!writer.write(piece)) return;
            }
        };
        return response;
    });
    RawClient slow = server.client();
    slow.send(request("GET", "/large"));
    EXPECT_TRUE(slow.receive());
    for (int i = 0; i < 20; ++i) EXPECT_EQ(server.ask(request("GET", "/other")).status, 200);
    Answer answer = slow.answer();
    EXPECT_TRUE(answer.whole);
    EXPECT_GE(answer.body.size(), kSize);
}

TEST(HttpStreams, AReaderThatReadsNothingIsGivenUp) {
    std::promise<void> given_up;
    TestServer server(
        [&](const Request&) {
            Response response;
            response.stream = [&](Writer& writer) {
                while (writer.write(std::string(10'000, 'x'))) {
                }
                EXPECT_FALSE(writer.write("more"));
                given_up.set_value();
            };
            return response;
        },
        hurried());
    RawClient client = server.client();
    client.send(request("GET", "/"));
    EXPECT_EQ(given_up.get_future().wait_for(10s), std::future_status::ready);
}

TEST(HttpStreams, TheServerEndsThoughStreamsAreOpenAndConnectionsIdle) {
    std::atomic<int> ended = 0;
    TestServer server([&](const Request& request) {
        Response response;
        if (request.path == "/idle") return response;
        std::stop_token stop = request.watch_client();
        response.stream = [&, stop](Writer& writer) {
            writer.write("begun");
            EXPECT_TRUE(stopped(stop));
            writer.write("last words");
            ++ended;
        };
        return response;
    });
    std::vector<RawClient> streams, idle;
    for (int i = 0; i < 10; ++i) {
        streams.push_back(server.client());
        streams.back().send(request("GET", "/stream"));
        streams.back().until("begun\r\n");
        idle.push_back(server.client());
        idle.back().ask(request("GET", "/idle"));
    }
    server.end();
    EXPECT_EQ(ended, 10);
    for (RawClient& stream : streams) EXPECT_EQ(stream.rest(), "a\r\nlast words\r\n0\r\n\r\n");
    for (RawClient& connection : idle) EXPECT_EQ(connection.rest(), "");
}

TEST(HttpStreams, TheServerEndsThoughAClientTakesNothingAndAnotherGivesNoBody) {
    std::latch begun(2);
    TestServer server([&](const Request& request) {
        begun.count_down();
        if (request.method == "POST") return body_of(request);
        Response response;
        response.stream = [](Writer& writer) {
            while (writer.write(std::string(10'000, 'x'))) {
            }
        };
        return response;
    });
    RawClient taker = server.client(), giver = server.client();
    taker.send(request("GET", "/"));
    giver.send(request("POST", "/", "", "Content-Length: 10\r\n") + "123");
    begun.wait();
    auto begin = std::chrono::steady_clock::now();
    server.end();
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s)
        << "the ordinary patience with such clients is five minutes";
}

/// Gives back what comes, line by line, until the client sends no more.
Response echo_taken_over(const Request& request) {
    (void)request.body();
    std::stop_token stop = request.watch_connection();
    Response response;
    response.content_type = "application/vnd.docker.raw-stream";
    response.take_over = [stop](Duplex& duplex) {
        char buffer[1000];
        while (size_t n = duplex.read(buffer, sizeof buffer)) duplex.write({buffer, n});
        duplex.write(stop.stop_requested() ? "gone" : "bye");
    };
    return response;
}

TEST(HttpTakeOver, WithAnUpgradeTheConnectionIsSwitchedWithoutOneItIsJustOpen) {
    TestServer server(echo_taken_over);
    RawClient client = server.client();
    client.send(request("POST", "/attach", "{}", "Connection: Upgrade\r\nUpgrade: tcp\r\n") + "early");
    EXPECT_EQ(client.until("\r\n\r\n"),
              "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n"
              "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
    EXPECT_EQ(client.until("early"), "early") << "what was sent with the request is not lost";
    client.send("more");
    EXPECT_EQ(client.until("more"), "more");
    client.end_sending();
    EXPECT_EQ(client.rest(), "bye") << "one who sends no more is still there";

    client = server.client();
    client.send(request("POST", "/attach"));
    EXPECT_EQ(client.until("\r\n\r\n"), "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n");
    client.send(request("GET", "/not-a-request"));
    client.end_sending();
    EXPECT_EQ(client.rest(), request("GET", "/not-a-request") + "bye");
}

TEST(HttpTakeOver, KeepsNoRequestFromBeingServed) {
    TestServer server(
        [](const Request& request) { return request.path == "/attach" ? echo_taken_over(request) : Response{}; },
        {.threads = 2});
    std::vector<RawClient> attached;
    for (int i = 0; i < 20; ++i) {
        attached.push_back(server.client());
        attached.back().send(request("POST", "/attach") + "x");
        EXPECT_TRUE(attached.back().until("x").ends_with("x"));
    }
    EXPECT_EQ(server.ask(request("GET", "/")).status, 200);
    for (RawClient& client : attached) {
        client.end_sending();
        EXPECT_EQ(client.rest(), "bye");
    }
}

TEST(HttpTakeOver, EndsWithTheServer) {
    TestServer server(echo_taken_over);
    RawClient client = server.client();
    client.send(request("POST", "/attach") + "x");
    client.until("x");
    server.end();
    EXPECT_EQ(client.rest(), "gone");
}

}  // namespace
}  // namespace kedge::api

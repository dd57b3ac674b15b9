#include "api/reply.h"
#include "base/callbacks.h"
#include "base/error.h"
#include "tests/api/raw_client.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <filesystem>
#include <thread>
#include <vector>

namespace kedge::api {
namespace {

using test::Answer;
using test::RawClient;
using test::request;
using test::TestServer;

/// A text that grows, and any number of feeds of it.
class Source {
public:
    ~Source() { EXPECT_EQ(feeds, 0) << "every feed ends before what it reads from"; }

    void add(const std::string& text, bool last = false) {
        {
            std::lock_guard lock(mutex_);
            text_ += text;
            over_ = last;
        }
        callbacks_.call(0);
    }

    Response answer(Feed::Time deadline = Feed::Time::max()) {
        Response response;
        response.feed = [this, deadline](std::function<void()> wake) {
            auto feed = std::make_unique<Part>(*this, deadline);
            feed->handle = callbacks_.add(0, std::move(wake));
            return feed;
        };
        return response;
    }

    std::atomic<int> feeds = 0;

private:
    struct Part : Feed {
        Part(Source& source_, Time deadline_) : source(source_), until(deadline_) { ++source.feeds; }
        ~Part() override { --source.feeds; }
        State fill(std::string& out) override {
            std::lock_guard lock(source.mutex_);
            out += source.text_.substr(at, 50'000);
            at += out.size();
            if (at < source.text_.size()) return State::more;
            return source.over_ || std::chrono::steady_clock::now() >= until ? State::ended : State::waiting;
        }
        Time deadline() const override { return until; }

        Callbacks<int>::Handle handle;
        Source& source;
        Time until;
        size_t at = 0;
    };

    std::mutex mutex_;
    std::string text_;
    bool over_ = false;
    Callbacks<int> callbacks_;
};

long threads_of_this() {
    auto tasks = std::filesystem::directory_iterator("/proc/self/task");
    return std::distance(begin(tasks), end(tasks));
}

bool soon(const std::function<bool()>& holds) {
    auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!holds() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    return holds();
}

bool none_left(const Source& source) {
    return soon([&] { return source.feeds == 0; });
}

TEST(FeedHub, FiveHundredAnswersAreSentByOneThread) {
    rlimit files{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &files), 0);
    Source source;
    TestServer server([&](const Request&) { return source.answer(); }, {.threads = 4});
    long before = threads_of_this();
    std::vector<RawClient> clients;
    for (int i = 0; i < 500; ++i) {
        clients.push_back(server.client());
        clients.back().send(request("GET", "/"));
        ASSERT_NE(clients.back().until("\r\n\r\n").find("200 OK"), std::string::npos);
    }
    EXPECT_LE(threads_of_this(), before + 4 + 1);
    source.add("one");
    for (RawClient& client : clients) ASSERT_EQ(client.until("one\r\n"), "3\r\none\r\n");
    source.add("two", true);
    for (RawClient& client : clients) ASSERT_EQ(client.rest(), "3\r\ntwo\r\n0\r\n\r\n");
    EXPECT_TRUE(none_left(source));
}

TEST(FeedHub, ASlowReaderGetsAllOfItAndHoldsNobodyUp) {
    Source source;
    TestServer server([&](const Request&) { return source.answer(); });
    RawClient slow = server.client();
    slow.send(request("GET", "/"));
    ASSERT_TRUE(soon([&] { return source.feeds == 1; }));
    std::string text;
    for (int i = 0; i < 1'000'000; ++i) text += std::to_string(i) + "\n";
    source.add(text, true);
    EXPECT_TRUE(server.ask(request("GET", "/")).body == text) << "while the other has read nothing";
    Answer answer = slow.answer();
    EXPECT_TRUE(answer.whole);
    EXPECT_TRUE(answer.body == text);
}

TEST(FeedHub, AClientThatIsGoneTakesItsFeedWithIt) {
    Source source;
    TestServer server([&](const Request&) { return source.answer(); });
    RawClient stays = server.client(), goes = server.client();
    for (RawClient* client : {&stays, &goes}) {
        client->send(request("GET", "/"));
        ASSERT_NE(client->until("\r\n\r\n"), "");
    }
    ASSERT_TRUE(soon([&] { return source.feeds == 2; }));
    goes.hang_up();
    EXPECT_TRUE(soon([&] { return source.feeds == 1; }));
    source.add("still there", true);
    EXPECT_EQ(stays.rest(), "b\r\nstill there\r\n0\r\n\r\n");
    EXPECT_TRUE(none_left(source));
}

TEST(FeedHub, AFeedIsAskedAtItsTime) {
    Source source;
    TestServer server([&](const Request&) {
        return source.answer(std::chrono::steady_clock::now() + std::chrono::milliseconds(30));
    });
    Answer answer = server.ask(request("GET", "/"));
    EXPECT_TRUE(answer.whole);
    EXPECT_EQ(answer.body, "");
    EXPECT_TRUE(none_left(source));
}

TEST(FeedHub, TheServersEndIsTheEndOfTheAnswer) {
    Source source;
    TestServer server([&](const Request&) { return source.answer(); });
    RawClient client = server.client();
    client.send(request("GET", "/"));
    ASSERT_NE(client.until("\r\n\r\n"), "");
    source.add("one");
    EXPECT_EQ(client.until("one\r\n"), "3\r\none\r\n");
    server.end();
    EXPECT_EQ(source.feeds, 0) << "none outlives the server";
    EXPECT_EQ(client.rest(), "0\r\n\r\n");
}

TEST(FeedHub, WithoutChunksTheAnswerEndsWithTheConnection) {
    Source source;
    source.add("all of it", true);
    TestServer server([&](const Request&) { return source.answer(); });
    Answer answer = server.ask("GET / HTTP/1.0\r\n\r\n");
    EXPECT_FALSE(answer.headers.contains("Transfer-Encoding"));
    EXPECT_EQ(answer.body, "all of it");
    Answer head = server.client().ask("HEAD / HTTP/1.0\r\n\r\n");
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.body, "");
    EXPECT_TRUE(none_left(source));
}

TEST(FeedHub, AFeedThatCanNotBeMadeLeavesTheAnswerUnfinished) {
    TestServer server([&](const Request&) {
        Response response;
        response.feed = [](const std::function<void()>&) -> std::unique_ptr<Feed> {
            throw Error(Code::not_found, "gone");
        };
        return response;
    });
    Answer answer = server.ask(request("GET", "/"));
    EXPECT_EQ(answer.status, 200);
    EXPECT_FALSE(answer.whole);
}

}  // namespace
}  // namespace kedge::api

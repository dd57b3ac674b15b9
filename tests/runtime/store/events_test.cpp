#include "runtime/events.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

namespace kedge::runtime {

namespace {

Event event(const std::string& action) {
    Event e;
    e.type = "container";
    e.action = action;
    return e;
}

std::vector<std::string> read_all(const Events& events, uint64_t from, uint64_t* missed = nullptr) {
    std::vector<std::string> actions;
    (void)events.read(
        from, [&](const Event& e) { actions.push_back(e.action); }, {}, std::chrono::steady_clock::now(), missed);
    return actions;
}

}  // namespace

TEST(Events, ComeInOrderToEveryReader) {
    Events events;
    uint64_t from = events.next();
    auto before = wall_now();
    for (const char* action : {"create", "start", "die"}) events.publish(event(action));
    EXPECT_EQ(read_all(events, from), (std::vector<std::string>{"create", "start", "die"}));
    EXPECT_EQ(read_all(events, from), (std::vector<std::string>{"create", "start", "die"}))
        << "reading takes nothing away";
    EXPECT_EQ(read_all(events, from + 2), std::vector<std::string>{"die"});
    EXPECT_TRUE(read_all(events, events.next()).empty());
    (void)events.read(from, [&](const Event& e) { EXPECT_GE(e.time, before); }, {});
}

TEST(Events, AReaderIsWokenByTheNextOne) {
    Events events;
    auto reader = std::async(std::launch::async, [&] {
        std::string action;
        uint64_t next = events.read(0, [&](const Event& e) { action = e.action; }, {});
        return std::pair(action, next);
    });
    events.publish(event("start"));
    EXPECT_EQ(reader.get(), std::pair(std::string("start"), uint64_t{1}));
}

TEST(Events, ThoseOfCommandsComeWithTheNextOther) {
    Events events;
    auto reader = std::async(std::launch::async, [&] {
        std::vector<std::string> actions;
        for (uint64_t next = 0; next < 2;)
            next = events.read(next, [&](const Event& e) { actions.push_back(e.action); }, {});
        return actions;
    });
    events.publish(event("exec_start: true"));
    events.publish(event("die"));
    EXPECT_EQ(reader.get(), (std::vector<std::string>{"exec_start: true", "die"}));
}

TEST(Events, AReaderEndsAtItsDeadlineOrWhenItIsStopped) {
    Events events;
    auto soon = std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
    EXPECT_EQ(events.read(
                  0, [](const Event&) {}, {}, soon),
              0u);
    EXPECT_GE(std::chrono::steady_clock::now(), soon);
    std::stop_source source;
    auto reader = std::async(std::launch::async, [&, token = source.get_token()] {
        return events.read(
            0, [](const Event&) {}, token);
    });
    source.request_stop();
    EXPECT_EQ(reader.get(), 0u);
}

TEST(Events, ASlowReaderIsToldWhatItMissed) {
    Events events;
    for (int i = 0; i < 5000; ++i) events.publish(event(std::to_string(i)));
    uint64_t missed = 0;
    std::vector<std::string> kept = read_all(events, 0, &missed);
    EXPECT_EQ(missed + kept.size(), 5000u);
    EXPECT_GT(missed, 0u);
    ASSERT_FALSE(kept.empty());
    EXPECT_EQ(kept.front(), std::to_string(missed));
    EXPECT_EQ(kept.back(), "4999");
    (void)read_all(events, 4999, &missed);
    EXPECT_EQ(missed, 0u);
}

TEST(Events, ASinkMayPublish) {
    Events events;
    events.publish(event("one"));
    (void)events.read(0, [&](const Event&) { events.publish(event("two")); }, {});
    EXPECT_EQ(read_all(events, 1), std::vector<std::string>{"two"});
}

TEST(Events, ManyWritersLoseNone) {
    Events events;
    {
        std::vector<std::jthread> writers;
        for (int t = 0; t < 4; ++t) {
            writers.emplace_back([&] {
                for (int i = 0; i < 500; ++i) events.publish(event("x"));
            });
        }
    }
    EXPECT_EQ(read_all(events, 0).size(), 2000u);
}

}  // namespace kedge::runtime

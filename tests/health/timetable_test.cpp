#include "health/timetable.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

using namespace kedge::health;
using namespace std::chrono_literals;

namespace {

SteadyTime soon(std::chrono::milliseconds time = 0ms) {
    return std::chrono::steady_clock::now() + time;
}

/// Counts; waits for a number.
class Counter {
public:
    void add() {
        std::lock_guard lock(mutex_);
        ++count_;
        changed_.notify_all();
    }
    bool wait_for(int count) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, 10s, [&] { return count_ >= count; });
    }
    int count() {
        std::lock_guard lock(mutex_);
        return count_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int count_ = 0;
};

/// A job that hangs until it is stopped.
Timetable::Job hanging(Counter& begun, Counter* ended = nullptr) {
    return [&begun, ended](std::stop_token stop) -> std::optional<SteadyTime> {
        begun.add();
        std::mutex mutex;
        std::unique_lock lock(mutex);
        std::condition_variable_any never;
        never.wait(lock, stop, [] { return false; });
        if (ended) ended->add();
        return {};
    };
}

Timetable::Job once(const std::function<void()>& work) {
    return [work](std::stop_token) -> std::optional<SteadyTime> {
        work();
        return {};
    };
}

}  // namespace

TEST(Timetable, DoesAJobAgainWheneverItSays) {
    Counter done;
    Timetable table(1, 1);
    EXPECT_EQ(table.threads(), 0u) << "no thread without a job";
    table.put("a", soon(), [&, left = 5](std::stop_token) mutable -> std::optional<SteadyTime> {
        done.add();
        if (--left == 0) return {};
        return soon(1ms);
    });
    ASSERT_TRUE(done.wait_for(5));
    table.put("b", soon(), once([&] { done.add(); }));
    ASSERT_TRUE(done.wait_for(6));
    EXPECT_EQ(done.count(), 6) << "it said never";
    EXPECT_EQ(table.threads(), 1u);
}

TEST(Timetable, DoesWhatIsDueFirstFirstAndNothingBeforeItsTime) {
    std::mutex mutex;
    std::vector<std::string> order;
    Counter done;
    auto note = [&](const std::string& name) {
        return once([&, name] {
            std::lock_guard lock(mutex);
            order.push_back(name);
            done.add();
        });
    };
    Timetable table(1, 1);
    SteadyTime begin = soon();
    table.put("never", soon(1h), note("never"));
    table.put("late", begin + 40ms, note("late"));
    table.put("early", begin + 20ms, note("early"));
    ASSERT_TRUE(done.wait_for(2));
    EXPECT_GE(std::chrono::steady_clock::now(), begin + 40ms);
    std::lock_guard lock(mutex);
    EXPECT_EQ(order, (std::vector<std::string>{"early", "late"}));
}

TEST(Timetable, JobsThatHangDoNotKeepOthersFromTheirTime) {
    Counter hung, done;
    Timetable table(2, 16);
    for (int i = 0; i < 15; ++i) table.put("hangs" + std::to_string(i), soon(), hanging(hung));
    ASSERT_TRUE(hung.wait_for(15));
    table.put("well", soon(), once([&] { done.add(); }));
    EXPECT_TRUE(done.wait_for(1));
    EXPECT_EQ(table.threads(), 16u);
}

TEST(Timetable, HasNoMoreThreadsThanItMayAndGoesOnWhenOneIsFree) {
    Counter hung, done;
    Timetable table(1, 3);
    for (int i = 0; i < 3; ++i) table.put("hangs" + std::to_string(i), soon(), hanging(hung));
    ASSERT_TRUE(hung.wait_for(3));
    table.put("waits", soon(), once([&] { done.add(); }));
    EXPECT_EQ(table.threads(), 3u);
    EXPECT_EQ(done.count(), 0);
    table.drop("hangs1");
    EXPECT_TRUE(done.wait_for(1));
    EXPECT_LE(table.threads(), 3u);
}

TEST(Timetable, ThreadsThatAreNotNeededAnyMoreEnd) {
    Counter hung, done;
    Timetable table(1, 16);
    for (int i = 0; i < 8; ++i) table.put("hangs" + std::to_string(i), soon(), hanging(hung));
    ASSERT_TRUE(hung.wait_for(8));
    EXPECT_GE(table.threads(), 8u);
    for (int i = 0; i < 8; ++i) table.drop("hangs" + std::to_string(i));
    // Each job is one more look at how many are left; the last ones to end have nothing that could be waited for.
    for (int i = 1; table.threads() > 2 && i < 100000; ++i) {
        table.put("look", soon(), once([&] { done.add(); }));
        ASSERT_TRUE(done.wait_for(i));
    }
    EXPECT_LE(table.threads(), 2u) << "one idle, and one that does a job";
}

TEST(Timetable, AJobThatIsReplacedIsStoppedAndDoesNotComeBack) {
    Counter begun, ended, done;
    Timetable table(1, 4);
    table.put("a", soon(), [&, job = hanging(begun, &ended)](std::stop_token stop) -> std::optional<SteadyTime> {
        (void)job(stop);
        return soon();  // it says so, but has no place any more
    });
    ASSERT_TRUE(begun.wait_for(1));
    table.put("a", soon(), once([&] { done.add(); }));
    ASSERT_TRUE(ended.wait_for(1));
    ASSERT_TRUE(done.wait_for(1));
    table.put("b", soon(), once([&] { done.add(); }));
    ASSERT_TRUE(done.wait_for(2));
    EXPECT_EQ(begun.count(), 1);
}

TEST(Timetable, WhatIsDroppedBeforeItsTimeIsNeverDone) {
    Counter done;
    std::atomic<bool> wrong = false;
    Timetable table(1, 1);
    table.put("a", soon(10ms), once([&] { wrong = true; }));
    table.drop("a");
    table.drop("nothing");
    table.put("b", soon(20ms), once([&] { done.add(); }));
    ASSERT_TRUE(done.wait_for(1));
    EXPECT_FALSE(wrong);
}

TEST(Timetable, EndsAtOnceWhateverHangs) {
    Counter hung, ended;
    auto begin = std::chrono::steady_clock::now();
    {
        Timetable table(2, 16);
        table.put("later", soon(1h), once([] {}));
        for (int i = 0; i < 5; ++i) table.put("hangs" + std::to_string(i), soon(), hanging(hung, &ended));
        ASSERT_TRUE(hung.wait_for(5));
    }
    EXPECT_EQ(ended.count(), 5);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
}

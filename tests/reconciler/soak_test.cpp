#include "reconciler/soak.h"

#include <gtest/gtest.h>

using namespace kedge;
using namespace kedge::reconciler;
using std::chrono::hours;
using std::chrono::seconds;

namespace {

runtime::ContainerInfo running(WallTime started) {
    runtime::ContainerInfo info;
    info.id = "a";
    info.name = "shop-web-1";
    info.status = runtime::Status::running;
    info.started = started;
    return info;
}

}  // namespace

TEST(SoakTest, TheMonitorTimeIsTheSameWhateverTheMachinesClockIsSetTo) {
    const Soak::Time begin{hours(5)};
    for (WallTime started : {wall_now(), wall_now() + hours(24 * 365), wall_now() - hours(24 * 365), WallTime{}}) {
        Soak soak;
        soak.watch(running(started), 0, begin);
        EXPECT_EQ(soak.judge(running(started), seconds(10), begin).verdict.state, health::State::waiting);
        auto nearly = soak.judge(running(started), seconds(10), begin + seconds(9));
        EXPECT_EQ(nearly.verdict.state, health::State::waiting) << "the clock was set forward and nothing was watched";
        EXPECT_EQ(nearly.due, begin + seconds(10));
        EXPECT_EQ(soak.judge(running(started), seconds(10), begin + seconds(10)).verdict.state, health::State::observed)
            << "the clock was set back and it is watched for ever";
    }
}

TEST(SoakTest, OneThatIsStartedAnewIsWatchedAnewAndOneThatItsPolicyRestartsHasFailed) {
    const Soak::Time begin{hours(5)};
    const WallTime started = wall_now();
    Soak soak;
    soak.watch(running(started), 2, begin);
    runtime::ContainerInfo again = running(started - hours(1));  // the clock was set back meanwhile
    again.restart_count = 2;
    EXPECT_EQ(soak.judge(again, seconds(10), begin + seconds(8)).verdict.state, health::State::waiting);
    EXPECT_EQ(soak.judge(again, seconds(10), begin + seconds(17)).verdict.state, health::State::waiting);
    EXPECT_EQ(soak.judge(again, seconds(10), begin + seconds(18)).verdict.state, health::State::observed);
    again.restart_count = 3;
    EXPECT_EQ(soak.judge(again, seconds(10), begin + seconds(18)).verdict.state, health::State::crashed);
}

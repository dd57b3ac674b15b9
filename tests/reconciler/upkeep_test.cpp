#include "controller_fixture.h"

using namespace kedge;
using namespace kedge::reconciler;
using kedge::test::ControllerFixture;

class UpkeepTest : public ControllerFixture {};

TEST_F(UpkeepTest, WhoUndoesEveryRepairDoesNotKeepTheDeviceBusyForEver) {
    ASSERT_EQ(push(compose("sleep 1000")).state, ReleaseState::good);
    std::string id = id_of("shop-web-1");
    for (int i = 0; i < 10; ++i) {
        containers().stop(id);
        ASSERT_TRUE(wait_until(id, [](const auto& info) { return info.status == runtime::Status::running; })) << i;
        ASSERT_TRUE(wait_for([&] { return controller->status("shop").drift.empty(); }));
    }
    containers().stop(id);
    ASSERT_TRUE(wait_for([&] { return !controller->status("shop").drift.empty(); }));
    for (int i = 0; i < 3; ++i) (void)controller->diff("shop", true);  // the loop goes round
    EXPECT_EQ(containers().inspect(id).status, runtime::Status::exited) << "reverted again at once";
    EXPECT_EQ(controller->status("shop").drift.size(), 1u) << "it is still said";
    EXPECT_EQ(sync().state, ReleaseState::good);
    EXPECT_EQ(containers().inspect(id).status, runtime::Status::running) << "who asks for it gets it at once";
}

TEST_F(UpkeepTest, WhatIsWorthSayingOfTheFilesIsToldByStatusAndDiff) {
    ASSERT_EQ(push("version: \"3\"\n" + compose("sleep 1000")).state, ReleaseState::good);
    auto warnings = controller->status("shop").warnings;
    ASSERT_EQ(warnings.size(), 1u);
    EXPECT_NE(warnings[0].find("version is obsolete"), std::string::npos) << warnings[0];
    EXPECT_EQ(controller->diff("shop", false).warnings, warnings);
    push(compose("sleep 1000"));
    EXPECT_TRUE(controller->status("shop").warnings.empty());
}

TEST_F(UpkeepTest, ASyncThatMadeNoReleaseIsNotTheCauseOfALaterOne) {
    ASSERT_EQ(push(compose("sleep 1000")).state, ReleaseState::good);
    EXPECT_EQ(sync().number, 1);
    repository->commit({{"compose.yaml", compose("sleep 2000")}});
    controller->wake("fleet");
    ASSERT_TRUE(wait_for([&] {
        return controller->history("shop").front().number == 2 &&
               controller->history("shop").front().state == ReleaseState::good;
    }));
    EXPECT_EQ(controller->history("shop").front().cause, "commit");
    repository->commit({{"compose.yaml", compose("sleep 3000")}});
    EXPECT_EQ(sync().cause, "sync");
}

TEST_F(UpkeepTest, AnAnonymousVolumeGoesWithTheLastContainerThatHasIt) {
    std::string volume = "    volumes: [\"/cache\"]\n",
                other = "  other: {image: busybox, command: [sleep, \"1000\"], stop_grace_period: 0s}\n";
    ASSERT_EQ(push(compose("sleep 1000", volume + other)).state, ReleaseState::good);
    ASSERT_EQ(engine->volumes().list().size(), 1u);
    std::string name = engine->volumes().list()[0].spec.name;
    ASSERT_EQ(push(compose("sleep 2000", volume + other)).state, ReleaseState::good);
    ASSERT_TRUE(wait_for([&] { return containers().list().size() == 2; }));
    ASSERT_EQ(engine->volumes().list().size(), 1u) << "its successor goes on with it";
    EXPECT_EQ(containers().inspect("shop-web-1").mounts.at(0).source, name);
    EXPECT_EQ(push(compose("exit 3", volume + "    labels: {a: b}\n" + other)).state, ReleaseState::rolled_back);
    EXPECT_EQ(engine->volumes().list().size(), 1u) << "going back takes nothing away";
    ASSERT_EQ(push("name: shop\nservices:\n" + other).state, ReleaseState::good);
    EXPECT_TRUE(wait_for([&] { return engine->volumes().list().empty(); }));
}

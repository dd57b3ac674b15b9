#include "controller_fixture.h"

using namespace kedge;
using namespace kedge::reconciler;
using kedge::test::ControllerFixture;

class UpkeepTest : public ControllerFixture {};

TEST_F(UpkeepTest, WhatIsWorthSayingOfTheFilesIsToldByStatusAndDiff) {
    ASSERT_EQ(push("version: \"3\"\n" + compose("sleep 1000")).state, ReleaseState::good);
    auto warnings = controller->status("shop").warnings;
    ASSERT_EQ(warnings.size(), 1u);
    EXPECT_NE(warnings[0].find("version is obsolete"), std::string::npos) << warnings[0];
    EXPECT_EQ(controller->diff("shop", false).warnings, warnings);
    push(compose("sleep 1000"));
    EXPECT_TRUE(controller->status("shop").warnings.empty());
}

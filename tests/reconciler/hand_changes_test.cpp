#include "machine.h"

#include <gtest/gtest.h>

namespace kedge::reconciler::test {
namespace {

struct HandChanges : testing::Test {
    HandChanges() {
        sources::Service web = service("web", 1);
        web.mem_limit = 64 << 20;
        wanted = target({web}, 1);
        machine.settle(wanted);
        id = container().info.id.substr(0, 12);
    }
    ObservedContainer& container() { return machine.named("shop-web-1"); }
    Plan planned(bool going_back = false, Policy::Drift drift = Policy::Drift::revert) {
        Policy policy;
        policy.drift = drift;
        return machine.plan_for(wanted, going_back, policy);
    }
    Target wanted;
    Machine machine;
    std::string id;
};

}  // namespace

TEST_F(HandChanges, APausedContainerGoesOnWithoutARestart) {
    container().info.status = runtime::Status::paused;
    Plan plan = planned();
    EXPECT_EQ(lines(plan), std::vector<std::string>{"unpause container " + id + " of web"});
    EXPECT_EQ(plan.steps.at(0).reason, "was paused by hand");
    EXPECT_EQ(lines(planned(false, Policy::Drift::report)), std::vector<std::string>());
    EXPECT_EQ(lines(planned(true, Policy::Drift::report)).size(), 1u) << "going back brings all of it back";
    machine.apply(plan);
    EXPECT_EQ(lines(planned()), std::vector<std::string>());
}

TEST_F(HandChanges, LimitsAreTheServicesAgainInTheContainerThatRuns) {
    container().info.spec.resources.memory = 128 << 20;
    container().info.spec.resources.pids_limit = 5;
    Plan plan = planned();
    EXPECT_EQ(lines(plan), std::vector<std::string>{"put the limits of container " + id + " of web back"});
    EXPECT_EQ(plan.steps.at(0).reason, "its limits were changed by hand");
    EXPECT_EQ(lines(planned(false, Policy::Drift::report)), std::vector<std::string>());
    machine.apply(plan);
    EXPECT_EQ(container().info.spec.resources.memory, 64 << 20);
    EXPECT_EQ(container().info.spec.resources.pids_limit, 0);
    EXPECT_EQ(lines(planned()), std::vector<std::string>());
}

TEST_F(HandChanges, ARestartPolicyIsTheServicesAgain) {
    container().info.spec.restart.name = runtime::RestartPolicy::Name::no;
    Plan plan = planned();
    ASSERT_EQ(plan.steps.size(), 1u);
    EXPECT_EQ(plan.steps.at(0).reason, "its restart policy was changed by hand");
    EXPECT_EQ(kind(plan.steps.at(0).action), "update_container");
    machine.apply(plan);
    EXPECT_EQ(container().info.spec.restart.name, runtime::RestartPolicy::Name::always);
}

TEST_F(HandChanges, APausedContainerIsReplacedLikeAnyOther) {
    container().info.status = runtime::Status::paused;
    wanted = target({service("web", 2)}, 2);
    machine.apply(planned());
    EXPECT_EQ(container().info.status, runtime::Status::running);
    EXPECT_EQ(lines(planned()), std::vector<std::string>());
}

}  // namespace kedge::reconciler::test

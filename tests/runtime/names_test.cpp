#include "tests/runtime/engine_fixture.h"

namespace kedge::test {

class NamesOfContainers : public EngineFixture {};

TEST_F(NamesOfContainers, ANewNameLeadsToARunningContainerAndTheOldOneNowhere) {
    make_network("front");
    runtime::ContainerSpec spec = shell("sleep 60", "before");
    spec.networks = {on("front", {"service"})};
    std::string id = run(spec);
    spec.name = "asker";
    spec.networks = {on("front")};
    std::string asker = run(spec);
    EXPECT_EQ(exec(asker, "nslookup before").exit_code, 0);
    containers().rename(id, "after");
    EXPECT_EQ(exec(asker, "nslookup after").exit_code, 0);
    EXPECT_NE(exec(asker, "nslookup before").exit_code, 0);
    EXPECT_EQ(exec(asker, "nslookup service").exit_code, 0);
    std::string stopped = containers().create(shell("true", "stopped"));
    EXPECT_NO_THROW(containers().rename(stopped, "before")) << "of one that is on no network";
}

TEST_F(NamesOfContainers, WhatIsNotInForceIsSaidByTheContainer) {
    runtime::ContainerSpec spec = shell("true", "plain");
    std::string plain = containers().create(spec);
    EXPECT_TRUE(containers().inspect(plain).warnings.empty());
    spec.name = "confined";
    spec.security_opt = {"apparmor=strict"};
    std::string confined = containers().create(spec);
    ASSERT_EQ(containers().inspect(confined).warnings.size(), 1u);
    EXPECT_NE(containers().inspect(confined).warnings[0].find("apparmor is not in force"), std::string::npos);
    for (const std::string& id : {plain, confined}) {
        containers().start(id);
        (void)containers().wait(id);
    }
    EXPECT_TRUE(containers().inspect(plain).warnings.empty());
    close_engine();
    open_engine();
    EXPECT_EQ(containers().inspect("confined").warnings.size(), 1u) << "known to the next agent too";
}

}  // namespace kedge::test

#include "compose_testing.h"

using namespace kedge;
using namespace kedge::sources;

TEST_F(ComposeTest, WhatGoingBackDoesNotHonourIsRefusedByName) {
    UpdateConfig config =
        service("deploy: {rollback_config: {parallelism: 2, delay: 1s, order: start-first}}").rollback_config;
    EXPECT_EQ(config.parallelism, 2);
    EXPECT_EQ(config.delay, std::chrono::seconds(1));
    EXPECT_EQ(config.order, "start-first");
    for (const char* key : {"monitor: 5s", "max_failure_ratio: 0.5", "failure_action: pause"}) {
        std::string name(key, std::string_view(key).find(':'));
        std::string message = service_error("deploy: {rollback_config: {" + std::string(key) + "}}");
        EXPECT_NE(message.find("rollback_config." + name + ": is not supported yet"), std::string::npos) << message;
        EXPECT_EQ(service_error("deploy: {update_config: {" + std::string(key) + "}}"), "");
    }
}

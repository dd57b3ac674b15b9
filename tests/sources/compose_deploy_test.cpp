#include "tests/sources/compose_testing.h"

using namespace kedge;
using namespace kedge::sources;
using namespace std::chrono_literals;

using ComposeDeployTest = ComposeTest;

TEST_F(ComposeDeployTest, UpdateAndRollbackAreReadWhole) {
    Service s = service(R"(deploy:
  mode: replicated
  replicas: 3
  update_config: {parallelism: 2, delay: 10s, failure_action: continue, monitor: 1m, max_failure_ratio: 0.25, order: start-first}
  rollback_config: {parallelism: 0, delay: 1s, order: start-first})");
    EXPECT_EQ(s.replicas, 3);
    EXPECT_EQ(s.update_config, (UpdateConfig{2, 10s, "continue", 60s, 0.25, "start-first"}));
    EXPECT_EQ(s.rollback_config, (UpdateConfig{0, 1s, "pause", 0s, 0, "start-first"}));
    EXPECT_EQ(service("deploy: {update_config: {failure_action: pause}}").update_config,
              (UpdateConfig{1, 0s, "pause", 0s, 0, "stop-first"}));
    EXPECT_EQ(service("deploy: {update_config: {failure_action: rollback}}").update_config.failure_action, "rollback");
    EXPECT_EQ(service("deploy: {replicas: 0}").replicas, 0);
    EXPECT_EQ(service("deploy: {}"), service(""));
    EXPECT_EQ(service("deploy:"), service(""));
}

TEST_F(ComposeDeployTest, ResourcesFillTheSameFieldsAsTheKeysBesideDeploy) {
    Service s =
        service("deploy: {resources: {limits: {cpus: '0.5', memory: 64m, pids: 10}, reservations: {memory: 32m}}}");
    EXPECT_EQ(s, service("cpus: 0.5\nmem_limit: 64m\npids_limit: 10\nmem_reservation: 32m"));
    EXPECT_EQ(service("mem_limit: 64m\ndeploy: {resources: {limits: {memory: 65536k}}}"), service("mem_limit: 64m"))
        << "the same said twice";
    expect_service_errors({
        {"mem_limit: 32m\ndeploy: {resources: {limits: {memory: 64m}}}",
         "5: services.web.deploy.resources.limits.memory: can't set distinct values on 'mem_limit' and "
         "'deploy.resources.limits.memory'"},
        {"cpus: 1\ndeploy: {resources: {limits: {cpus: 2}}}",
         "5: services.web.deploy.resources.limits.cpus: can't set distinct values on 'cpus' and "
         "'deploy.resources.limits.cpus'"},
        {"pids_limit: 1\ndeploy: {resources: {limits: {pids: 2}}}",
         "5: services.web.deploy.resources.limits.pids: can't set distinct values on 'pids_limit' and "
         "'deploy.resources.limits.pids'"},
        {"mem_reservation: 1m\ndeploy: {resources: {reservations: {memory: 2m}}}",
         "5: services.web.deploy.resources.reservations.memory: can't set distinct values on 'mem_reservation' and "
         "'deploy.resources.reservations.memory'"},
        {"scale: 2\ndeploy: {replicas: 3}",
         "5: services.web.deploy.replicas: can't set distinct values on 'scale' and 'deploy.replicas'"},
        {"scale: 1\ndeploy: {replicas: 3}",
         "5: services.web.deploy.replicas: can't set distinct values on 'scale' and 'deploy.replicas'"},
    });
    EXPECT_EQ(service("scale: 3\ndeploy: {replicas: 3}").replicas, 3);
}

TEST_F(ComposeDeployTest, ARestartPolicyThereGoesBeforeRestart) {
    auto restart = [&](const std::string& policy) {
        return service("restart: unless-stopped\ndeploy: {restart_policy: " + policy + "}").restart;
    };
    EXPECT_EQ(restart("{condition: none}"), "no");
    EXPECT_EQ(restart("{condition: any}"), "always");
    EXPECT_EQ(restart("{}"), "always");
    EXPECT_EQ(restart("{condition: on-failure}"), "on-failure");
    EXPECT_EQ(restart("{condition: on-failure, max_attempts: 3}"), "on-failure:3");
    EXPECT_EQ(restart(""), "unless-stopped");
}

TEST_F(ComposeDeployTest, WhatDeployCantBeIsNamed) {
    expect_service_errors({
        {"deploy: [a]", "4: services.web.deploy: must be a mapping"},
        {"deploy: {mode: global}", "4: services.web.deploy.mode: the mode \"global\" is not supported yet"},
        {"deploy: {mode: 5}", "4: services.web.deploy.mode: must be a string"},
        {"deploy: {replicas: many}", "4: services.web.deploy.replicas: \"many\" is not a whole number"},
        {"deploy: {replicas: -1}", "4: services.web.deploy.replicas: -1 is not between 0 and 1000"},
        {"deploy: {labels: a}", "4: services.web.deploy.labels: must be a mapping or a list of NAME=value"},
        {"deploy: {update_config: a}", "4: services.web.deploy.update_config: must be a mapping"},
        {"deploy: {update_config: {parallelism: -1}}",
         "4: services.web.deploy.update_config.parallelism: -1 is not between 0 and 1000"},
        {"deploy: {update_config: {delay: 5}}", "4: services.web.deploy.update_config.delay: must be a string"},
        {"deploy: {update_config: {failure_action: panic}}",
         "4: services.web.deploy.update_config.failure_action: \"panic\" is not one of rollback, pause, continue"},
        {"deploy: {update_config: {monitor: soon}}",
         "4: services.web.deploy.update_config.monitor: \"soon\" is not a duration"},
        {"deploy: {update_config: {max_failure_ratio: 2}}",
         "4: services.web.deploy.update_config.max_failure_ratio: 2 is not between 0 and 1"},
        {"deploy: {update_config: {order: any}}",
         "4: services.web.deploy.update_config.order: \"any\" is not one of stop-first, start-first"},
        {"deploy: {resources: {limits: a}}", "4: services.web.deploy.resources.limits: must be a mapping"},
        {"deploy: {resources: {limits: {cpus: a}}}",
         "4: services.web.deploy.resources.limits.cpus: \"a\" is not a number"},
        {"deploy: {resources: {limits: {memory: a}}}",
         "4: services.web.deploy.resources.limits.memory: \"a\" is not a size"},
        {"deploy: {resources: {limits: {memory: 1m}}}", "4: services.web.deploy: the memory limit is less than 6m"},
        {"deploy: {resources: {limits: {pids: a}}}",
         "4: services.web.deploy.resources.limits.pids: \"a\" is not a whole number"},
        {"deploy: {resources: {limits: {memory: 64m}, reservations: {memory: 128m}}}",
         "4: services.web.deploy: the memory reservation is above the limit"},
        {"deploy: {restart_policy: always}", "4: services.web.deploy.restart_policy: must be a mapping"},
        {"deploy: {restart_policy: {condition: always}}",
         "4: services.web.deploy.restart_policy.condition: \"always\" is not one of none, on-failure, any"},
        {"deploy: {restart_policy: {condition: any, max_attempts: 3}}",
         "4: services.web.deploy.restart_policy.max_attempts: is supported with the condition on-failure only"},
    });
}

TEST_F(ComposeDeployTest, LabelsOfTheServiceAreSaidToGoNowhere) {
    EXPECT_EQ(load("services:\n  web:\n    image: app\n    deploy: {labels: [a=b]}\n").warnings,
              std::vector<std::string>{"compose.yaml:4: services.web.deploy.labels: labels of a service that no "
                                       "container gets; use labels beside image for those"});
}

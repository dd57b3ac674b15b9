#include "machine.h"

#include "base/error.h"
#include "reconciler/labels.h"

#include <gtest/gtest.h>

#include <functional>

using namespace kedge;
using namespace kedge::reconciler;
using namespace kedge::reconciler::test;
using Lines = std::vector<std::string>;

namespace {

sources::Service with(sources::Service s, const std::function<void(sources::Service&)>& change) {
    change(s);
    return s;
}

std::string id_of(Machine& m, const std::string& name) {
    return m.named(name).info.id.substr(0, 12);
}

std::string reason_of(const Plan& plan, const std::string& line) {
    for (const Step& step : plan.steps) {
        if (describe(step.action) == line) return step.reason;
    }
    return "no such step: " + line;
}

const sources::Healthcheck kCheck{{"CMD", "true"}, {}, {}, {}, {}, 0, false};

}  // namespace

TEST(Plan, AFirstReleaseMakesNetworksThenServicesInTheOrderOfTheirDependencies) {
    sources::Service web = with(service("app"), [](auto& s) {
        s.depends_on = {{"db", "service_healthy", false, true}};
    });
    sources::Service db = with(service("db"), [](auto& s) { s.healthcheck = kCheck; });
    Machine m;
    EXPECT_EQ(lines(m.plan_for(target({web, db}))),
              (Lines{"create network shop_default", "create container shop-db-1", "start container shop-db-1",
                     "wait until db is healthy", "create container shop-app-1", "start container shop-app-1"}));
}

TEST(Plan, WhatFitsIsKept) {
    Machine m;
    m.settle(target({service("web")}));
    Target newer = target({service("web")}, 2);
    EXPECT_EQ(lines(m.plan_for(newer)), Lines{}) << "another commit that changes nothing of the service";
}

TEST(Plan, ANewImageReplacesTheContainerAndSaysFromWhichToWhich) {
    Machine m;
    m.settle(target({service("web", 1)}));
    std::string old = id_of(m, "shop-web-1");
    Plan p = m.plan_for(target({service("web", 2)}, 2));
    std::string retire = "stop container " + old + " of web and keep it as " + old + "_shop-web-1";
    EXPECT_EQ(lines(p), (Lines{retire, "create container shop-web-1", "start container shop-web-1"}));
    EXPECT_EQ(reason_of(p, retire), "image changed from sha256:" + image(1).hex().substr(0, 12) +
                                        "… to sha256:" + image(2).hex().substr(0, 12) + "…");
}

TEST(Plan, AChangedVariableIsNamedWithItsValuesUnlessItLooksSecret) {
    Machine m;
    m.settle(target({with(service("web"), [](auto& s) { s.environment = {{"MODE", "a"}, {"DB_PASSWORD", "old"}}; })}));
    Plan p = m.plan_for(target({with(service("web"),
                                     [](auto& s) {
                                         s.environment = {{"MODE", "b"}, {"DB_PASSWORD", "new"}};
                                     })},
                               2));
    EXPECT_EQ(reason_of(p, "create container shop-web-1"),
              "environment DB_PASSWORD changed; environment MODE changed from \"a\" to \"b\"");
}

TEST(Plan, AChangedFileOfTheTreeIsAChange) {
    auto mounting = [](const std::string& commit, const std::string& digest) {
        return with(service("web"), [&](auto& s) {
            s.volumes = {{"bind", digest.empty() ? "/trees/" + commit + "/f" : "", "/f", true, false, false, "", 0,
                          01777, digest}};
        });
    };
    Machine m;
    m.settle(target({mounting("1", "sha256:aa")}));
    EXPECT_EQ(lines(m.plan_for(target({mounting("2", "sha256:aa")}, 2))), Lines{});
    Plan p = m.plan_for(target({mounting("2", "sha256:bb")}, 2));
    EXPECT_EQ(p.steps.size(), 3u);
}

TEST(Plan, StartFirstMovesThePortsToTheSuccessorThatIsReady) {
    auto web = [](int image_number) {
        return with(service("web", image_number), [](auto& s) {
            s.update_config.order = "start-first";
            s.ports = {{"", 8080, 0, 80, "tcp"}};
            s.healthcheck = kCheck;
        });
    };
    Machine m;
    m.settle(target({web(1)}));
    std::string old = id_of(m, "shop-web-1");
    EXPECT_EQ(lines(m.plan_for(target({web(2)}, 2))),
              (Lines{"rename container " + old + " of web and keep it as " + old + "_shop-web-1",
                     "create container shop-web-1", "start container shop-web-1 without its ports",
                     "wait until web 1 is ready", "move the ports of container " + old + " to shop-web-1",
                     "stop container " + old + " of web and keep it as " + old + "_shop-web-1"}));
}

TEST(Plan, GoingBackStartsAPredecessorAnewWhosePortsNobodyHasAnyMore) {
    auto web = [](int image_number) {
        return with(service("web", image_number), [](auto& s) {
            s.update_config.order = "start-first";
            s.ports = {{"", 8080, 0, 80, "tcp"}};
        });
    };
    Machine m;
    m.settle(target({web(1)}));
    std::string old = id_of(m, "shop-web-1");
    Plan forward = m.plan_for(target({web(2)}, 2));
    forward.steps.pop_back();  // the predecessor runs still, and has handed over its ports
    m.apply(forward);
    std::string successor = id_of(m, "shop-web-1");
    m.named("shop-web-1").info.status = runtime::Status::exited;
    m.named("shop-web-1").info.ports.clear();
    EXPECT_EQ(lines(m.plan_for(target({web(1)}), true)),
              (Lines{"stop container " + old + " of web", "remove container " + successor + " of web",
                     "rename container " + old + " back to shop-web-1", "start container shop-web-1"}));
}

TEST(Plan, StartFirstIsNotPossibleWithANameOrAddressOfItsOwn) {
    for (const std::string own : {"name", "address", "IPv6 address", "MAC address"}) {
        auto web = [&](int image_number) {
            return with(service("web", image_number), [&](auto& s) {
                s.update_config.order = "start-first";
                if (own == "name")
                    s.container_name = "web";
                else if (own == "MAC address")
                    s.networks[0].mac_address = "02:42:0a:05:00:07";
                else
                    (own == "address" ? s.networks[0].ipv4_address : s.networks[0].ipv6_address) = "172.29.1.9";
            });
        };
        Machine m;
        m.settle(target({web(1)}));
        Plan p = m.plan_for(target({web(2)}, 2));
        ASSERT_EQ(p.steps.size(), 3u);
        EXPECT_TRUE(std::get<RetireContainer>(p.steps[0].action).stop);
    }
}

TEST(Plan, ARollingUpdateWaitsBetweenItsBatches) {
    auto web = [](int image_number) {
        return with(service("web", image_number), [](auto& s) {
            s.replicas = 3;
            s.healthcheck = kCheck;
            s.update_config.parallelism = 2;
            s.update_config.delay = std::chrono::seconds(5);
        });
    };
    Machine m;
    m.settle(target({web(1)}));
    Lines kinds;
    for (const Step& step : m.plan_for(target({web(2)}, 2)).steps) kinds.push_back(kind(step.action));
    Lines one = {"retire_container", "create_container", "start_container"};
    Lines wanted;
    for (int i = 0; i < 2; ++i) wanted.insert(wanted.end(), one.begin(), one.end());
    wanted.insert(wanted.end(), {"wait_for", "wait_for"});
    wanted.insert(wanted.end(), one.begin(), one.end());
    EXPECT_EQ(kinds, wanted);
}

TEST(Plan, ScalingMakesAndRetiresTheHighestNumbers) {
    auto web = [](int replicas) { return with(service("web"), [&](auto& s) { s.replicas = replicas; }); };
    Machine m;
    m.settle(target({web(1)}));
    EXPECT_EQ(lines(m.plan_for(target({web(2)}, 2))),
              (Lines{"create container shop-web-2", "start container shop-web-2"}));
    m.settle(target({web(2)}, 2));
    std::string second = id_of(m, "shop-web-2");
    Plan p = m.plan_for(target({web(1)}, 3));
    ASSERT_EQ(lines(p), (Lines{"stop container " + second + " of web and keep it as " + second + "_shop-web-2"}));
    EXPECT_EQ(p.steps[0].reason, "scaled down to 1");
}

TEST(Plan, AServiceThatIsGoneIsRetiredAndRemovedWhenTheReleaseIsGood) {
    Machine m;
    m.settle(target({service("old"), service("web")}));
    Target next = target({service("web")}, 2);
    Policy keep;
    keep.prune = false;
    EXPECT_EQ(lines(m.plan_for(next, false, keep)), Lines{}) << "prune: false";
    Plan p = m.plan_for(next);
    ASSERT_EQ(p.steps.size(), 1u);
    EXPECT_EQ(p.steps[0].reason, "removed from the project");
    m.apply(p);
    Plan c = cleanup(next, m.observe(), m.history());
    ASSERT_EQ(c.steps.size(), 1u);
    EXPECT_EQ(kind(c.steps[0].action), "remove_container");
}

TEST(Plan, WhatWasStoppedRenamedOrRemovedByHandIsPutRight) {
    Machine m;
    Target t = target({service("a"), service("b"), service("c")});
    m.settle(t);
    auto& a = m.named("shop-a-1").info;
    a.status = runtime::Status::exited;
    a.stopped_by_hand = true;
    m.named("shop-b-1").info.name = "mine";
    m.containers.erase(m.named("shop-c-1").info.id);
    Plan p = m.plan_for(t);
    EXPECT_EQ(lines(p), (Lines{"start container shop-a-1", "rename container " + id_of(m, "mine") + " back to shop-b-1",
                               "create container shop-c-1", "start container shop-c-1"}));
    EXPECT_EQ(p.steps[0].reason, "was stopped by hand");
    EXPECT_EQ(p.steps[1].reason, "was renamed to mine");
    EXPECT_EQ(p.steps[2].reason, "is missing");
    Policy report;
    report.drift = Policy::Drift::report;
    EXPECT_EQ(reason_of(m.plan_for(t, false, report), "start container shop-a-1"),
              "no such step: start container shop-a-1");
}

TEST(Plan, WhatEndedByItselfIsNotStartedAgainByARepair) {
    Machine m;
    Target t = target({with(service("job"), [](auto& s) { s.restart = "on-failure:1"; })});
    m.settle(t);
    auto& info = m.named("shop-job-1").info;
    info.status = runtime::Status::exited;
    EXPECT_EQ(lines(m.plan_for(t)), Lines{}) << "it completed";
    info.exit_code = 3;
    EXPECT_EQ(m.plan_for(t).steps.size(), 1u);
    History repair = m.history();
    repair.repairing = true;
    EXPECT_EQ(lines(plan(t, hashes(t), m.observe(), repair, {})), Lines{});
}

TEST(Plan, AForeignContainerWithOurNameIsAnErrorThatNamesIt) {
    Machine m;
    ObservedContainer foreign;
    foreign.info.id = std::string(64, 'f');
    foreign.info.name = "shop-web-1";
    foreign.info.status = runtime::Status::running;
    m.containers[foreign.info.id] = foreign;
    try {
        m.plan_for(target({service("web")}));
        FAIL() << "planned over it";
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), Code::conflict);
        EXPECT_FALSE(e.transient());
        EXPECT_STREQ(
            e.what(),
            "container name \"shop-web-1\" is in use by container ffffffffffff, which is not part of project shop");
    }
}

TEST(Plan, AContainerThatAnotherToolMadeIsAdoptedIfItFitsAndReplacedIfNot) {
    Machine m;
    Target t = target({service("web")});
    m.settle(t);
    ObservedContainer& c = m.named("shop-web-1");
    c.config_hash = "another tool's";
    c.info.spec.labels = {
        {kProjectLabel, "shop"}, {kServiceLabel, "web"}, {kNumberLabel, "1"}, {kConfigHashLabel, "another tool's"}};
    c.info.spec.image = c.info.spec.image_name = "example:1";
    EXPECT_EQ(lines(m.plan_for(t)), Lines{});
    c.info.spec.user = "nobody";
    EXPECT_EQ(reason_of(m.plan_for(t), "create container shop-web-1"), "user changed from \"nobody\" to \"\"");
}

TEST(Plan, AContainerThatSomebodyDisconnectedIsReplacedAndOneThatJoinsMoreIsLeftAlone) {
    Machine m;
    Target t = target({service("web")});
    m.settle(t);
    runtime::ContainerInfo& info = m.named("shop-web-1").info;
    ASSERT_FALSE(info.networks.empty());
    info.networks.emplace_back().network = "monitoring";
    EXPECT_EQ(lines(m.plan_for(t)), Lines{});
    const std::string left = info.networks.front().network;
    info.networks.erase(info.networks.begin());
    EXPECT_EQ(reason_of(m.plan_for(t), "create container shop-web-1"), "it was disconnected from network " + left);
}

TEST(Plan, AContainerWhoseHashAnotherVersionOfKedgeMadeInItsOwnWayIsComparedByWhatItIs) {
    Machine m;
    Target t = target({service("web")});
    m.settle(t);
    auto hash = [&](const std::string& text) {
        m.named("shop-web-1").config_hash = m.named("shop-web-1").info.spec.labels[kConfigHashLabel] = text;
    };
    hash("0-aa");
    EXPECT_EQ(lines(m.plan_for(t)), Lines{});
    m.named("shop-web-1").info.spec.user = "nobody";
    EXPECT_EQ(reason_of(m.plan_for(t), "create container shop-web-1"), "user changed from \"nobody\" to \"\"");
    m.named("shop-web-1").info.spec.user.clear();
    hash("aa");
    EXPECT_NE(lines(m.plan_for(t)), Lines{}) << "a hash of the same kind that differs is a difference";
}

TEST(Plan, GoingBackToNothingRestoresWhatAnotherToolHadMade) {
    Machine m;
    Target t = target({service("web")});
    m.settle(t);
    ObservedContainer& c = m.named("shop-web-1");
    c.info.spec.labels = {{kProjectLabel, "shop"}, {kServiceLabel, "web"}, {kNumberLabel, "1"}};
    c.info.spec.user = "nobody";
    auto before = m.live();
    m.apply(m.plan_for(t));
    m.apply(m.plan_for(target({}, 0), true));
    EXPECT_EQ(m.live(), before);
}

TEST(Plan, ANetworkThatChangesIsMadeAnewUnderItsContainers) {
    Machine m;
    Target first = target({service("db"), with(service("web"), [](auto& s) {
                               s.depends_on = {{"db", "service_started", false, true}};
                           })});
    m.settle(first);
    Target next = first;
    next.release = 2;
    next.project.networks.at("default").internal = true;
    std::string db = id_of(m, "shop-db-1"), web = id_of(m, "shop-web-1");
    Plan p = m.plan_for(next);
    EXPECT_EQ(lines(p), (Lines{"stop container " + web + " of web", "stop container " + db + " of db",
                               "remove network shop_default", "create network shop_default",
                               "start container shop-db-1", "start container shop-web-1"}));
    EXPECT_EQ(reason_of(p, "create network shop_default"), "became internal");
}

TEST(Plan, ANetworkGetsAndLosesIpv6) {
    Machine m;
    Target t = target({service("web")});
    sources::Network& network = t.project.networks.at("default");
    m.settle(t);
    auto reason = [&] {
        ++t.release;
        std::string told = reason_of(m.plan_for(t), "create network shop_default");
        m.settle(t);
        EXPECT_TRUE(lines(m.plan_for(t)).empty());
        return told;
    };
    network.enable_ipv6 = true;
    EXPECT_EQ(reason(), "gets IPv6");
    network.subnet6 = "fd00:5::/64";
    EXPECT_EQ(reason(), "subnet changed from automatic to fd00:5::/64");
    network.gateway6 = "fd00:5::9";
    EXPECT_EQ(reason(), "gateway changed from automatic to fd00:5::9");
    network.ip_range6 = "fd00:5::100/120";
    EXPECT_EQ(reason(), "range changed from automatic to fd00:5::100/120");
    network.aux_addresses6 = {{"printer", "fd00:5::7"}};
    EXPECT_EQ(reason(), "its configuration changed");
    network.enable_ipv4 = false;
    EXPECT_EQ(reason(), "no longer has IPv4");
    network.enable_ipv4 = true;
    EXPECT_EQ(reason(), "gets IPv4");
    network.attachable = true;
    EXPECT_EQ(reason(), "its configuration changed");
    network = {};
    network.key = "default";
    network.name = "shop_default";
    EXPECT_EQ(reason(), "no longer has IPv6");
}

TEST(Plan, ANetworkOfSomebodyElseIsNotTakenOver) {
    Machine m;
    m.networks["shop_default"].spec.name = "shop_default";
    EXPECT_THROW(m.plan_for(target({service("web")})), Error);
    Target external = target({service("web")});
    external.project.networks.at("default").external = true;
    EXPECT_EQ(lines(m.plan_for(external)), (Lines{"create container shop-web-1", "start container shop-web-1"}));
    m.networks.clear();
    EXPECT_THROW(m.plan_for(external), Error) << "an external network that is missing";
}

TEST(Plan, VolumesAreMadeAndNeverRemoved) {
    Machine m;
    Target t = target({service("web")});
    t.project.volumes["data"] = {"data", "shop_data", false, "", {}, {}};
    m.settle(t);
    EXPECT_TRUE(m.volumes.contains("shop_data"));
    m.settle(target({}, 2));
    EXPECT_TRUE(m.containers.empty());
    EXPECT_TRUE(m.networks.empty());
    EXPECT_TRUE(m.volumes.contains("shop_data"));
}

TEST(Plan, AServiceThatSharesANetworkIsReplacedWithTheOneThatOwnsIt) {
    auto both = [](int image_number, int64_t release) {
        return target({service("vpn", image_number), with(service("web"),
                                                          [](auto& s) {
                                                              s.networks.clear();
                                                              s.network_mode = "service:vpn";
                                                          })},
                      release);
    };
    Machine m;
    m.settle(both(1, 1));
    std::string old_web = id_of(m, "shop-web-1");
    m.apply(m.plan_for(both(2, 2)));
    EXPECT_NE(id_of(m, "shop-web-1"), old_web);
    EXPECT_EQ(m.named("shop-web-1").info.spec.network_mode, "container:" + m.named("shop-vpn-1").info.id);
    m.apply(m.plan_for(both(1, 1), true));
    EXPECT_EQ(id_of(m, "shop-web-1"), old_web);
}

TEST(Plan, APortThatWandersBetweenServicesIsFreedFirst) {
    auto holding = [](const std::string& name, uint16_t port) {
        return with(service(name), [&](auto& s) { s.ports = {{"", port, 0, 80, "tcp"}}; });
    };
    Machine m;
    m.settle(target({holding("a", 80), holding("b", 81)}));
    m.settle(target({holding("a", 81), holding("b", 80)}, 2));  // the machine refuses a port that is in use
    EXPECT_EQ(m.named("shop-a-1").info.ports[0].host_port, 81);
}

TEST(Plan, ACircleOfDependenciesIsRefused) {
    Machine m;
    EXPECT_THROW(m.plan_for(target({with(service("a"),
                                         [](auto& s) {
                                             s.depends_on = {{"b", "service_started", false, true}};
                                         }),
                                    with(service("b"),
                                         [](auto& s) {
                                             s.depends_on = {{"a", "service_started", false, true}};
                                         })})),
                 Error);
}

TEST(Plan, ADependentThatAsksForItIsRestartedWithItsDependency) {
    auto both = [](int image_number, int64_t release) {
        return target({service("db", image_number), with(service("web"),
                                                         [](auto& s) {
                                                             s.depends_on = {{"db", "service_started", true, true}};
                                                         })},
                      release);
    };
    Machine m;
    m.settle(both(1, 1));
    Plan p = m.plan_for(both(2, 2));
    EXPECT_EQ(reason_of(p, "start container shop-web-1"), "db was replaced");
}

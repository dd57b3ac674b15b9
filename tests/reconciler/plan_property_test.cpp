#include "machine.h"

#include "reconciler/order.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>

using namespace kedge;
using namespace kedge::reconciler;
using namespace kedge::reconciler::test;

namespace {

// More cases than the library's hundred: some of what went wrong once took thousands to find.
[[maybe_unused]] const int configured = ::setenv("RC_PARAMS", "max_success=500", 0);

int below(int limit) {
    return *rc::gen::inRange(0, limit);
}
bool one_in(int n) {
    return below(n) == 0;
}

sources::Service any_service(const std::string& name, int index, const std::vector<sources::Service>& earlier) {
    sources::Service s = service(name, 1 + below(2));
    bool job = name == "job";
    if (job) s.restart = "no";
    s.environment["MODE"] = one_in(2) ? "a" : "b";
    s.replicas = job ? 1 : below(4);
    if (one_in(2)) s.networks.push_back({"back", {}, one_in(5) && s.replicas == 1 ? "172.29.1.5" : "", 0});
    if (one_in(3)) s.ports.push_back({"", static_cast<uint16_t>(s.replicas == 1 ? 8000 + index : 0), 0, 80, "tcp"});
    if (!job && one_in(2)) s.healthcheck = sources::Healthcheck{{"CMD", "true"}, {}, {}, {}, {}, 0, false};
    if (s.replicas == 1 && one_in(4)) s.container_name = "the-" + name;
    for (sources::UpdateConfig* config : {&s.update_config, &s.rollback_config}) {
        config->order = one_in(2) ? "start-first" : "stop-first";
        config->parallelism = below(3);
        config->delay = Nanoseconds(one_in(4) ? 5 : 0);
    }
    for (const sources::Service& other : earlier) {
        if (!one_in(3)) continue;
        std::string condition = other.name == "job" ? "service_completed_successfully"
                                : one_in(2)         ? "service_healthy"
                                                    : "service_started";
        s.depends_on.push_back({other.name, condition, one_in(3), true});
    }
    if (!earlier.empty() && one_in(6)) {
        const sources::Service& other = earlier.back();
        if (other.name != "job" && other.replicas > 0 && other.network_mode.empty() && !job) {
            s.networks.clear();
            s.ports.clear();
            s.network_mode = "service:" + other.name;
        }
    }
    return s;
}

Target any_target(int64_t release) {
    std::vector<sources::Service> services;
    int index = 0;
    for (const char* name : {"db", "job", "app", "web", "worker"}) {
        ++index;
        if (one_in(3)) continue;
        services.push_back(any_service(name, index, services));
    }
    Target result = target(services, release);
    for (auto& [key, network] : result.project.networks) {
        if (one_in(3)) network.internal = true;
    }
    if (one_in(3)) result.project.volumes["data"] = {"data", "shop_data", false, "", {}, {}};
    return result;
}

Machine machine_with(const Target& good) {
    Machine m;
    ObservedContainer foreign;
    foreign.info.id = Digest::of("foreign").hex();
    foreign.info.name = "somebody-elses";
    foreign.info.status = runtime::Status::running;
    m.containers[foreign.info.id] = foreign;
    m.settle(good);
    return m;
}

std::string told(const Machine& m) {
    std::string text;
    for (const std::string& line : m.log) text += line + "\n";
    return text;
}

/// Runs what may throw std::logic_error and reports the machine's steps with it.
void carefully(const Machine& m, const std::function<void()>& work) {
    try {
        work();
    } catch (const std::exception& e) {
        RC_FAIL(std::string(e.what()) + "\n" + told(m));
    }
}

}  // namespace

RC_GTEST_PROP(PlanProperty, PlanningAgainAfterApplyingIsEmpty, ()) {
    Target first = any_target(1), second = any_target(2);
    Machine m;
    carefully(m, [&] {
        m.apply(m.plan_for(first));
        RC_ASSERT(lines(m.plan_for(first)) == std::vector<std::string>{});
        m.apply(cleanup(first, m.observe(), m.history()));
        m.forget_release();
        RC_ASSERT(lines(m.plan_for(first)) == std::vector<std::string>{});
        m.log.clear();
        m.apply(m.plan_for(second));
        RC_ASSERT(lines(m.plan_for(second)) == std::vector<std::string>{});
        m.apply(cleanup(second, m.observe(), m.history()));
        m.forget_release();
        RC_ASSERT(lines(m.plan_for(second)) == std::vector<std::string>{});
        RC_ASSERT(lines(cleanup(second, m.observe(), m.history())) == std::vector<std::string>{});
    });
}

RC_GTEST_PROP(PlanProperty, GoingBackAfterAnyPrefixBringsBackTheSameContainers, ()) {
    Target good = any_target(1), next = any_target(2);
    Machine m = machine_with(good);
    auto before = m.live();
    m.log.clear();
    carefully(m, [&] {
        Plan forward = m.plan_for(next);
        forward.steps.resize(static_cast<size_t>(*rc::gen::inRange<size_t>(0, forward.steps.size() + 1)));
        m.apply(forward);
        m.log.push_back("-- going back");
        m.apply(m.plan_for(good, true));
        if (m.live() != before)
            RC_FAIL("something else is live\n" + told(m) + rc::toString(before) + "\n" + rc::toString(m.live()));
        m.apply(cleanup(good, m.observe(), m.history(true)));
        m.forget_release();
        RC_ASSERT(lines(m.plan_for(good)) == std::vector<std::string>{});
        RC_ASSERT(lines(cleanup(good, m.observe(), m.history())) == std::vector<std::string>{});
    });
}

RC_GTEST_PROP(PlanProperty, GoingBackInterruptedAnywhereIsFinishedByPlanningAgain, ()) {
    Target good = any_target(1), next = any_target(2);
    Machine m = machine_with(good);
    auto before = m.live();
    m.log.clear();
    carefully(m, [&] {
        m.apply(m.plan_for(next));
        Plan back = m.plan_for(good, true);
        back.steps.resize(static_cast<size_t>(*rc::gen::inRange<size_t>(0, back.steps.size() + 1)));
        m.log.push_back("-- going back");
        m.apply(back);
        m.log.push_back("-- again");
        m.apply(m.plan_for(good, true));
        if (m.live() != before)
            RC_FAIL("something else is live\n" + told(m) + rc::toString(before) + "\n" + rc::toString(m.live()));
    });
}

RC_GTEST_PROP(PlanProperty, AnInterruptedApplyIsFinishedByPlanningAgain, ()) {
    Target good = any_target(1), next = any_target(2);
    Machine m = machine_with(good);
    m.log.clear();
    carefully(m, [&] {
        Plan forward = m.plan_for(next);
        forward.steps.resize(static_cast<size_t>(*rc::gen::inRange<size_t>(0, forward.steps.size() + 1)));
        m.apply(forward);
        m.log.push_back("-- again");
        m.apply(m.plan_for(next));
        RC_ASSERT(lines(m.plan_for(next)) == std::vector<std::string>{});
        m.apply(cleanup(next, m.observe(), m.history()));
        m.forget_release();
        RC_ASSERT(lines(m.plan_for(next)) == std::vector<std::string>{});
    });
}

RC_GTEST_PROP(PlanProperty, GoingBackToNothingLeavesNothingOfTheRelease, ()) {
    Target next = any_target(1);
    Machine m;
    carefully(m, [&] {
        Plan forward = m.plan_for(next);
        forward.steps.resize(static_cast<size_t>(*rc::gen::inRange<size_t>(0, forward.steps.size() + 1)));
        m.apply(forward);
        m.apply(m.plan_for(target({}, 0), true));
        RC_ASSERT(m.containers.empty());
        RC_ASSERT(m.networks.empty());
    });
}

RC_GTEST_PROP(PlanProperty, ForeignContainersAreNeverTouchedAndNoStepComesTwice, ()) {
    Target good = any_target(1), next = any_target(2);
    Machine m = machine_with(good);
    carefully(m, [&] {
        Plan forward = m.plan_for(next);
        m.apply(forward);
        std::vector<std::string> all = lines(forward);
        std::set<std::string> once(all.begin(), all.end());
        RC_ASSERT(once.size() == all.size());
        m.apply(m.plan_for(good, true));
        RC_ASSERT(!m.changed.contains(Digest::of("foreign").hex()));
        RC_ASSERT(m.named("somebody-elses").info.status == runtime::Status::running);
    });
}

RC_GTEST_PROP(PlanProperty, NothingIsStartedBeforeWhatItDependsOn, ()) {
    Target next = any_target(2);
    Machine m = machine_with(any_target(1));
    Plan forward = m.plan_for(next);
    std::map<std::string, size_t> first_start, last_arrival;
    for (size_t i = 0; i < forward.steps.size(); ++i) {
        if (auto* start = std::get_if<StartContainer>(&forward.steps[i].action)) {
            first_start.emplace(start->service, i);
            last_arrival[start->service] = i;
        }
    }
    for (const auto& [name, s] : next.project.services) {
        if (!first_start.contains(name)) continue;
        for (const std::string& other : needed_by(next.project, s)) {
            if (last_arrival.contains(other)) RC_ASSERT(last_arrival[other] < first_start[name]);
        }
    }
}

RC_GTEST_PROP(PlanProperty, WhatSomebodyDidToContainersIsUndoneAndNothingElse, ()) {
    Target good = any_target(1);
    Machine m = machine_with(good);
    auto before = m.live();
    m.log.clear();
    for (auto& [id, c] : m.containers) {
        if (c.service.empty()) continue;
        if (one_in(3) && c.info.status == runtime::Status::running) c.info.status = runtime::Status::paused;
        if (one_in(3)) c.info.spec.resources.memory = 64 << 20;
        if (one_in(4) && c.service != "job") c.info.spec.restart.name = runtime::RestartPolicy::Name::unless_stopped;
    }
    carefully(m, [&] {
        for (const Step& step : m.plan_for(good).steps) {
            RC_ASSERT(std::holds_alternative<ResumeContainer>(step.action) ||
                      std::holds_alternative<UpdateContainer>(step.action) ||
                      std::holds_alternative<WaitFor>(step.action));
            m.apply(step);
        }
        RC_ASSERT(lines(m.plan_for(good)) == std::vector<std::string>{});
        RC_ASSERT(m.live() == before);
        for (auto& [id, c] : m.containers) RC_ASSERT(c.info.spec.resources == runtime::Resources{});
    });
}

RC_GTEST_PROP(PlanProperty, AReleaseThatTookOverFromAnUnfinishedOneGoesBackToTheGoodOneAllTheSame, ()) {
    Target good = any_target(1), unfinished = any_target(2), last = any_target(3);
    Machine m = machine_with(good);
    auto before = m.live();
    m.log.clear();
    carefully(m, [&] {
        for (const Target* wanted : {&unfinished, &last}) {
            Plan forward = m.plan_for(*wanted);
            forward.steps.resize(static_cast<size_t>(*rc::gen::inRange<size_t>(0, forward.steps.size() + 1)));
            m.log.push_back("-- next");
            m.apply(forward);
        }
        m.log.push_back("-- going back");
        m.apply(m.plan_for(good, true));
        if (m.live() != before)
            RC_FAIL("something else is live\n" + told(m) + rc::toString(before) + "\n" + rc::toString(m.live()));
    });
}

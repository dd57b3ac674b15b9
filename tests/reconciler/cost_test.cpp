#include "machine.h"

#include "reconciler/observe.h"
#include "reconciler/render.h"

#include <gtest/gtest.h>

#include <ctime>

using namespace kedge;
using namespace kedge::reconciler;

namespace {

double cpu_seconds() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

}  // namespace

TEST(Cost, ComparingAHundredProjectsOfTenServicesWithTheMachineCostsLittle) {
    std::vector<Target> targets;
    std::vector<std::map<std::string, std::string>> hashes;
    reconciler::Machine machine;
    for (int p = 0; p < 100; ++p) {
        std::vector<sources::Service> services;
        for (int s = 0; s < 10; ++s) {
            sources::Service service = test::service("service" + std::to_string(s));
            for (int e = 0; e < 10; ++e) service.environment["VARIABLE_" + std::to_string(e)] = "some value or other";
            service.ports.push_back({"", 0, 0, 80, "tcp"});
            if (s > 0) service.depends_on = {{"service0", "service_healthy", false, true}};
            services.push_back(service);
        }
        Target target = test::target(services);
        target.project.name = "project" + std::to_string(p);
        target.project.networks.at("default").name = target.project.name + "_default";
        hashes.push_back(config_hashes(target));
        test::Machine one;
        one.apply(plan(target, hashes.back(), {}, {}, {}));
        for (auto& [id, container] : one.containers) machine.containers.push_back(container.info);
        for (auto& [name, network] : one.networks) machine.networks.push_back(network);
        targets.push_back(std::move(target));
    }
    for (size_t i = 0; i < machine.containers.size(); ++i) {
        machine.by_project.emplace(machine.containers[i].spec.labels.at("com.docker.compose.project"), i);
        machine.by_name[machine.containers[i].name] = i;
    }
    ASSERT_EQ(machine.containers.size(), 1000u);
    double before = cpu_seconds();
    for (size_t i = 0; i < targets.size(); ++i) {
        EXPECT_TRUE(plan(targets[i], hashes[i], observe(machine, targets[i], {}), {}, {}).empty());
    }
    double taken = cpu_seconds() - before;
    RecordProperty("milliseconds", std::to_string(taken * 1e3));
    std::printf("comparing took %.1f ms\n", taken * 1e3);
#ifdef NDEBUG
    EXPECT_LT(taken, 0.05);
#else
    EXPECT_LT(taken, 0.5);  // without optimisation
#endif
}

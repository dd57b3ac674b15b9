#pragma once

#include "reconciler/plan.h"

#include <map>
#include <set>
#include <string>
#include <vector>

/// Builders of targets in one line, and a pure machine that carries out plans and refuses what a real one would.
namespace kedge::reconciler::test {

Digest image(int number);
sources::Service service(const std::string& name, int image_number = 1);
/// Project `shop` with these services on its default network; each service's image is the number after the colon of its
/// reference.
Target target(const std::vector<sources::Service>& services, int64_t release = 1);
std::map<std::string, std::string> hashes(const Target& target);

struct Machine {
    std::map<std::string, ObservedContainer> containers;   ///< by id
    std::map<std::string, runtime::NetworkInfo> networks;  ///< by name
    std::map<std::string, runtime::VolumeInfo> volumes;
    std::map<std::string, std::string> retired_names;
    std::set<std::string> stopped;
    std::set<std::string> changed;  ///< ids that a step was about
    std::vector<std::string> log;   ///< describe() of every step
    int made = 0;

    /// Throws std::logic_error when a real machine would refuse, or a step makes no sense.
    void apply(const Step& step);
    void apply(const Plan& plan) {
        for (const Step& step : plan.steps) apply(step);
    }
    Observed observe() const;
    History history(bool going_back = false) const;
    /// What is live: name -> `id status ports-published`.
    std::map<std::string, std::string> live() const;
    bool observe_retired(const ObservedContainer& container) const;
    ObservedContainer& named(const std::string& name);

    /// Plans for the target from what is there now.
    Plan plan_for(const Target& wanted, bool going_back = false, const Policy& policy = {}) const;
    /// Applies the target, then cleans up: a good release.
    void settle(const Target& wanted);
    /// After a release is over: what it kept for going back is forgotten.
    void forget_release();
};

/// `create_container shop-web-1`-like lines: kind and name of each step.
std::vector<std::string> lines(const Plan& plan);

}  // namespace kedge::reconciler::test

#pragma once

#include <functional>
#include <string>
#include <vector>

namespace kedge::bench {

/// One of those that are compared.
struct Side {
    std::string name;              ///< kedge, floor, docker, podman
    std::function<double()> once;  ///< one round's value; what surrounds the measured part is done inside, untimed
    std::vector<double> values = {};
};

/// Rounds A B C A B C ..., so that what the machine does besides meets every side alike. One round of each, which fills
/// caches, isn't counted.
void interleave(std::vector<Side>& sides, int rounds);

/// The value that this share of the values does not exceed (nearest rank); 0.5 is the median.
double quantile(std::vector<double> values, double share);

/// What kedge means to reach.
struct Goal {
    std::string text;  ///< `at most 3 x floor`
    double value = 0;
    double limit = 0;
    bool at_least = false;  ///< the value should be above the limit, not below
    bool met() const { return at_least ? value >= limit : value <= limit; }
};

struct Figure {
    std::string name;  ///< as on the command line
    std::string what;  ///< one line: what is measured
    std::string unit;  ///< of the values
    std::vector<Side> sides = {};
    std::vector<Goal> goals = {};
    bool show_p99 = false;

    /// The median of that side; negative if it isn't there.
    double median(const std::string& side) const;
    /// Adds "at most <limit> x <other>" for kedge, if both are there.
    void kedge_within(double limit, const std::string& other);
};

enum class Format { table, json };

/// An aligned table with ratios of medians, or one JSON object a line for every side and every goal.
void print(const Figure& figure, Format format);

}  // namespace kedge::bench

#include "tests/bench/figure.h"

#include <nlohmann/json.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>

namespace kedge::bench {

namespace {

using nlohmann::json;

const char* const kReferences[] = {"floor", "pipe", "docker", "podman"};

/// The sides that others are compared with, of those that there are.
std::vector<std::string> references(const Figure& figure) {
    std::vector<std::string> names;
    for (const char* name : kReferences) {
        if (figure.median(name) > 0) names.emplace_back(name);
    }
    if (figure.sides.size() < 2) names.clear();
    return names;
}

std::string number(double value) {
    int decimals = value >= 100 ? 0 : value >= 10 ? 1 : value >= 0.1 ? 2 : 4;
    return value == 0 ? "0" : fmt::format("{:.{}f}", value, decimals);
}

void print_table(const Figure& figure) {
    std::vector<std::vector<std::string>> rows;
    std::vector<std::string> head{"", "min " + figure.unit, "median " + figure.unit};
    if (figure.show_p99) head.push_back("p99 " + figure.unit);
    head.push_back("max " + figure.unit);
    auto others = references(figure);
    for (const std::string& other : others) head.push_back("x " + other);
    rows.push_back(head);
    for (const Side& side : figure.sides) {
        std::vector<std::string> row{side.name, number(quantile(side.values, 0)), number(quantile(side.values, 0.5))};
        if (figure.show_p99) row.push_back(number(quantile(side.values, 0.99)));
        row.push_back(number(quantile(side.values, 1)));
        for (const std::string& other : others) {
            row.push_back(other == side.name ? "" : number(quantile(side.values, 0.5) / figure.median(other)));
        }
        rows.push_back(row);
    }
    std::vector<size_t> widths(head.size());
    for (const auto& row : rows) {
        for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    fmt::print("\n{}: {} ({} rounds)\n", figure.name, figure.what,
               figure.sides.empty() ? 0 : figure.sides[0].values.size());
    for (const auto& row : rows) {
        std::string line = fmt::format("  {:<{}}", row[0], widths[0]);
        for (size_t i = 1; i < row.size(); ++i) line += fmt::format("  {:>{}}", row[i], widths[i]);
        fmt::print("{}\n", line.substr(0, line.find_last_not_of(' ') + 1));
    }
    for (const Goal& goal : figure.goals) {
        fmt::print("  goal: {}: {}, {}\n", goal.text, number(goal.value), goal.met() ? "met" : "MISSED");
    }
}

void print_json(const Figure& figure) {
    for (const Side& side : figure.sides) {
        json line{{"figure", figure.name},
                  {"what", figure.what},
                  {"side", side.name},
                  {"unit", figure.unit},
                  {"rounds", side.values.size()}};
        line["min"] = quantile(side.values, 0);
        line["median"] = quantile(side.values, 0.5);
        line["p99"] = quantile(side.values, 0.99);
        line["max"] = quantile(side.values, 1);
        for (const std::string& other : references(figure)) {
            if (other != side.name) line["ratio"][other] = quantile(side.values, 0.5) / figure.median(other);
        }
        fmt::print("{}\n", line.dump());
    }
    for (const Goal& goal : figure.goals) {
        json line{{"figure", figure.name},
                  {"goal", goal.text},
                  {"value", goal.value},
                  {"limit", goal.limit},
                  {"met", goal.met()}};
        fmt::print("{}\n", line.dump());
    }
}

}  // namespace

void interleave(std::vector<Side>& sides, int rounds) {
    for (Side& side : sides) (void)side.once();
    std::vector<Side*> order;
    for (Side& side : sides) order.push_back(&side);
    std::mt19937 random(1);  // the same orders in every run
    for (int i = 0; i < rounds; ++i) {
        std::shuffle(order.begin(), order.end(), random);
        for (Side* side : order) side->values.push_back(side->once());
    }
}

double quantile(std::vector<double> values, double share) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(values.size())));
    return values[rank == 0 ? 0 : rank - 1];
}

double Figure::median(const std::string& side) const {
    for (const Side& one : sides) {
        if (one.name == side) return quantile(one.values, 0.5);
    }
    return -1;
}

void Figure::kedge_within(double limit, const std::string& other) {
    double ours = median("kedge"), theirs = median(other);
    if (ours < 0 || theirs <= 0) return;
    goals.push_back({fmt::format("kedge at most {} x {}", limit, other), ours / theirs, limit});
}

void print(const Figure& figure, Format format) {
    if (format == Format::json)
        print_json(figure);
    else
        print_table(figure);
    std::fflush(stdout);
}

}  // namespace kedge::bench

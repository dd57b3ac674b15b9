#include "runtime/containers/seccomp_tree.h"

#include <linux/seccomp.h>

#include <algorithm>
#include <cstddef>

namespace kedge::runtime {

namespace {

using Program = std::vector<sock_filter>;

constexpr uint16_t kUnresolved = 0xffff;  ///< no instruction: where the rest is to be jumped to
constexpr size_t kFarthest = 255;         ///< of a condition's jumps

sock_filter load(size_t offset) {
    return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offset));
}

void append(Program& to, const Program& more) {
    to.insert(to.end(), more.begin(), more.end());
}

/// If what was loaded compares so with `value`, goes on behind `otherwise`, else with it.
void append_choice(Program& to, uint16_t comparison, uint32_t value, const Program& otherwise) {
    auto size = static_cast<uint32_t>(otherwise.size());
    if (size <= kFarthest) {
        to.push_back(
            BPF_JUMP(static_cast<uint16_t>(BPF_JMP | comparison | BPF_K), value, static_cast<uint8_t>(size), 0));
    } else {
        to.push_back(BPF_JUMP(static_cast<uint16_t>(BPF_JMP | comparison | BPF_K), value, 0, 1));
        to.push_back(BPF_STMT(BPF_JMP | BPF_JA, size));
    }
    append(to, otherwise);
}

/// Calls from `first` on, up to the next range.
struct Range {
    uint32_t first;
    std::optional<uint32_t> action;  ///< none: the rest decides
    bool operator==(const Range&) const = default;
};

std::vector<Range> ranges_of(const SeccompActions& actions) {
    std::vector<Range> ranges = {{0, std::nullopt}};
    auto begin = [&](uint32_t first, std::optional<uint32_t> action) {
        if (ranges.back().first == first) ranges.pop_back();
        if (ranges.empty() || ranges.back().action != action) ranges.push_back({first, action});
    };
    for (const auto& [number, action] : actions) {
        begin(number, action);
        if (number < UINT32_MAX) begin(number + 1, std::nullopt);
    }
    return ranges;
}

/// Comparisons that find one of few enough ranges for all jumps to be short ones, and behind them what then happens.
class Bisection {
public:
    static constexpr size_t kMostRanges = 128;

    Bisection(const Range* ranges, size_t count) : ranges_(ranges) {
        if (count > 1) add(0, count);
        std::vector<std::optional<uint32_t>> ends;
        if (count == 1) ends.push_back(ranges->action);
        for (size_t i = 0; i < jumps_.size(); i++) {
            program_[i].jt = distance(i, jumps_[i].above, ends);
            program_[i].jf = distance(i, jumps_[i].below, ends);
        }
        for (const auto& action : ends)
            program_.push_back(BPF_STMT(action ? uint16_t{BPF_RET | BPF_K} : kUnresolved, action.value_or(0)));
    }
    const Program& program() const { return program_; }

private:
    struct Target {
        size_t range;       ///< the only one left, or
        size_t comparison;  ///< where it goes on
    };
    struct Jumps {
        Target below, above;
    };

    Target add(size_t first, size_t count) {
        if (count == 1) return {first, 0};
        const size_t at = program_.size(), half = first + count / 2;
        program_.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, ranges_[half].first, 0, 0));
        jumps_.emplace_back();
        Target below = add(first, count / 2), above = add(half, count - count / 2);
        jumps_[at] = {below, above};
        return {0, at};
    }

    uint8_t distance(size_t from, const Target& to, std::vector<std::optional<uint32_t>>& ends) const {
        size_t target = to.comparison;
        if (target == 0) {  // the first comparison is nobody's target
            auto end = std::find(ends.begin(), ends.end(), ranges_[to.range].action);
            target = jumps_.size() + static_cast<size_t>(end - ends.begin());
            if (end == ends.end()) ends.push_back(ranges_[to.range].action);
        }
        return static_cast<uint8_t>(target - from - 1);
    }

    const Range* ranges_;
    Program program_;
    std::vector<Jumps> jumps_;  ///< of each comparison
};

Program bisect(const Range* first, size_t count) {
    if (count <= Bisection::kMostRanges) return Bisection(first, count).program();
    const size_t half = count / 2;
    Program program;
    append_choice(program, BPF_JGE, first[half].first, bisect(first, half));
    append(program, bisect(first + half, count - half));
    return program;
}

}  // namespace

std::vector<sock_filter> seccomp_tree(const std::map<uint32_t, SeccompActions>& known,
                                      const std::vector<sock_filter>& rest) {
    Program program = {load(offsetof(seccomp_data, arch))};
    for (const auto& [architecture, actions] : known) {
        const std::vector<Range> ranges = ranges_of(actions);
        Program calls = {load(offsetof(seccomp_data, nr))};
        append(calls, bisect(ranges.data(), ranges.size()));
        Program others;
        // Behind the next one if it is another architecture's.
        others.push_back(BPF_STMT(BPF_JMP | BPF_JA, static_cast<uint32_t>(calls.size())));
        append_choice(program, BPF_JEQ, architecture, others);
        append(program, calls);
    }
    for (size_t i = 0; i < program.size(); i++)
        if (program[i].code == kUnresolved)
            program[i] = BPF_STMT(BPF_JMP | BPF_JA, static_cast<uint32_t>(program.size() - i - 1));
    append(program, rest);
    return program;
}

}  // namespace kedge::runtime

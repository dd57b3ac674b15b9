#include "world.h"

#include "base/digest.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

using namespace kedge;
using namespace kedge::runtime;

namespace {

using Timing = World;

double median_ms(int times, const std::function<void(int)>& prepare, const std::function<void(int)>& work) {
    std::vector<double> durations;
    for (int i = 0; i < times; ++i) {
        prepare(i);
        const auto begin = std::chrono::steady_clock::now();
        work(i);
        durations.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
    }
    std::nth_element(durations.begin(), durations.begin() + times / 2, durations.end());
    return durations[static_cast<size_t>(times) / 2];
}

}  // namespace

// The limits are ten times what an idle machine of two cores takes: they catch a synchronous link removal or an executed helper.
TEST_F(Timing, StartsAndStopsHardlyNoticeTheNetwork) {
    network("a");
    constexpr int kTimes = 50;
    std::vector<Box> boxes(kTimes);
    auto prepare = [&](int i, bool publish) {
        Box& box = boxes[static_cast<size_t>(i)];
        box.netns = new_namespace();
        box.attachment = {random_hex(32), "box" + std::to_string(i), {{"a", {"alias"}, {}}}, {}, true};
        if (publish) box.attachment.ports.push_back({{}, static_cast<uint16_t>(8000 + i), 80, Protocol::tcp});
    };
    auto at = [&](int i) -> Box& { return boxes[static_cast<size_t>(i)]; };
    auto reserve = [&](int i) { at(i).attached = networks->reserve(at(i).attachment); };
    auto connect = [&](int i) { networks->connect(at(i).attachment, at(i).attached, at(i).netns.get()); };
    auto disconnect = [&](int i) { networks->disconnect(at(i).id()); };
    auto nothing = [](int) {};
    for (bool publish : {false, true}) {
        const double reserved = median_ms(kTimes, [&](int i) { prepare(i, publish); }, reserve);
        const double connected = median_ms(kTimes, nothing, connect);
        const double disconnected = median_ms(kTimes, nothing, disconnect);
        std::printf("%s: reserve %.3f ms, connect %.3f ms, disconnect %.3f ms\n", publish ? "one port" : "no port", reserved, connected,
                    disconnected);
        EXPECT_LT(reserved, 1);
        EXPECT_LT(connected, 20);
        EXPECT_LT(disconnected, 10);
    }
    Box blue = start("blue", {{"a", {}, {}}}, {{{}, 80, 80, Protocol::tcp}});
    Box green = start("green", {{"a", {}, {}}}, {{{}, 80, 80, Protocol::tcp}}, false);
    const double moved = median_ms(kTimes, nothing, [&](int i) {
        networks->move_ports(i % 2 ? green.id() : blue.id(), i % 2 ? blue.id() : green.id());
    });
    std::printf("move_ports %.3f ms\n", moved);
    EXPECT_LT(moved, 10);
}

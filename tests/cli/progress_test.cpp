#include "cli/progress.h"

#include "base/error.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace kedge;
using namespace kedge::cli;
using nlohmann::json;

namespace {

struct Shown {
    explicit Shown(std::optional<ProgressDisplay::Terminal> terminal = {})
        : display([this](std::string_view piece) { text += piece; }, terminal, std::chrono::milliseconds(0)) {}
    void status(const std::string& id, const std::string& status) {
        display.take({{"id", id}, {"status", status}, {"progressDetail", json::object()}});
    }
    void progress(const std::string& id, const std::string& status, int64_t current, int64_t total) {
        display.take({{"id", id}, {"status", status}, {"progressDetail", {{"current", current}, {"total", total}}}});
    }
    std::string take() { return std::exchange(text, {}); }

    std::string text;
    ProgressDisplay display;
};

}  // namespace

TEST(Progress, WithoutATerminalIsALineForEachThingThatHappens) {
    Shown shown;
    shown.status("latest", "Pulling from library/busybox");
    shown.status("aaa", "Pulling fs layer");
    shown.progress("aaa", "Downloading", 10, 100);
    shown.progress("aaa", "Downloading", 100, 100);
    shown.status("aaa", "Pull complete");
    shown.status("aaa", "Pull complete");
    shown.display.take({{"status", "Status: Downloaded newer image for busybox:latest"}});
    EXPECT_EQ(shown.text,
              "latest: Pulling from library/busybox\naaa: Pulling fs layer\naaa: Pull complete\nStatus: Downloaded "
              "newer image for busybox:latest\n");
}

TEST(Progress, OnATerminalKeepsALineForEachLayer) {
    Shown shown({{100, 24}});
    shown.status("aaa", "Waiting");
    shown.status("bbb", "Waiting");
    EXPECT_EQ(shown.take(), "aaa: Waiting \nbbb: Waiting \n");
    shown.progress("aaa", "Downloading", 500, 1000);
    EXPECT_EQ(shown.take(),
              "\033[2A\033[2Kaaa: Downloading [========================>                         ]  500B/1kB\r\033[2B");
    shown.progress("bbb", "Downloading", 2000, 1000);  // more than was promised
    EXPECT_EQ(shown.take(), "\033[1A\033[2Kbbb: Downloading [" + std::string(50, '=') + "]  1kB/1kB\r\033[1B");
}

TEST(Progress, DrawsNoWiderOrHigherThanTheTerminal) {
    Shown shown({{30, 4}});
    for (const char* id : {"a", "b", "c", "d"}) shown.status(id, "Waiting");
    (void)shown.take();
    shown.status("a", "Pull complete");
    EXPECT_EQ(shown.take(), "") << "this line has left the screen";
    shown.progress("d", "Downloading", 1, 1000);
    EXPECT_EQ(shown.take(), "\033[1A\033[2Kd: Downloading 1B/1kB\r\033[1B");
    shown.status("d", "a status that has far too many words for it");
    EXPECT_EQ(shown.take(), "\033[1A\033[2Kd: a status that has far too…\r\033[1B");
}

TEST(Progress, StaysAboveALineWithoutLayer) {
    Shown shown({{80, 24}});
    shown.status("a", "Waiting");
    shown.display.take({{"status", "Digest: sha256:00"}});
    (void)shown.take();
    shown.status("a", "Waiting");
    EXPECT_EQ(shown.text, "a: Waiting \n") << "as a new line";
}

TEST(Progress, OfALoadIsItsText) {
    Shown shown;
    shown.display.take({{"stream", "Loaded image: a:1\n"}});
    shown.display.take("nonsense");
    shown.display.take(nullptr);
    EXPECT_EQ(shown.text, "Loaded image: a:1\n");
}

TEST(Progress, ThrowsTheAgentsError) {
    Shown shown;
    try {
        shown.display.take({{"error", "no such host"},
                            {"errorDetail", {{"message", "no such host"}, {"hint", "is the network there?"}}}});
        ADD_FAILURE();
    } catch (const Error& error) {
        EXPECT_STREQ(error.what(), "no such host");
        EXPECT_EQ(error.hint(), "is the network there?");
    }
}

#include "cli/format.h"

#include "base/error.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <ctime>

using namespace kedge;
using namespace kedge::cli;
using nlohmann::json;

namespace {

const WallTime kNow = parse_time("2026-01-02T15:04:05Z");

/// Local time is that of a place two hours east in these tests.
struct LocalTime : testing::Test {
    LocalTime() {
        ::setenv("TZ", "XXX-02", 1);
        ::tzset();
    }
    ~LocalTime() override {
        ::unsetenv("TZ");
        ::tzset();
    }
};

std::string unix_time(const std::string& rfc3339) {
    int64_t nanoseconds = parse_time(rfc3339).time_since_epoch().count();
    std::string fraction = std::to_string(nanoseconds % 1'000'000'000);
    return std::to_string(nanoseconds / 1'000'000'000) + "." + std::string(9 - fraction.size(), '0') + fraction;
}

}  // namespace

TEST(Sizes, AreShownInThreeDigitsAndPowersOfThousand) {
    EXPECT_EQ(human_size(0), "0B");
    EXPECT_EQ(human_size(999), "999B");
    EXPECT_EQ(human_size(1000), "1kB");
    EXPECT_EQ(human_size(1234), "1.23kB");
    EXPECT_EQ(human_size(999'499), "999kB");
    EXPECT_EQ(human_size(999'500), "1MB");
    EXPECT_EQ(human_size(72'800'000), "72.8MB");
    EXPECT_EQ(human_size(1'500'000'000'000), "1.5TB");
    EXPECT_EQ(human_size(INT64_MAX), "9.22EB");
}

TEST(Sizes, AreReadInPowersOf1024) {
    EXPECT_EQ(size_of("0"), 0);
    EXPECT_EQ(size_of("512"), 512);
    EXPECT_EQ(size_of("1b"), 1);
    EXPECT_EQ(size_of("64k"), 65536);
    EXPECT_EQ(size_of("64KB"), 65536);
    EXPECT_EQ(size_of("1.5g"), int64_t{1536} << 20);
    for (const char* bad : {"", "m", "-1", "1x", "1mm", "1mbb", "99999999p", "nan", "inf", "1 m"})
        EXPECT_THROW(size_of(bad), Error) << bad;
}

TEST(Texts, AreCutByCharactersNotBytes) {
    EXPECT_EQ(truncated("hello", 5), "hello");
    EXPECT_EQ(truncated("hello!", 5), "hell…");
    EXPECT_EQ(truncated("äöüäöü", 6), "äöüäöü");
    EXPECT_EQ(truncated("äöüäöü", 4), "äöü…");
    EXPECT_EQ(short_id("sha256:0123456789abcdef"), "0123456789ab");
    EXPECT_EQ(short_id("0123456789abcdef"), "0123456789ab");
}

TEST(Texts, OfLabelsAndPorts) {
    EXPECT_EQ(labels_text({{"b", "2"}, {"a", "1=x"}}), "a=1=x,b=2");
    EXPECT_EQ(labels_text(nullptr), "");
    json ports = json::parse(R"([{"PrivatePort": 443, "Type": "tcp"},
                                 {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
                                 {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
                                 {"IP": "127.0.0.1", "PrivatePort": 53, "PublicPort": 53, "Type": "udp"}])");
    EXPECT_EQ(ports_text(ports), "127.0.0.1:53->53/udp, 443/tcp, 0.0.0.0:8080->80/tcp");
    ports = json::parse(R"([{"IP": "::", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
                            {"IP": "::1", "PrivatePort": 80, "PublicPort": 81, "Type": "tcp"},
                            {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"}])");
    EXPECT_EQ(ports_text(ports), "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp, [::1]:81->80/tcp");
    EXPECT_EQ(ports_text(json::array()), "");
    ports = json::array();
    for (int number : {9002, 9000, 9001, 9005, 7})
        ports.push_back({{"IP", "::1"}, {"PrivatePort", number}, {"PublicPort", number}, {"Type", "udp"}});
    ports.push_back({{"PrivatePort", 8}, {"Type", "udp"}});
    EXPECT_EQ(ports_text(ports), "[::1]:7->7/udp, [::1]:9000-9002->9000-9002/udp, [::1]:9005->9005/udp, 8/udp");
}

TEST_F(LocalTime, AsGoPrintsIt) {
    const WallTime whole = parse_time("2026-01-02T15:04:05Z");
    EXPECT_EQ(go_time(whole), "2026-01-02 17:04:05 +0200 XXX");
    EXPECT_EQ(go_time(whole + std::chrono::milliseconds(120)), "2026-01-02 17:04:05.12 +0200 XXX");
    EXPECT_EQ(local_seconds(whole), "2026-01-02T17:04:05+02:00");
    ::setenv("TZ", "UTC", 1);
    ::tzset();
    EXPECT_EQ(go_time(whole), "2026-01-02 15:04:05 +0000 UTC");
    EXPECT_EQ(local_seconds(whole), "2026-01-02T15:04:05Z");
    EXPECT_EQ(go_quoted("sh -c 'echo \"x\\y\"\n'\x01"), R"("sh -c 'echo \"x\\y\"\n'\x01")");
}

TEST(Texts, OfPublishedPorts) {
    json ports = json::parse(R"({"443/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8443"}], "53/udp": null,
                                 "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}, {"HostIp": "::", "HostPort": "8080"}]})");
    EXPECT_EQ(published_lines(ports, ""), "80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080\n443/tcp -> 0.0.0.0:8443\n");
    EXPECT_EQ(published_lines(ports, "80/tcp"), "0.0.0.0:8080\n[::]:8080\n");
    EXPECT_EQ(published_lines(ports, "53/udp"), "");
    EXPECT_EQ(published_lines(json::object(), ""), "");
}

TEST(Texts, OfTimesAgo) {
    EXPECT_EQ(ago("2026-01-02T15:01:05Z", kNow), "3 minutes ago");
    EXPECT_EQ(ago("", kNow), "");
    EXPECT_EQ(age("2026-01-02T15:04:00Z", kNow), "5s");
    EXPECT_EQ(age("2026-01-02T14:00:05Z", kNow), "64m");
    EXPECT_EQ(age("2025-12-30T15:04:05Z", kNow), "3d");
    EXPECT_EQ(age("2026-01-02T15:04:06Z", kNow), "0s") << "clocks that disagree";
    EXPECT_EQ(age("", kNow), "-");
}

TEST_F(LocalTime, IsWhatTimesWithoutAnOffsetMean) {
    EXPECT_EQ(time_parameter("2026-01-02T12:30:15.25", kNow), unix_time("2026-01-02T10:30:15.25Z"));
    EXPECT_EQ(time_parameter("2026-01-02T12:30:15", kNow), unix_time("2026-01-02T10:30:15Z"));
    EXPECT_EQ(time_parameter("2026-01-02T12:30", kNow), unix_time("2026-01-02T10:30:00Z"));
    EXPECT_EQ(time_parameter("2026-01-02T12", kNow), unix_time("2026-01-02T10:00:00Z"));
    EXPECT_EQ(time_parameter("2026-01-02", kNow), unix_time("2026-01-01T22:00:00Z"));
    EXPECT_EQ(time_parameter("2026-01-02T12:30:15Z", kNow), unix_time("2026-01-02T12:30:15Z"));
    EXPECT_EQ(time_parameter("2026-01-02T12:30:15+01:00", kNow), unix_time("2026-01-02T11:30:15Z"));
    EXPECT_EQ(local_time(1'767'366'245'000'000'006), "2026-01-02T17:04:05.000000006+02:00");
}

TEST(TimeParameter, IsADurationBeforeNowOrSeconds) {
    EXPECT_EQ(time_parameter("", kNow), "");
    EXPECT_EQ(time_parameter("10m", kNow), unix_time("2026-01-02T14:54:05Z"));
    EXPECT_EQ(time_parameter("1h30m", kNow), unix_time("2026-01-02T13:34:05Z"));
    EXPECT_EQ(time_parameter("1767366245", kNow), "1767366245");
    EXPECT_EQ(time_parameter("1767366245.5", kNow), "1767366245.5");
    for (const char* bad :
         {"soon", "2026-13-01", "2026-01-02T25:00:00Z", "2026-01-02T12:30:15X", "1.2.3", ".5", "2026-01-02x", "-"}) {
        EXPECT_THROW((void)time_parameter(bad, kNow), Error) << bad;
    }
}

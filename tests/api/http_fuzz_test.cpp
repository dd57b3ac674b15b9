#include "api/request_head.h"
#include "base/error.h"
#include "tests/api/raw_client.h"
#include "tests/support/touch_everything.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <random>

namespace kedge::api {
namespace {

using test::RawClient;
using test::request;
using test::TestServer;
using Random = std::mt19937;

size_t below(Random& random, size_t limit) {
    return limit == 0 ? 0 : std::uniform_int_distribution<size_t>(0, limit - 1)(random);
}

std::string some_request(Random& random) {
    switch (below(random, 6)) {
        case 0: return request("GET", "/v1.43/containers/json?all=1&filters=%7B%22label%22%3A%5B%22a%3Db%22%5D%7D");
        case 1:
            return request("POST", "/containers/create?name=web",
                           R"({"Image":"busybox","Cmd":["sh"],"HostConfig":{"Memory":1}})",
                           "Content-Type: application/json\r\n");
        case 2:
            return request("POST", "/images/load", "", "Transfer-Encoding: chunked\r\n") + "5;x=y\r\nabcde\r\n1F\r\n" +
                   std::string(31, 'z') + "\r\n0\r\nTrailer: a\r\n\r\n";
        case 3:
            return request("POST", "/exec/1/start", "{}",
                           "Connection: Upgrade\r\nUpgrade: tcp\r\nExpect: 100-continue\r\n");
        case 4: return request("HEAD", "/_ping", "", "X-Registry-Auth: e30=\r\nConnection: keep-alive, x\r\n");
        default: return "GET /logs HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n";
    }
}

void mutate(Random& random, std::string& text) {
    static const std::string kPieces[] = {"\r\n",
                                          "\n",
                                          "\r",
                                          "%00",
                                          "%2f",
                                          "%",
                                          "Content-Length: 5\r\n",
                                          "Transfer-Encoding: chunked\r\n",
                                          ":",
                                          " ",
                                          "0",
                                          "-1",
                                          "ffffffffffffffff",
                                          "\xff",
                                          std::string(1, '\0'),
                                          "?",
                                          "&",
                                          "=",
                                          "HTTP/1.1",
                                          "{\"a\":"};
    size_t at = below(random, text.size());
    switch (below(random, 6)) {
        case 0: text[at] = static_cast<char>(below(random, 256)); break;
        case 1: text.erase(at, 1 + below(random, 20)); break;
        case 2: text.insert(at, kPieces[below(random, std::size(kPieces))]); break;
        case 3: text.insert(at, text.substr(below(random, text.size()), below(random, 60))); break;
        case 4: text.resize(at); break;
        default: text.insert(at, std::string(below(random, 3000), 'a')); break;
    }
}

/// Every answer is one of ours: a status line that HTTP knows, whatever was asked.
void expect_answers(const std::string& sent, const std::string& received) {
    if (received.empty()) return;
    EXPECT_TRUE(received.starts_with("HTTP/1.1 ")) << sent << "\n-----\n" << received;
    int status = std::atoi(received.c_str() + 9);
    EXPECT_TRUE(status == 100 || status == 101 || (status >= 200 && status < 600)) << received;
}

TEST(HttpFuzz, TheServerAnswersOrClosesWhateverComes) {
    TestServer server([](const Request& request) { return touch_everything(request, 1u << 20); });
    constexpr int kRounds = 3000;
    for (unsigned seed = 0; seed < kRounds && !testing::Test::HasFailure(); ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(seed);
        std::string sent;
        for (size_t requests = 1 + below(random, 3); requests > 0; --requests) {
            std::string one = some_request(random);
            for (size_t mutations = below(random, 4); mutations > 0 && !one.empty(); --mutations) mutate(random, one);
            sent += one;
        }
        RawClient client = server.client();
        size_t cut = below(random, 4) == 0 ? below(random, sent.size()) : 0;
        client.send(std::string_view(sent).substr(0, cut));
        client.send(std::string_view(sent).substr(cut));
        client.end_sending();
        expect_answers(sent, client.rest());
        EXPECT_TRUE(client.closed_in_time()) << sent;
    }
    EXPECT_EQ(server.ask(request("GET", "/still-here")).status, 200);
}

TEST(HttpFuzz, AHeadIsReadOrRefusedButNothingElse) {
    Random random(7);
    int taken = 0;
    for (int round = 0; round < 100'000; ++round) {
        std::string text = some_request(random);
        text.resize(text.find("\r\n\r\n") + 4);
        for (size_t mutations = below(random, 5); mutations > 0 && !text.empty(); --mutations) mutate(random, text);
        try {
            RequestHead head = parse_head(text);
            ++taken;
            ASSERT_TRUE(head.path.starts_with("/"));
            ASSERT_FALSE(head.chunked && head.length > 0);
            for (const auto& [name, value] : head.headers) {
                ASSERT_EQ(value.find_first_of(std::string("\r\n\0", 3)), std::string::npos);
            }
        } catch (const Error& error) {
            ASSERT_EQ(error.code(), Code::invalid_argument);
        }
    }
    EXPECT_GT(taken, 10'000) << "the mutations leave too few to be meaningful";
}

}  // namespace
}  // namespace kedge::api

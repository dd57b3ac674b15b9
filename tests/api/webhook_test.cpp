#include "api/webhook.h"

#include "sources/webhook.h"
#include "tests/api/raw_client.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <nlohmann/json.hpp>

#include <mutex>

namespace kedge::api {
namespace {

using nlohmann::json;
using test::Answer;
using test::request;
using test::TestServer;

constexpr const char* kSecret = "it's 100%41 secret";

std::string sign(const std::string& body, const std::string& secret = kSecret) {
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    ::HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
           reinterpret_cast<const unsigned char*>(body.data()), body.size(), mac, &size);
    std::string hex;
    for (unsigned i = 0; i < size; ++i) {
        char digits[3];
        std::snprintf(digits, sizeof digits, "%02x", mac[i]);
        hex += digits;
    }
    return hex;
}

std::string push(const std::string& url = "https://forge.example/fleet.git") {
    return json{{"ref", "refs/heads/main"}, {"after", "c0ffee"}, {"repository", {{"clone_url", url}}}}.dump();
}

/// A webhook listener as the agent makes it, and what it woke.
class WebhookTest : public testing::Test {
public:
    static std::string github(const std::string& body, const std::string& event = "push",
                              const std::string& secret = kSecret) {
        return "X-GitHub-Event: " + event +
               "\r\nX-GitHub-Delivery: 1\r\nX-Hub-Signature-256: sha256=" + sign(body, secret) + "\r\n";
    }
    Answer post(const std::string& body, const std::string& headers, const std::string& target = "/hook") {
        return server.ask(request("POST", target, body, headers));
    }
    std::vector<std::vector<std::string>> woken() {
        std::lock_guard lock(mutex);
        return woken_;
    }

    std::mutex mutex;
    std::vector<std::vector<std::string>> woken_;
    TestServer server{make_webhook({"/hook", kSecret},
                                   [this](const std::vector<std::string>& urls) {
                                       std::lock_guard lock(mutex);
                                       woken_.push_back(urls);
                                       return std::vector<std::string>{"fleet"};
                                   }),
                      {.threads = 4, .untrusted = true}};
};

TEST_F(WebhookTest, ASignedPushOfEachForgeWakesItsSources) {
    std::string body = push();
    for (const std::string& headers :
         {github(body), "X-Gitea-Event: push\r\nX-Gitea-Signature: " + sign(body) + "\r\n" + github(body),
          std::string("X-Gitlab-Event: Push Hook\r\nX-Gitlab-Token: ") + kSecret + "\r\n"}) {
        Answer answer = post(body, headers);
        EXPECT_EQ(answer.status, 202) << headers;
        EXPECT_EQ(json::parse(answer.body), (json{{"woken", {"fleet"}}}));
    }
    EXPECT_EQ(woken(), std::vector<std::vector<std::string>>(3, {"https://forge.example/fleet.git"}));
}

TEST_F(WebhookTest, WhatIsNotRightlySignedLearnsAndWakesNothing) {
    std::string body = push();
    std::vector<std::string> attempts = {
        github(body, "push", "wrong"),
        github(body + " "),
        "X-GitHub-Event: push\r\n",
        "X-GitHub-Event: push\r\nX-Hub-Signature: sha1=0000\r\n",
        "X-GitHub-Event: push\r\nX-Hub-Signature-256: sha256=\r\n",
        "X-GitHub-Event: push\r\nX-Hub-Signature-256: sha256=" + std::string(64, '0') + "\r\n",
        "X-GitHub-Event: push\r\nX-Hub-Signature-256: sha256=" + sign(body) + "00\r\n",
        github(body) + "X-Hub-Signature-256: sha256=" + sign(body) + "\r\n",
        "X-Gitlab-Event: Push Hook\r\n",
        "X-Gitlab-Event: Push Hook\r\nX-Gitlab-Token:\r\n",
        "X-Gitlab-Event: Push Hook\r\nX-Gitlab-Token: it's 100A secret\r\n",
        "X-Gitea-Event: push\r\n" + github(body),  // Gitea's own signature counts
        "X-Gitlab-Event: Push Hook\r\n" + github(body)};
    for (const std::string& headers : attempts) {
        Answer answer = post(body, headers);
        EXPECT_EQ(answer.status, 401) << headers;
        EXPECT_EQ(answer.body, "{\"message\":\"unauthenticated\"}\n") << "nothing says what was wrong";
    }
    EXPECT_TRUE(woken().empty());
}

TEST_F(WebhookTest, OtherPathsAndMethodsAreNotThere) {
    std::string body = push();
    for (const char* target :
         {"/", "/webhook", "/hook/", "/hook/x", "//hook", "/HOOK", "/metrics", "/containers/json", "/v1.43/info"}) {
        EXPECT_EQ(post(body, github(body), target).status, 404) << target;
    }
    for (const char* method : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"}) {
        auto client = server.client();
        client.send(request(method, "/hook", body, github(body)));
        EXPECT_EQ(client.answer(std::string(method) == "HEAD").status, 404) << method;
    }
    EXPECT_TRUE(woken().empty());
    EXPECT_EQ(post(body, github(body), "/hook?anything=1").status, 202) << "a query is no other path";
}

TEST_F(WebhookTest, LargeAndMalformedBodiesAreRefusedEvenWhenSigned) {
    std::string large = push();
    large.insert(1, "\"x\":\"" + std::string(sources::kWebhookBodyLimit, 'x') + "\",");
    EXPECT_EQ(post(large, github(large)).status, 400);
    auto client = server.client();
    client.send(request("POST", "/hook", "", github("") + "Content-Length: 99999999999999\r\n") +
                std::string(2u << 20, 'x'));
    EXPECT_EQ(client.answer().status, 400);
    std::string deep = std::string(500'000, '[');
    for (const std::string& body :
         {std::string("{"), std::string("[]"), std::string("\xff\xfe"), std::string("payload=%7B%7D"), deep,
          std::string("{}"), json{{"ref", 1}, {"repository", 2}}.dump(),
          json{{"ref", "refs/heads/main"}, {"repository", {{"clone_url", 7}}}}.dump(),
          json{{"ref", "refs/heads/main"}}.dump()}) {
        EXPECT_EQ(post(body, github(body)).status, 400) << body.substr(0, 80);
    }
    EXPECT_TRUE(woken().empty());
}

TEST_F(WebhookTest, APingAndOtherEventsWakeNothing) {
    std::string body = push();
    EXPECT_EQ(post(body, github(body, "ping")).status, 202);
    EXPECT_EQ(post(body, github(body, "ping", "wrong")).status, 401);
    EXPECT_EQ(post(body, github(body, "pull_request")).status, 400);
    EXPECT_EQ(post(body, "").status, 400);
    EXPECT_TRUE(woken().empty());
}

TEST_F(WebhookTest, ARepeatedDeliveryOnlyMakesTheSourceLookAgain) {
    std::string body = push();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(post(body, github(body)).status, 202);
    EXPECT_EQ(woken(), std::vector<std::vector<std::string>>(3, {"https://forge.example/fleet.git"}))
        << "a url, and nothing of the commit";
}

TEST(Webhook, WhoeverWakesMayFailWithoutHarm) {
    TestServer server(make_webhook({"/hook", kSecret},
                                   [](const std::vector<std::string>&) -> std::vector<std::string> {
                                       throw std::runtime_error("boom");
                                   }),
                      {.untrusted = true});
    std::string body = push();
    for (int i = 0; i < 2; ++i)
        EXPECT_EQ(server.ask(request("POST", "/hook", body, WebhookTest::github(body))).status, 500);
}

}  // namespace
}  // namespace kedge::api

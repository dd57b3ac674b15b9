#include "sources/webhook.h"

#include "base/error.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <optional>

using namespace kedge;
using namespace kedge::sources;

namespace {

using Headers = std::map<std::string, std::string>;

constexpr const char* kSecret = "it's a secret";

std::string sign(const std::string& body, const std::string& secret = kSecret) {
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(body.data()), body.size(), mac, &size);
    std::string hex;
    for (unsigned i = 0; i < size; ++i) hex += fmt::format("{:02x}", mac[i]);
    return hex;
}

Headers github(const std::string& body, const std::string& event = "push") {
    return {{"x-github-event", event},
            {"x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"},
            {"x-hub-signature-256", "sha256=" + sign(body)}};
}

Headers gitea(const std::string& body, const std::string& event = "push") {
    return {{"x-gitea-event", event},
            {"x-github-event", event},
            {"x-gitea-delivery", "f6266f16"},
            {"x-gitea-signature", sign(body)}};
}

Headers gitlab(const std::string& token = kSecret, const std::string& event = "Push Hook") {
    return {{"x-gitlab-event", event}, {"x-gitlab-token", token}, {"x-gitlab-event-uuid", "13792a34"}};
}

const std::string kGithubPush = R"({"ref":"refs/heads/main","after":"0123","repository":{"full_name":"team/app",
    "clone_url":"https://git.example.test/team/app.git","ssh_url":"git@git.example.test:team/app.git",
    "git_url":"git://git.example.test/team/app.git","html_url":"https://git.example.test/team/app","url":"https://git.example.test/team/app"}})";
const std::string kGitlabPush =
    R"({"object_kind":"push","ref":"refs/tags/v1","project":{"git_http_url":"https://lab.example.test/team/app.git",
    "git_ssh_url":"git@lab.example.test:team/app.git","web_url":"https://lab.example.test/team/app"},
    "repository":{"url":"git@lab.example.test:team/app.git","git_http_url":"https://lab.example.test/team/app.git"}})";

std::optional<Code> refusal(const Headers& headers, const std::string& body, const std::string& secret = kSecret) {
    try {
        (void)verify_webhook(headers, body, secret);
        return std::nullopt;
    } catch (const Error& e) {
        EXPECT_EQ(std::string(e.what()).find(kSecret), std::string::npos) << e.what();
        EXPECT_EQ(std::string(e.what()).find(sign(body)), std::string::npos) << "the right signature is told";
        return e.code();
    }
}

}  // namespace

TEST(Webhook, APushOfEachForgeNamesItsRepository) {
    struct Case {
        Headers headers;
        std::string body, forge, delivery, ref;
        std::vector<std::string> urls;
    };
    const std::vector<std::string> hub = {"https://git.example.test/team/app.git", "git@git.example.test:team/app.git",
                                          "git://git.example.test/team/app.git", "https://git.example.test/team/app"};
    const std::vector<std::string> lab = {"https://lab.example.test/team/app.git", "git@lab.example.test:team/app.git",
                                          "https://lab.example.test/team/app"};
    for (const Case& c : {
             Case{github(kGithubPush), kGithubPush, "github", "72d3162e-cc78-11e3-81ab-4c9367dc0958", "refs/heads/main",
                  hub},
             Case{gitea(kGithubPush), kGithubPush, "gitea", "f6266f16", "refs/heads/main", hub},
             Case{gitlab(), kGitlabPush, "gitlab", "13792a34", "refs/tags/v1", lab},
             Case{gitlab(kSecret, "Tag Push Hook"), kGitlabPush, "gitlab", "13792a34", "refs/tags/v1", lab},
         }) {
        PushEvent event = verify_webhook(c.headers, c.body, kSecret);
        EXPECT_EQ(event.forge, c.forge);
        EXPECT_EQ(event.delivery, c.delivery);
        EXPECT_EQ(event.ref, c.ref);
        std::vector<std::string> expected = c.urls, urls = event.urls;
        std::sort(expected.begin(), expected.end());
        std::sort(urls.begin(), urls.end());
        EXPECT_EQ(urls, expected);
        EXPECT_FALSE(event.ping);
    }
}

TEST(Webhook, APingIsAnsweredOnlyWhenItIsSigned) {
    EXPECT_TRUE(verify_webhook(github("{\"zen\":\"x\"}", "ping"), "{\"zen\":\"x\"}", kSecret).ping);
    EXPECT_EQ(refusal(github("other", "ping"), "{}"), Code::unauthenticated);
}

TEST(Webhook, WhatIsNotSignedWithTheSecretIsRefused) {
    struct Case {
        const char* what;
        Headers headers;
    };
    auto with = [](Headers headers, const char* name, const std::string& value) {
        headers[name] = value;
        return headers;
    };
    auto without = [](Headers headers, const char* name) {
        headers.erase(name);
        return headers;
    };
    const std::string& body = kGithubPush;
    std::string right = sign(body), wrong = right;
    wrong.back() = wrong.back() == '0' ? '1' : '0';
    for (const Case& c : {
             Case{"no signature", without(github(body), "x-hub-signature-256")},
             Case{"empty signature", with(github(body), "x-hub-signature-256", "")},
             Case{"prefix only", with(github(body), "x-hub-signature-256", "sha256=")},
             Case{"no prefix", with(github(body), "x-hub-signature-256", right)},
             Case{"sha1", with(github(body), "x-hub-signature-256", "sha1=" + right.substr(0, 40))},
             Case{"only the old header",
                  with(without(github(body), "x-hub-signature-256"), "x-hub-signature", "sha1=" + right.substr(0, 40))},
             Case{"last digit", with(github(body), "x-hub-signature-256", "sha256=" + wrong)},
             Case{"too short", with(github(body), "x-hub-signature-256", "sha256=" + right.substr(0, 62))},
             Case{"too long", with(github(body), "x-hub-signature-256", "sha256=" + right + "00")},
             Case{"no hex", with(github(body), "x-hub-signature-256", "sha256=" + std::string(64, 'z'))},
             Case{"other body", github(body + " ")},
             Case{"gitea: none", without(gitea(body), "x-gitea-signature")},
             Case{"gitea: wrong", with(gitea(body), "x-gitea-signature", wrong)},
             Case{"gitea: with GitHub's prefix", with(gitea(body), "x-gitea-signature", "sha256=" + right)},
             Case{"gitlab: none", without(gitlab(), "x-gitlab-token")},
             Case{"gitlab: empty", gitlab("")},
             Case{"gitlab: prefix of it", gitlab(std::string(kSecret).substr(0, 5))},
             Case{"gitlab: longer", gitlab(std::string(kSecret) + "x")},
         }) {
        EXPECT_EQ(refusal(c.headers, body), Code::unauthenticated) << c.what;
    }
    EXPECT_EQ(refusal(github(body), body), std::nullopt);
}

TEST(Webhook, WithoutASecretNothingIsAccepted) {
    EXPECT_EQ(refusal(gitlab(""), kGitlabPush, ""), Code::unauthenticated);
    Headers headers = github(kGithubPush);
    headers["x-hub-signature-256"] = "sha256=" + sign(kGithubPush, "");
    EXPECT_EQ(refusal(headers, kGithubPush, ""), Code::unauthenticated);
}

TEST(Webhook, MalformedAndOtherEventsAreRefused) {
    const std::string deep = std::string(200000, '[') + std::string(200000, ']');
    const std::string deep_inside = R"({"ref":"refs/heads/main","repository":{"url":"https://a.test/b"},"x":)" +
                                    std::string(100, '[') + std::string(100, ']') + "}";
    const std::string repository = R"("repository":{"clone_url":"https://a.test/b"})";
    for (const std::string& body :
         {std::string(), std::string("{"), std::string("null"), std::string("[]"), std::string("\"push\""),
          std::string("\xff\xfe"), std::string("payload=%7B%7D"), deep, deep_inside, "{" + repository + "}",
          "{\"ref\":7," + repository + "}", "{\"ref\":\"main\"," + repository + "}",
          "{\"ref\":\"refs/heads/" + std::string(5000, 'x') + "\"," + repository + "}",
          std::string(R"({"ref":"refs/heads/main"})"),
          std::string(R"({"ref":"refs/heads/main","repository":"https://a.test/b"})"),
          std::string(R"({"ref":"refs/heads/main","repository":{"clone_url":["https://a.test/b"]}})"),
          R"({"ref":"refs/heads/main","repository":{"clone_url":"https://a.test/)" + std::string(5000, 'x') + "\"}}"}) {
        EXPECT_EQ(refusal(github(body), body), Code::invalid_argument) << body.substr(0, 80);
    }
    EXPECT_EQ(refusal(github(kGithubPush, "issues"), kGithubPush), Code::invalid_argument);
    EXPECT_EQ(refusal(gitea(kGithubPush, ""), kGithubPush), Code::invalid_argument);
    EXPECT_EQ(refusal(gitlab(kSecret, "Issue Hook"), kGitlabPush), Code::invalid_argument);
    EXPECT_EQ(refusal({}, kGithubPush), Code::invalid_argument);
    std::string huge = "{\"x\":\"" + std::string(kWebhookBodyLimit, 'x') + "\"}";
    EXPECT_EQ(refusal(github(huge), huge), Code::invalid_argument);
}

TEST(Webhook, WhatASenderCallsItsEventAndDeliveryCannotForgeLogLines) {
    Headers headers = github(kGithubPush);
    headers["x-github-delivery"] = "a\nb" + std::string(500, 'x');
    std::string delivery = verify_webhook(headers, kGithubPush, kSecret).delivery;
    EXPECT_EQ(delivery.substr(0, 4), "a?bx");
    EXPECT_LE(delivery.size(), 64u);
}

TEST(Webhook, TheSameRepositoryIsKnownByAllItsAddresses) {
    const std::vector<std::vector<std::string>> same = {
        {"https://git.example.test/team/app.git", "https://git.example.test/team/app",
         "https://git.example.test/team/app/", "https://git.example.test/team/app.git/",
         "http://git.example.test/team/app.git", "HTTPS://GIT.Example.Test/team/app",
         "https://git.example.test:443/team/app", "http://git.example.test:80/team/app",
         "https://user:password@git.example.test/team/app.git", "https://git.example.test./team/app",
         "git@git.example.test:team/app.git", "git.example.test:team/app", "git@git.example.test:/team/app.git",
         "ssh://git@git.example.test/team/app.git", "ssh://git@git.example.test:22/team/app",
         "git://git.example.test:9418/team/app.git", "git+ssh://git.example.test/team/app",
         "https://git.example.test//team/app"},
        {"ssh://git@git.example.test:2222/team/app.git", "ssh://git.example.test:2222/team/app"},
        {"https://git.example.test/team/App"},
        {"https://git.example.test/team/app2"},
        {"https://git.example.test/app"},
        {"https://other.example.test/team/app.git"},
        {"https://git.example.test:8443/team/app.git"},
        {"https://git.example.test.evil.test/team/app.git"},
        {"https://[2001:db8::1]/team/app", "ssh://git@[2001:DB8::1]:22/team/app.git", "git@[2001:db8::1]:team/app"},
        {"/srv/git/app.git", "/srv/git/app", "file:///srv/git/app.git"},
        {"file:///srv/git/other.git", "file:///srv/git/other"},
    };
    for (size_t i = 0; i < same.size(); ++i) {
        for (const std::string& a : same[i]) {
            for (size_t j = 0; j < same.size(); ++j) {
                for (const std::string& b : same[j]) EXPECT_EQ(same_repository(a, b), i == j) << a << " and " << b;
            }
        }
    }
}

TEST(Webhook, AddressesOfNothingAreNeverTheSame) {
    for (const char* bad : {"", "/", ".git", "https://", "https://git.example.test", "https://git.example.test/",
                            "git@git.example.test:", ":", "://", "[:", "@:@"}) {
        EXPECT_FALSE(same_repository(bad, bad)) << bad;
    }
}

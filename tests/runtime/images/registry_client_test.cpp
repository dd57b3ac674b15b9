#include "runtime/images/registry_client.h"

#include "base/error.h"
#include "registry_server.h"
#include "tests/support/signal.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

using namespace kedge;
using namespace kedge::runtime;
using namespace kedge::runtime::test;

namespace {

using Request = HostileServer::Request;
using Peer = HostileServer::Peer;

constexpr const char* kSecret = "correct-horse-battery";

const TestImage& image() {
    static const TestImage made = make_image({{{"file", "content"}}});
    return made;
}

Error error_of(const std::function<void()>& work) {
    try {
        work();
    } catch (const Error& e) {
        return e;
    }
    ADD_FAILURE() << "nothing was thrown";
    return Error(Code::internal, "");
}

Error error_of_manifest(const std::string& name, const RegistrySettings& settings = {},
                        std::optional<Credentials> credentials = {}) {
    return error_of([&] {
        Reference reference = Reference::parse(name);
        (void)RegistryClient(settings, reference, credentials).manifest(reference.tag);
    });
}

std::string fetch(RegistryClient& client, const Digest& digest, std::stop_token stop = {}) {
    std::string body;
    client.blob(
        digest, 0, [] {}, [&](std::string_view data) { body += data; }, stop);
    return body;
}

std::string basic(const std::string& encoded) {
    return "Basic " + encoded;
}

/// Answers every request with one status.
FakeRegistry::Hook always(int status, std::map<std::string, std::string> headers = {}, std::string body = {}) {
    return [=](const Request&, Peer& peer) {
        peer.answer(status, headers, body);
        return true;
    };
}

}  // namespace

TEST(RegistryClient, ATagIsResolvedToTheDigestOfItsManifest) {
    FakeRegistry registry(image());
    RegistryClient client({}, Reference::parse(registry.name()), {});
    EXPECT_EQ(client.resolve("1"), Digest::of(image().manifest));
    EXPECT_EQ(registry.server().count("GET", ""), 0u);
    RegistryClient::Manifest manifest = client.manifest("1");
    EXPECT_EQ(manifest.digest, Digest::of(image().manifest));
    EXPECT_EQ(manifest.body, image().manifest);
    EXPECT_NE(registry.server().requests().back().header("accept").find(
                  "application/vnd.docker.distribution.manifest.list.v2+json"),
              std::string::npos);
}

TEST(RegistryClient, ARegistryThatSendsNoDigestIsAskedForTheManifestItself) {
    FakeRegistry registry(image(), [](const Request& request, Peer& peer) {
        if (request.method == "HEAD") peer.answer(200, {{"Content-Length", "10"}}, "");
        return request.method == "HEAD";
    });
    EXPECT_EQ(RegistryClient({}, Reference::parse(registry.name()), {}).resolve("1"), Digest::of(image().manifest));
}

TEST(RegistryClient, StatusesBecomeErrorsInDockersWords) {
    struct Case {
        int status;
        Code code;
        bool transient;
        std::string message;  // {} is the registry's host
        std::map<std::string, std::string> headers;
        std::string hint;
    };
    const Case cases[] = {
        {401,
         Code::unauthenticated,
         false,
         "pull access denied for {}/app, repository does not exist or may require authorization",
         {},
         ""},
        {403, Code::permission_denied, false, "registry {} forbids access to {}/app", {}, ""},
        {404, Code::not_found, false, "manifest for {}/app:1 not found", {}, ""},
        {429,
         Code::resource_exhausted,
         true,
         "{}/app: registry {} limits the rate of requests",
         {{"Retry-After", "17"}},
         "retry after 17 s"},
        {429,
         Code::resource_exhausted,
         true,
         "{}/app: registry {} limits the rate of requests",
         {{"Retry-After", "Wed, 21 Oct 2026 07:28:00 GMT"}},
         "retry after Wed, 21 Oct 2026 07:28:00 GMT"},
        {418, Code::invalid_argument, false, "manifest for {}/app:1: registry {} answered 418", {}, ""},
    };
    for (const Case& c : cases) {
        FakeRegistry registry(image(), always(c.status, c.headers));
        Error error = error_of_manifest(registry.name());
        std::string message = c.message;
        for (size_t at; (at = message.find("{}")) != std::string::npos;) message.replace(at, 2, registry.host());
        EXPECT_EQ(error.what(), message);
        EXPECT_EQ(error.code(), c.code) << c.status;
        EXPECT_EQ(error.transient(), c.transient) << c.status;
        EXPECT_EQ(error.hint(), c.hint);
    }
}

TEST(RegistryClient, WhatTheRegistrySaysIsShownWithoutControlCharactersAndCut) {
    nlohmann::json said = {{"errors", {{{"code", "DENIED"}, {"message", "no\x1b[31m " + std::string(5000, 'x')}}}}};
    FakeRegistry registry(image(), always(403, {}, said.dump()));
    std::string message = error_of_manifest(registry.name()).what();
    EXPECT_NE(message.find(": no?[31m xxx"), std::string::npos) << message;
    EXPECT_LT(message.size(), 400u);
}

TEST(RegistryClient, AServerErrorIsTriedAgain) {
    std::atomic<int> asked = 0;
    FakeRegistry registry(image(), [&](const Request&, Peer& peer) {
        if (asked++ > 0) return false;
        peer.answer(500, {}, "");
        return true;
    });
    EXPECT_EQ(RegistryClient({}, Reference::parse(registry.name()), {}).manifest("1").body, image().manifest);
    EXPECT_EQ(asked, 2);
}

TEST(RegistryClient, AServerThatKeepsFailingIsUnavailable) {
    FakeRegistry registry(image(), always(503));
    Error error = error_of_manifest(registry.name());
    EXPECT_EQ(error.code(), Code::unavailable);
    EXPECT_EQ(std::string(error.what()),
              "manifest for " + registry.name() + ": registry " + registry.host() + " answered 503");
    EXPECT_EQ(registry.server().requests().size(), 3u);
}

TEST(RegistryClient, AnUnreachableRegistryIsNamed) {
    std::string host = "127.0.0.1:" + std::to_string(free_port());
    Error error = error_of_manifest(host + "/app:1");
    EXPECT_EQ(error.code(), Code::unavailable);
    EXPECT_EQ(std::string(error.what()), host + ": connection refused");
}

TEST(RegistryClient, ANameThatNoServerKnowsIsUnavailable) {
    Error error = error_of_manifest("nosuchhost.invalid/app:1");
    EXPECT_EQ(error.code(), Code::unavailable);
    EXPECT_TRUE(std::string(error.what()).starts_with("nosuchhost.invalid: ")) << error.what();
}

TEST(RegistryClient, AnonymousTokensComeFromTheTokenServer) {
    std::string realm;
    FakeRegistry registry(image(), [&](const Request& request, Peer& peer) {
        if (request.target.starts_with("/token")) {
            peer.answer(200, {}, R"({"access_token":"abc.def"})");
        } else if (request.header("authorization") != "Bearer abc.def") {
            peer.answer(401,
                        {{"WWW-Authenticate",
                          "Bearer realm=\"" + realm + "\",service=\"my registry\",scope=\"repository:app:pull\""}},
                        "{}");
        } else {
            return false;
        }
        return true;
    });
    realm = "http://" + registry.host() + "/token";
    RegistryClient client({}, Reference::parse(registry.name()), {});
    EXPECT_EQ(client.manifest("1").body, image().manifest);
    EXPECT_EQ(registry.server().requests()[1].target, "/token?scope=repository%3Aapp%3Apull&service=my%20registry");
    EXPECT_EQ(registry.server().requests()[1].header("authorization"), "");
    // A second request, and a second connection, use the same token.
    EXPECT_EQ(fetch(client, Digest::of(image().config)), image().config);
    RegistryClient another = client.another();
    EXPECT_EQ(fetch(another, Digest::of(image().config)), image().config);
    EXPECT_EQ(registry.server().count("GET", "/token"), 1u);
}

TEST(RegistryClient, ATokenThatRunsOutIsRenewed) {
    std::atomic<int> tokens = 0;
    std::string realm;
    FakeRegistry registry(image(), [&](const Request& request, Peer& peer) {
        if (request.target.starts_with("/token")) {
            peer.answer(200, {}, fmt::format(R"({{"token":"t{}"}})", ++tokens));
        } else if (request.header("authorization") !=
                   (request.target.find("/blobs/") == std::string::npos ? "Bearer t1" : "Bearer t2")) {
            peer.answer(401, {{"Www-Authenticate", "Bearer realm=\"" + realm + "\""}}, "");
        } else {
            return false;
        }
        return true;
    });
    realm = "http://" + registry.host() + "/token";
    RegistryClient client({}, Reference::parse(registry.name()), {});
    (void)client.manifest("1");
    EXPECT_EQ(fetch(client, Digest::of(image().config)), image().config);
    EXPECT_EQ(tokens, 2);
}

TEST(RegistryClient, CredentialsGoToTheTokenServerAndNeverIntoMessages) {
    std::string realm;
    FakeRegistry registry(image(), [&](const Request& request, Peer& peer) {
        if (request.target.starts_with("/token")) {
            EXPECT_EQ(request.header("authorization"), basic("bWU6Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5"));
            peer.answer(200, {}, R"({"token":"very.secret.token"})");
        } else if (request.header("authorization").empty()) {
            peer.answer(401, {{"WWW-Authenticate", "Bearer realm=\"" + realm + "\""}}, "");
        } else {
            // A registry that repeats what it was told.
            nlohmann::json said = {
                {"errors", {{{"code", "DENIED"}, {"message", "you sent " + request.header("authorization")}}}}};
            peer.answer(403, {{"Retry-After", kSecret}}, said.dump());
        }
        return true;
    });
    realm = "http://" + registry.host() + "/token";
    Error error = error_of_manifest(registry.name(), {}, Credentials{"me", kSecret, ""});
    EXPECT_EQ(error.code(), Code::permission_denied);
    std::string all = std::string(error.what()) + error.hint();
    EXPECT_EQ(all.find("very.secret.token"), std::string::npos) << all;
    EXPECT_EQ(all.find(kSecret), std::string::npos) << all;
}

TEST(RegistryClient, ATokenServerThatRefusesOrTalksNonsenseIsAnError) {
    struct Case {
        int status;
        std::string body;
        Code code;
    };
    for (const Case& c : {Case{401, "", Code::unauthenticated}, Case{200, "{}", Code::unavailable},
                          Case{200, "[[[[", Code::unavailable}, Case{200, R"({"token":7})", Code::unavailable},
                          Case{200, R"({"token":"a\r\nX-Evil: 1"})", Code::unavailable},
                          Case{500, "", Code::unavailable}, Case{429, "", Code::resource_exhausted}}) {
        std::string realm;
        FakeRegistry registry(image(), [&](const Request& request, Peer& peer) {
            if (request.target.starts_with("/token"))
                peer.answer(c.status, {}, c.body);
            else
                peer.answer(401, {{"WWW-Authenticate", "Bearer realm=\"" + realm + "\""}}, "");
            return true;
        });
        realm = "http://" + registry.host() + "/token";
        EXPECT_EQ(error_of_manifest(registry.name()).code(), c.code) << c.body;
        for (const Request& request : registry.server().requests()) EXPECT_EQ(request.header("x-evil"), "");
    }
}

TEST(RegistryClient, CredentialsAreNotSentToATokenServerWithoutTls) {
    FakeRegistry registry(image(),
                          always(401, {{"WWW-Authenticate", "Bearer realm=\"http://auth.example.test/token\""}}));
    Error error = error_of_manifest(registry.name(), {}, Credentials{"me", kSecret, ""});
    EXPECT_EQ(error.code(), Code::permission_denied);
    EXPECT_NE(std::string(error.what()).find("auth.example.test"), std::string::npos) << error.what();
}

TEST(RegistryClient, BasicAuthenticationIsUsedWhenTheRegistryAsksForIt) {
    FakeRegistry registry(image(), [&](const Request& request, Peer& peer) {
        if (request.header("authorization") == basic("bWU6Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5")) return false;
        peer.answer(401, {{"WWW-Authenticate", "Basic realm=\"here\""}}, "");
        return true;
    });
    RegistrySettings settings;
    settings.credentials[registry.host()] = {"me", kSecret, ""};
    EXPECT_EQ(RegistryClient(settings, Reference::parse(registry.name()), {}).manifest("1").body, image().manifest);
    EXPECT_EQ(registry.server().requests().front().header("authorization"), "") << "credentials were sent unasked";

    settings.credentials[registry.host()].password = "wrong";
    EXPECT_EQ(error_of_manifest(registry.name(), settings).code(), Code::unauthenticated);
    size_t before = registry.server().requests().size();
    EXPECT_EQ(error_of_manifest(registry.name()).code(), Code::unauthenticated);
    EXPECT_EQ(registry.server().requests().size(), before + 1)
        << "without credentials there is nothing to try again with";
}

TEST(RegistryClient, ABearerTokenOfTheConfigurationIsSentAsItIs) {
    FakeRegistry registry(image(), [&](const Request& request, Peer& peer) {
        if (request.header("authorization") == "Bearer given") return false;
        peer.answer(401, {}, "");
        return true;
    });
    EXPECT_EQ(RegistryClient({}, Reference::parse(registry.name()), Credentials{"", "", "given"}).manifest("1").body,
              image().manifest);
    EXPECT_EQ(error_of_manifest(registry.name(), {}, Credentials{"", "", "other"}).code(), Code::unauthenticated);
    EXPECT_EQ(error_of_manifest(registry.name(), {}, Credentials{"", "", "a\r\nb"}).code(), Code::invalid_argument);
}

TEST(RegistryClient, ARedirectToAnotherHostDropsTheCredentialsAndKeepsTheAddressToTheByte) {
    HostileServer storage([](const Request& request, Peer& peer) {
        bool right = request.header("authorization").empty() && request.target == "/any%20where?signature=%2Babc%2F%3d";
        peer.answer(right ? 200 : 400, {}, image().config);
    });
    FakeRegistry registry(image(), [&](const Request& request, Peer& peer) {
        if (request.header("authorization").empty())
            peer.answer(401, {{"WWW-Authenticate", "Basic realm=\"here\""}}, "");
        else
            peer.answer(307, {{"Location", "http://" + storage.host() + "/any%20where?signature=%2Babc%2F%3d"}}, "");
        return true;
    });
    RegistryClient client({}, Reference::parse(registry.name()), Credentials{"me", kSecret, ""});
    EXPECT_EQ(fetch(client, Digest::of(image().config)), image().config);
    ASSERT_EQ(storage.requests().size(), 1u);
    EXPECT_EQ(storage.requests()[0].header("authorization"), "");
}

TEST(RegistryClient, ARedirectOnTheSameHostKeepsTheCredentials) {
    FakeRegistry registry(image(), [&](const Request& request, Peer& peer) {
        if (request.header("authorization").empty())
            peer.answer(401, {{"WWW-Authenticate", "Basic realm=\"here\""}}, "");
        else if (!request.target.starts_with("/moved"))
            peer.answer(302, {{"Location", "/moved" + request.target}}, "");
        else
            return false;
        return true;
    });
    RegistryClient client({}, Reference::parse(registry.name()), Credentials{"me", kSecret, ""});
    EXPECT_EQ(fetch(client, Digest::of(image().config)), image().config);
}

TEST(RegistryClient, RedirectsEnd) {
    FakeRegistry registry(image(), [](const Request& request, Peer& peer) {
        peer.answer(302, {{"Location", request.target + "x"}}, "");
        return true;
    });
    Error error = error_of_manifest(registry.name());
    EXPECT_EQ(error.code(), Code::unavailable);
    EXPECT_EQ(registry.server().requests().size(), 11u);
}

TEST(RegistryClient, ASignedAddressThatIsRefusedMayWorkNextTimeAndIsNotShown) {
    HostileServer storage([](const Request&, Peer& peer) { peer.answer(403, {}, ""); });
    FakeRegistry registry(image(), always(307, {{"Location", "http://" + storage.host() + "/x?signature=abc"}}));
    RegistryClient client({}, Reference::parse(registry.name()), {});
    Error error = error_of([&] { (void)fetch(client, Digest::of("x")); });
    EXPECT_EQ(error.code(), Code::unavailable);
    EXPECT_EQ(std::string(error.what()).find("signature"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find(storage.host()), std::string::npos) << error.what();
}

TEST(RegistryClient, ContentThatIsNotWhatItsDigestSaysIsRefused) {
    FakeRegistry registry(image(), [](const Request&, Peer& peer) {
        peer.answer(200,
                    {{"Content-Type", "application/vnd.oci.image.manifest.v1+json"},
                     {"Docker-Content-Digest", Digest::of("other").str()}},
                    image().manifest);
        return true;
    });
    RegistryClient client({}, Reference::parse(registry.name()), {});
    EXPECT_EQ(error_of([&] { (void)client.manifest("1"); }).code(), Code::invalid_argument);
    EXPECT_EQ(error_of([&] { (void)client.manifest(Digest::of("asked").str()); }).code(), Code::invalid_argument);
}

TEST(RegistryClient, ManifestsThatCannotBeUsedAreRefused) {
    struct Case {
        std::string type, body, part;
    };
    const std::string oci = "application/vnd.oci.image.manifest.v1+json",
                      list = "application/vnd.docker.distribution.manifest.list.v2+json";
    for (const Case& c : {
             Case{"application/vnd.docker.distribution.manifest.v1+prettyjws",
                  R"({"schemaVersion":1,"name":"app","fsLayers":[]})", "schema 1"},
             Case{oci, "{", "not a JSON object"},
             Case{oci, std::string(100000, '['), "not a JSON object"},
             Case{oci, "{}", "schemaVersion"},
             Case{oci, R"({"schemaVersion":2,"mediaType":")" + list + R"("})", "but says it is"},
             Case{"text/html", R"({"schemaVersion":2})", "neither"},
             Case{oci, R"({"schemaVersion":2,"layers":[],"manifests":[]})", "both"},
             Case{oci, R"({"schemaVersion":2,"x":")" + std::string(5u << 20, 'x') + "\"}", "larger than 4194304"},
         }) {
        FakeRegistry registry(image());
        registry.put_manifest("1", c.type, c.body);
        Error error = error_of_manifest(registry.name());
        EXPECT_EQ(error.code(), Code::invalid_argument);
        EXPECT_NE(std::string(error.what()).find(c.part), std::string::npos) << error.what();
    }
}

TEST(RegistryClient, AManifestWithoutMediaTypeIsKnownByItsContent) {
    FakeRegistry registry(image());
    registry.put_manifest("1", "application/json; charset=utf-8", R"({"schemaVersion":2,"manifests":[]})");
    EXPECT_EQ(RegistryClient({}, Reference::parse(registry.name()), {}).manifest("1").media_type,
              "application/vnd.oci.image.index.v1+json");
}

TEST(RegistryClient, AStopEndsATransferAtOnce) {
    Signal begun;
    FakeRegistry registry(image(), [&](const Request&, Peer& peer) {
        peer.answer(200, {{"Content-Length", "1000"}}, "first bytes");
        peer.wait_until_gone();
        return true;
    });
    std::stop_source stop;
    RegistryClient client({}, Reference::parse(registry.name()), {});
    std::jthread stopper([&] {
        EXPECT_TRUE(begun.await());
        stop.request_stop();
    });
    auto start = std::chrono::steady_clock::now();
    Error error = error_of([&] {
        client.blob(
            Digest::of("x"), 0, [] {}, [&](std::string_view) { begun.give(); }, stop.get_token());
    });
    EXPECT_EQ(error.code(), Code::cancelled);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST(RegistryClient, AStopEndsWaitingForAnAnswer) {
    Signal asked;
    FakeRegistry registry(image(), [&](const Request&, Peer& peer) {
        asked.give();
        peer.wait_until_gone();
        return true;
    });
    std::stop_source stop;
    RegistryClient client({}, Reference::parse(registry.name()), {});
    std::jthread stopper([&] {
        EXPECT_TRUE(asked.await());
        stop.request_stop();
    });
    EXPECT_EQ(error_of([&] { (void)client.manifest("1", stop.get_token()); }).code(), Code::cancelled);
    EXPECT_EQ(error_of([&] { (void)client.manifest("1", stop.get_token()); }).code(), Code::cancelled)
        << "a stop before the beginning";
}

TEST(RegistryClient, AKeptConnectionThatTheServerClosedIsOpenedAgain) {
    FakeRegistry registry(image(), [](const Request& request, Peer& peer) {
        if (request.method != "HEAD") return false;
        peer.answer(200, {{"Docker-Content-Digest", Digest::of("x").str()}, {"Content-Length", "0"}}, "");
        peer.hang_up();
        return true;
    });
    RegistryClient client({}, Reference::parse(registry.name()), {});
    for (int i = 0; i < 20; ++i) EXPECT_EQ(client.resolve("1"), Digest::of("x"));
    EXPECT_EQ(client.manifest("1").body, image().manifest);
}

TEST(RegistryClient, MirrorsAreAskedFirstAndTheRegistryWhenTheyFail) {
    FakeRegistry registry(image()), good(image()), empty(image(), always(404)),
        wrong(image(), [](const Request&, Peer&peer) {
            peer.answer(200, {{"Docker-Content-Digest", Digest::of("other").str()}}, image().manifest);
            return true;
        });
    std::string gone = "127.0.0.1:" + std::to_string(free_port());
    RegistrySettings settings;
    settings.mirrors[registry.host()] = {gone, empty.host(), "http://" + good.host()};
    RegistryClient client(settings, Reference::parse(registry.name()), {});
    EXPECT_EQ(client.manifest("1").body, image().manifest);
    EXPECT_EQ(good.server().requests().size(), 1u);
    EXPECT_EQ(registry.server().requests().size(), 0u);

    settings.mirrors[registry.host()] = {gone, empty.host(), wrong.host()};
    RegistryClient other(settings, Reference::parse(registry.name()), {});
    EXPECT_EQ(other.manifest("1").body, image().manifest);
    EXPECT_EQ(other.manifest("1").body, image().manifest);
    EXPECT_EQ(registry.server().requests().size(), 2u);
    EXPECT_EQ(wrong.server().requests().size(), 1u) << "a mirror with wrong content was asked again";
}

TEST(RegistryClient, AMirrorThatBreaksOffIsContinuedByTheRegistry) {
    FakeRegistry registry(image());
    FakeRegistry mirror(image(), [](const Request&, Peer& peer) {
        peer.answer(200, {{"Content-Length", std::to_string(image().config.size())}}, image().config.substr(0, 10));
        peer.hang_up();
        return true;
    });
    RegistrySettings settings;
    settings.mirrors[registry.host()] = {mirror.host()};
    RegistryClient client(settings, Reference::parse(registry.name()), {});
    EXPECT_EQ(fetch(client, Digest::of(image().config)), image().config);
    EXPECT_EQ(registry.server().requests().back().header("range"), "bytes=10-");
}

TEST(RegistryClient, CredentialsForTheRegistryAreNotShownToItsMirrors) {
    FakeRegistry registry(image()), mirror(image(), always(401, {{"WWW-Authenticate", "Basic realm=\"mirror\""}}));
    RegistrySettings settings;
    settings.mirrors[registry.host()] = {mirror.host()};
    settings.credentials[registry.host()] = {"me", kSecret, ""};
    EXPECT_EQ(
        RegistryClient(settings, Reference::parse(registry.name()), Credentials{"me", kSecret, ""}).manifest("1").body,
        image().manifest);
    ASSERT_FALSE(mirror.server().requests().empty());
    for (const Request& request : mirror.server().requests()) EXPECT_EQ(request.header("authorization"), "");
}

TEST(RegistryClient, AMirrorWithoutTlsMustBeConfiguredAsInsecure) {
    RegistrySettings settings;
    settings.mirrors["registry.example.test"] = {"http://mirror.example.test"};
    EXPECT_EQ(error_of_manifest("registry.example.test/app:1", settings).code(), Code::invalid_argument);
}

TEST(RegistryClient, WhatTheSinkThrowsComesThrough) {
    FakeRegistry registry(image());
    RegistryClient client({}, Reference::parse(registry.name()), {});
    Error error = error_of([&] {
        client.blob(
            Digest::of(image().config), 0, [] {},
            [](std::string_view) { throw Error(Code::resource_exhausted, "full"); });
    });
    EXPECT_EQ(std::string(error.what()), "full");
    EXPECT_EQ(fetch(client, Digest::of(image().config)), image().config);
}

TEST(RegistryClient, AnEndlessHeadIsCutOff) {
    FakeRegistry registry(image(), [](const Request&, Peer& peer) {
        (void)peer.send("HTTP/1.1 200 OK\r\n");
        for (std::string line = "X-More: " + std::string(1000, 'x') + "\r\n"; peer.send(line);) {
        }
        return true;
    });
    Error error = error_of_manifest(registry.name());
    EXPECT_EQ(error.code(), Code::invalid_argument);
    EXPECT_EQ(std::string(error.what()), registry.host() + ": the head of its answer or of a chunk is too large");
}

TEST(RegistryClient, AnEndlessChunkHeadIsCutOff) {
    FakeRegistry registry(image(), [](const Request&, Peer& peer) {
        (void)peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n");
        while (peer.send(std::string(1000, '0'))) {
        }
        return true;
    });
    EXPECT_EQ(error_of_manifest(registry.name()).code(), Code::invalid_argument);
}

TEST(RegistryClient, AnswersThatAreNotHttpAreErrors) {
    for (const char* said : {"", "\r\n\r\n", "220 mail ready\r\n", "HTTP/1.1 banana\r\n\r\n",
                             "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
                             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
        FakeRegistry registry(image(), [&](const Request&, Peer& peer) {
            (void)peer.send(said);
            peer.hang_up();
            return true;
        });
        Code code = error_of_manifest(registry.name()).code();
        EXPECT_TRUE(code == Code::unavailable || code == Code::invalid_argument) << said << ": " << to_string(code);
    }
}

#include "base/error.h"
#include "registry_server.h"
#include "runtime/images/registry_client.h"
#include "runtime/images/registry_http.h"
#include "runtime/images/registry_url.h"

#include <gtest/gtest.h>
#include <httplib.h>

#include <thread>

using namespace kedge;
using namespace kedge::runtime;
using namespace kedge::runtime::test;

namespace {

struct Certificates {
    TemporaryFolder folder;
    Certificates() { make_certificates(folder.path()); }
    std::string at(const std::string& name) const { return folder.path() + "/" + name; }
};

const Certificates& certificates() {
    static const Certificates made;
    return made;
}

Error error_of_manifest(const std::string& name, const RegistrySettings& settings) {
    try {
        (void)RegistryClient(settings, Reference::parse(name), {}).manifest("1");
    } catch (const Error& e) {
        return e;
    }
    ADD_FAILURE() << "nothing was thrown";
    return Error(Code::internal, "");
}

/// Redirects everything.
struct RedirectingServer {
    httplib::SSLServer server{certificates().at("server.pem").c_str(), certificates().at("server.key").c_str()};
    int port = 0;
    std::jthread thread;
    explicit RedirectingServer(const std::string& location) {
        server.Get(".*", [location](const httplib::Request&, httplib::Response& response) {
            response.set_redirect(location);
        });
        port = server.bind_to_any_port("127.0.0.1");
        thread = std::jthread([this] { server.listen_after_bind(); });
    }
    ~RedirectingServer() { server.stop(); }
};

}  // namespace

TEST(RegistryTls, ARegistryWithACertificateOfItsOwnAuthorityIsTrustedWithThatAuthoritysFile) {
    RealRegistry registry(certificates().at("server.pem"), certificates().at("server.key"));
    TestImage image = make_image({{{"a", std::string(300000, 'x')}}});
    registry.push(image, "app:1");
    RegistrySettings settings;
    settings.ca_files[registry.host()] = certificates().at("ca.pem");
    RegistryClient client(settings, Reference::parse(registry.host() + "/app:1"), {});
    EXPECT_EQ(client.manifest("1").body, image.manifest);
    std::string blob;
    client.blob(
        Digest::of(image.layers[0].blob), 0, [] {}, [&](std::string_view data) { blob += data; });
    EXPECT_EQ(blob, image.layers[0].blob);
}

TEST(RegistryTls, AnUnknownAuthorityIsNotTrusted) {
    RealRegistry registry(certificates().at("server.pem"), certificates().at("server.key"));
    HttpTransport transport(std::make_shared<RegistrySettings>());
    HttpRequest request;
    request.url = Url::parse("https://" + registry.host() + "/v2/");
    try {
        (void)transport.send(request, nullptr, {});
        FAIL() << "it was trusted";
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), Code::unavailable);
        EXPECT_NE(std::string(e.what()).find(registry.host() + ": certificate is not trusted"), std::string::npos)
            << e.what();
    }
}

TEST(RegistryTls, ACertificateForAnotherHostIsNotTrusted) {
    TemporaryFolder folder;
    ASSERT_TRUE(
        run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
             "2", "-subj", "/CN=elsewhere.example.test", "-addext", "subjectAltName=DNS:elsewhere.example.test",
             "-keyout", folder.path() + "/key", "-out", folder.path() + "/pem"}));
    RealRegistry elsewhere(folder.path() + "/pem", folder.path() + "/key");
    RegistrySettings settings;
    settings.ca_files[elsewhere.host()] = folder.path() + "/pem";
    Error error = error_of_manifest(elsewhere.host() + "/app:1", settings);
    EXPECT_EQ(error.code(), Code::unavailable);
    EXPECT_NE(std::string(error.what()).find("certificate is not trusted: it is for another host"), std::string::npos)
        << error.what();
}

TEST(RegistryTls, AMissingOrUnusableAuthorityFileIsNamed) {
    RealRegistry registry(certificates().at("server.pem"), certificates().at("server.key"));
    RegistrySettings settings;
    settings.ca_files[registry.host()] = "/nonexistent/ca.pem";
    EXPECT_NE(std::string(error_of_manifest(registry.host() + "/app:1", settings).what()).find("/nonexistent/ca.pem"),
              std::string::npos);
    settings.ca_files[registry.host()] = "/etc/passwd";
    EXPECT_EQ(error_of_manifest(registry.host() + "/app:1", settings).code(), Code::invalid_argument);
}

TEST(RegistryTls, ARegistryThatSpeaksNoTlsIsNotAskedWithoutIt) {
    FakeRegistry registry(make_image({{{"a", "1"}}}));
    RegistrySettings settings;
    settings.ca_files[registry.host()] = certificates().at("ca.pem");
    Error error = error_of_manifest(registry.name(), settings);
    EXPECT_EQ(error.code(), Code::unavailable);
    EXPECT_FALSE(error.hint().empty());
    EXPECT_EQ(registry.server().count("GET", "/v2/"), 0u);
}

TEST(RegistryTls, ARedirectToPlainHttpIsFollowedOnlyToHostsConfiguredAsInsecure) {
    TestImage image = make_image({{{"a", "1"}}});
    FakeRegistry plain(image);
    RedirectingServer redirecting("http://" + plain.host() + "/v2/app/manifests/1");
    std::string host = "127.0.0.1:" + std::to_string(redirecting.port);
    RegistrySettings settings;
    settings.ca_files[host] = certificates().at("ca.pem");
    Error error = error_of_manifest(host + "/app:1", settings);
    EXPECT_EQ(error.code(), Code::permission_denied);
    EXPECT_EQ(plain.server().requests().size(), 0u);
    settings.insecure.push_back(plain.host());
    EXPECT_EQ(RegistryClient(settings, Reference::parse(host + "/app:1"), {}).manifest("1").body, image.manifest);
}

TEST(RegistryUrl, AddressesAreReadAndResolved) {
    Url base = Url::parse("https://Registry.Example.test/v2/app/blobs/x?y=1#z");
    EXPECT_EQ(base.authority(), "registry.example.test");
    EXPECT_EQ(base.target, "/v2/app/blobs/x?y=1");
    struct Case {
        std::string location, authority, target;
        bool tls;
    };
    for (const Case& c : {
             Case{"http://[::1]:5000", "[::1]:5000", "/", false},
             Case{"HTTPS://a.test:443/b", "a.test", "/b", true},
             Case{"//cdn.test:8443/b", "cdn.test:8443", "/b", true},
             Case{"/other", "registry.example.test", "/other", true},
             Case{"y?u=a:b", "registry.example.test", "/v2/app/blobs/y?u=a:b", true},
             Case{"?q", "registry.example.test", "/v2/app/blobs/x?q", true},
             Case{"http://a.test?q", "a.test", "/?q", false},
         }) {
        Url url = base.resolve(c.location);
        EXPECT_EQ(url.authority(), c.authority) << c.location;
        EXPECT_EQ(url.target, c.target) << c.location;
        EXPECT_EQ(url.tls, c.tls) << c.location;
    }
}

TEST(RegistryUrl, WhatIsNoUsableAddressIsRefused) {
    for (const char* bad :
         {"", "ftp://a.test/", "file:///etc/passwd", "https://", "https:///x", "https://user:secret@a.test/",
          "https://a.test:0/", "https://a.test:99999/", "https://a.test:x/", "https://a b.test/", "https://a.test/a b",
          "https://a.test/\r\nX: 1", "https://[::1/", "https://[::1]x/", "https://a:1:2/", "javascript:alert(1)"}) {
        try {
            Url url = Url::parse("https://registry.test/x").resolve(bad);
            // An empty location and a relative one are fine; anything else must not be.
            EXPECT_EQ(std::string(bad), "") << url.authority() << url.target;
        } catch (const Error& e) {
            EXPECT_EQ(e.code(), Code::invalid_argument);
            EXPECT_EQ(std::string(e.what()).find("secret"), std::string::npos);
        }
    }
}

TEST(RegistryUrl, HttpIsForLoopbackAndInsecureRegistriesOnly) {
    RegistrySettings settings;
    settings.insecure = {"lan.test:5000"};
    settings.ca_files["localhost:5001"] = "/ca.pem";
    struct Case {
        std::string name;
        bool tls;
    };
    for (const Case& c :
         {Case{"localhost:5000", false}, Case{"127.0.0.1", false}, Case{"127.9.9.9:80", false},
          Case{"[::1]:5000", false}, Case{"lan.test:5000", false}, Case{"lan.test", true}, Case{"lan.test:5001", true},
          Case{"localhost:5001", true}, Case{"localhost.example.test", true}, Case{"128.0.0.1:5000", true},
          Case{"127.0.0.1.example.test", true}}) {
        EXPECT_EQ(registry_base(settings, c.name).tls, c.tls) << c.name;
    }
}

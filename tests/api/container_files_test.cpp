#include "base/tar/tar_reader.h"
#include "tests/api/api_fixture.h"

#include <openssl/evp.h>

namespace kedge::api {
namespace {

using nlohmann::json;
using test::Answer;
using test::request;

struct ContainerFileRoutes : test::ApiFixture {
    void SetUp() override {
        ApiFixture::SetUp();
        create("box", "true", {{"HostConfig", {{"NetworkMode", "none"}}}});
    }
    static std::string tar(const std::string& name, const std::string& data) {
        test::TarWriter writer;
        writer.file(name, data);
        return writer.finish();
    }
    Answer send(const std::string& method, const std::string& target, const std::string& body = {},
                const std::string& more = {}) {
        test::RawClient client = server->client();
        client.send(request(method, target, body, "Connection: close\r\nContent-Type: application/x-tar\r\n" + more));
        return client.answer(method == "HEAD");
    }
    static std::string message(const Answer& answer) {
        return json::parse(answer.body, nullptr, false).value("message", "");
    }
    /// X-Docker-Container-Path-Stat of an answer's head.
    static json stat_of(const Answer& answer) {
        auto found = answer.headers.find("X-Docker-Container-Path-Stat");
        if (found == answer.headers.end()) return nullptr;
        std::string text(found->second.size(), '\0');
        (void)EVP_DecodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                              reinterpret_cast<const unsigned char*>(found->second.data()),
                              static_cast<int>(found->second.size()));
        return json::parse(text.c_str(), nullptr, false);
    }
};

TEST_F(ContainerFileRoutes, TakeAndGiveTars) {
    EXPECT_EQ(send("PUT", "/v1.43/containers/box/archive?path=/data", tar("f", "hello")).status, 200);
    Answer head = send("HEAD", "/containers/box/archive?path=/data/f");
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.body, "");
    json stat = stat_of(head);
    EXPECT_EQ(stat["name"], "f");
    EXPECT_EQ(stat["size"], 5);
    EXPECT_EQ(stat["mode"], 0644);
    EXPECT_EQ(stat["linkTarget"], "");
    Answer got = send("GET", "/containers/box/archive?path=/data/f");
    EXPECT_EQ(got.status, 200);
    EXPECT_EQ(got.headers["Content-Type"], "application/x-tar");
    EXPECT_EQ(stat_of(got), stat);
    EXPECT_EQ(got.body.substr(512, 5), "hello");
    // Modes as Go's clients read them.
    EXPECT_EQ(stat_of(send("HEAD", "/containers/box/archive?path=/data"))["mode"], 1u << 31 | 0755);
    EXPECT_EQ(stat_of(send("HEAD", "/containers/box/archive?path=/tmp"))["mode"], 1u << 31 | 1u << 20 | 0777);
    json link = stat_of(send("HEAD", "/containers/box/archive?path=/bin/sh"));
    EXPECT_EQ(link["mode"], 1u << 27 | 0777);
    EXPECT_EQ(link["linkTarget"], "/bin/busybox");
}

TEST_F(ContainerFileRoutes, SayWhatIsWrongInDockersWords) {
    EXPECT_EQ(send("GET", "/containers/box/archive").status, 400);
    EXPECT_EQ(send("HEAD", "/containers/box/archive?path=/nosuch").status, 404);
    Answer missing = send("GET", "/containers/box/archive?path=/nosuch");
    EXPECT_EQ(missing.status, 404);
    EXPECT_EQ(message(missing), "Could not find the file /nosuch in container box");
    EXPECT_EQ(send("GET", "/containers/nosuch/archive?path=/").status, 404);
    EXPECT_EQ(send("GET", "/containers/nosuch/export").status, 404);
    EXPECT_EQ(send("GET", "/containers/nosuch/changes").status, 404);
    EXPECT_EQ(send("POST", "/commit?container=nosuch", "{}").status, 404);
    EXPECT_EQ(send("PUT", "/containers/box/archive?path=/bin/busybox", tar("f", "")).status, 400);
    EXPECT_EQ(send("PUT", "/containers/box/archive?path=/nosuch", tar("f", "")).status, 404);
    EXPECT_EQ(send("PUT", "/containers/box/archive?path=/data", "no archive" + std::string(1000, 'x')).status, 400);
    Answer type = send("PUT", "/containers/box/archive?path=/&noOverwriteDirNonDir=1", tar("data", "x"));
    EXPECT_EQ(type.status, 400);
    EXPECT_NE(message(type).find("cannot overwrite directory \"/data\" with non-directory"), std::string::npos);
    create("locked", "true", {{"HostConfig", {{"NetworkMode", "none"}, {"ReadonlyRootfs", true}}}});
    Answer locked = send("PUT", "/containers/locked/archive?path=/data", tar("f", "x"));
    EXPECT_EQ(locked.status, 403);
    EXPECT_EQ(message(locked), "container rootfs is marked read-only");
}

TEST_F(ContainerFileRoutes, TakeNoPartOfATarForTheWhole) {
    const std::string whole = tar("f", std::string(100'000, 'x'));
    EXPECT_EQ(send("PUT", "/containers/box/archive?path=/data", whole.substr(0, 50'000)).status, 400);
    // A client that goes away in the middle of what it has announced.
    {
        test::RawClient client = server->client();
        client.send("PUT /containers/box/archive?path=/data HTTP/1.1\r\nHost: x\r\nContent-Length: " +
                    std::to_string(whole.size()) + "\r\n\r\n" + whole.substr(0, 3000));
    }
    EXPECT_EQ(send("GET", "/containers/box/changes").status, 200) << "and nobody waits for it";
}

TEST_F(ContainerFileRoutes, GiveNoPartOfATarForTheWhole) {
    start("deep", "cd /data; i=0; while [ $i -lt 300 ]; do mkdir d; cd d; i=$((i+1)); done",
          {{"HostConfig", {{"NetworkMode", "none"}}}});
    EXPECT_EQ(containers().wait("deep"), 0);
    Answer part = send("GET", "/containers/deep/archive?path=/data");
    EXPECT_EQ(part.status, 200);
    EXPECT_FALSE(part.whole) << "what goes wrong in the middle must not look like the end";
}

TEST_F(ContainerFileRoutes, RefuseLinksThatCannotBeFollowed) {
    start("loop", "ln -s b /a; ln -s a /b", {{"HostConfig", {{"NetworkMode", "none"}}}});
    EXPECT_EQ(containers().wait("loop"), 0);
    for (const char* method : {"GET", "HEAD", "PUT"})
        EXPECT_EQ(send(method, "/containers/loop/archive?path=/a/etc", tar("f", "hello")).status, 400) << method;
}

TEST_F(ContainerFileRoutes, ShowChangesAndExports) {
    EXPECT_EQ(get("/containers/box/changes").body, json(nullptr));
    (void)send("PUT", "/containers/box/archive?path=/data", tar("f", "hello"));
    EXPECT_EQ(get("/containers/box/changes").body,
              json::parse(R"([{"Path":"/data","Kind":0},{"Path":"/data/f","Kind":1}])"));
    Answer all = send("GET", "/containers/box/export");
    EXPECT_EQ(all.status, 200);
    EXPECT_TRUE(all.whole);
    EXPECT_NE(all.body.find("data/f"), std::string::npos);
}

TEST_F(ContainerFileRoutes, CommitWithTheBodysConfigurationAndChanges) {
    (void)send("PUT", "/containers/box/archive?path=/data", tar("f", "hello"));
    Reply made = post("/commit?container=box&repo=made&tag=2&author=me&comment=why&changes=ENV%20C=d",
                      {{"Env", {"A=b"}}, {"Cmd", {"cat", "/data/f"}}, {"Hostname", "ignored"}});
    EXPECT_EQ(made.status, 201) << made.text;
    json image = get("/images/made:2/json").body;
    EXPECT_EQ(image["Id"], made.body["Id"]);
    EXPECT_EQ(image["Author"], "me");
    EXPECT_EQ(image["Comment"], "why");
    EXPECT_EQ(image["Config"]["Env"], json({"A=b", "C=d"}));
    EXPECT_EQ(image["Config"]["Cmd"], json({"cat", "/data/f"}));
    EXPECT_EQ(post("/commit?container=box", nullptr).status, 201) << "without a body";
    EXPECT_EQ(post("/commit?container=box&repo=trigger&changes=ONBUILD%20RUN%20y", {{"OnBuild", {"RUN x"}}}).status,
              201);
    EXPECT_EQ(get("/images/trigger/json").body["Config"]["OnBuild"], json({"RUN x", "RUN y"}));
    EXPECT_EQ(post("/commit?container=box&repo=lines&changes=WORKDIR%20/w/$C%0ALABEL%20q=r", {{"Env", {"C=d"}}}).status,
              201);
    image = get("/images/lines/json").body;
    EXPECT_EQ(image["Config"]["WorkingDir"], "/w/d");
    EXPECT_EQ(image["Config"]["Labels"]["q"], "r");
    EXPECT_EQ(post("/commit?container=box&changes=RUN%20x").status, 400);
    EXPECT_EQ(post("/commit?container=box&repo=UPPER").status, 400);
}

}  // namespace
}  // namespace kedge::api

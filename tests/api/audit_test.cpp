#include "api/audit.h"
#include "base/durable.h"
#include "tests/api/api_fixture.h"

#include <filesystem>

namespace kedge::api {
namespace {

using nlohmann::json;
using test::ApiFixture;

Change change(const std::string& path) {
    return {wall_now(), {"alice", 1000, 42, "docker"}, "POST", path, 204, "shop-web-1", "shop"};
}

struct AuditLogFile : testing::Test {
    std::string folder = "/tmp/kedge-audit-" + std::to_string(::getpid());
    void SetUp() override { make_folders(AT_FDCWD, folder); }
    void TearDown() override { remove_tree(AT_FDCWD, folder); }
};

TEST_F(AuditLogFile, IsKnownToTheNextAgentWhateverLiesInIt) {
    {
        AuditLog log(folder);
        log.add(change("/one"));
        log.add(change("/two\nwith a line \"end\" and \xff"));
    }
    {
        Fd file = open_at(AT_FDCWD, folder + "/audit.log", O_WRONLY | O_APPEND);
        write_all(file.get(), "{\"time\":\"2026-01-02T03:04:05Z\",\"uid\":\"x\"}\n[]\n{\"time\":1}\n\n{\"half");
    }
    AuditLog log(folder);
    std::vector<Change> all = log.list();
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(change_json(all[0])["path"], "/one");
    EXPECT_EQ(all[0].peer.name, "alice");
    EXPECT_EQ(all[0].peer.uid, 1000);
    EXPECT_EQ(all[0].project, "shop");
    EXPECT_EQ(std::filesystem::status(folder + "/audit.log").permissions(),
              std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(AuditLogFile, IsSetAsideBeforeItFillsTheDisk) {
    AuditLog log(folder);
    for (int i = 0; i < 3000; ++i) log.add(change("/" + std::string(1000, 'x')));
    EXPECT_EQ(log.list().size(), 512u);
    uintmax_t now = std::filesystem::file_size(folder + "/audit.log"),
              old = std::filesystem::file_size(folder + "/audit.log.1");
    EXPECT_LT(now, 1100000u);
    EXPECT_LT(old, 1100000u);
    EXPECT_GT(old, 1000000u);
    EXPECT_FALSE(std::filesystem::exists(folder + "/audit.log.2"));
}

TEST_F(ApiFixture, WhoChangedWhatIsWrittenDown) {
    create("box", "true", {{"Labels", {{"com.docker.compose.project", "shop"}}}});
    EXPECT_EQ(get("/containers/box/json").status, 200);
    EXPECT_EQ(ask("DELETE", "/v1.41/containers/box?v=1").status, 204);
    EXPECT_EQ(ask("DELETE", "/containers/box").status, 404);
    json all = get("/kedge/v1/audit").body;
    ASSERT_EQ(all.size(), 3u) << all;
    EXPECT_EQ(all[0]["path"], "/containers/create");
    EXPECT_EQ(all[1]["method"], "DELETE");
    EXPECT_EQ(all[1]["path"], "/containers/box");
    EXPECT_EQ(all[1]["object"], "box") << "its name, though it is gone";
    EXPECT_EQ(all[1]["project"], "shop");
    EXPECT_EQ(all[1]["status"], 204);
    EXPECT_EQ(all[1]["uid"], 0);
    EXPECT_EQ(all[1]["user"], "root");
    EXPECT_EQ(all[1]["pid"], ::getpid());
    EXPECT_EQ(all[2]["status"], 404);
    EXPECT_EQ(all[2]["object"], "");
}

TEST_F(ApiFixture, ItAnswersAsADockerThatIsInNoSwarm) {
    for (const char* path : {"/swarm", "/nodes", "/services", "/tasks", "/secrets", "/configs", "/v1.41/services/x"}) {
        Reply reply = get(path);
        EXPECT_EQ(reply.status, 503) << path;
        EXPECT_NE(reply.message().find("This node is not a swarm manager"), std::string::npos) << path;
    }
    EXPECT_EQ(post("/swarm/leave").message(), "This node is not part of a swarm");
    EXPECT_EQ(post("/swarm/init").status, 501);
    EXPECT_EQ(get("/plugins").body, json::array());
}

}  // namespace
}  // namespace kedge::api

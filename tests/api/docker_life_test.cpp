#include "tests/api/api_fixture.h"

namespace kedge::api {
namespace {

using nlohmann::json;
using test::RawClient;
using test::request;

struct DockerLife : test::ApiFixture {
    static json without_network(json host = json::object()) {
        host["NetworkMode"] = "none";
        return {{"HostConfig", host}};
    }
    std::string sleeping(const std::string& name, json host = json::object()) {
        return start(name, "trap 'exit 7' TERM; echo up; while :; do sleep 0.05; done",
                     without_network(std::move(host)));
    }
    /// The next line of a streamed answer.
    static json next_line(RawClient& client) {
        std::string text = client.until("}\n");
        return json::parse(text.substr(text.rfind("{\"blkio")), nullptr, false);
    }
};

TEST_F(DockerLife, PauseAndUnpauseHaveDockersStatusesAndWords) {
    std::string id = sleeping("web");
    EXPECT_EQ(post("/containers/web/unpause").status, 409);
    EXPECT_EQ(post("/containers/web/pause").status, 204);
    Reply again = post("/containers/web/pause");
    EXPECT_EQ(again.status, 409);
    EXPECT_EQ(again.message(), "Container " + id + " is already paused");
    json state = get("/containers/web/json").body["State"];
    EXPECT_EQ(state["Status"], "paused");
    EXPECT_EQ(state["Paused"], true);
    EXPECT_EQ(state["Running"], true);
    json listed = get("/containers/json?filters=" + std::string(R"({"status":["paused"]})")).body.at(0);
    EXPECT_EQ(listed["State"], "paused");
    EXPECT_TRUE(listed["Status"].get<std::string>().ends_with(" (Paused)")) << listed["Status"];
    EXPECT_EQ(get("/info").body["ContainersPaused"], 1);
    Reply exec = post("/containers/web/exec", {{"Cmd", {"true"}}});
    EXPECT_EQ(exec.status, 409);
    EXPECT_EQ(exec.message(), "Container web is paused, unpause the container before exec");
    Reply attach = post("/containers/web/attach?stream=1&stdout=1");
    EXPECT_EQ(attach.status, 409);
    EXPECT_NE(attach.message().find("is paused, unpause the container before attach"), std::string::npos);
    Reply started = post("/containers/web/start");
    EXPECT_EQ(started.status, 409);
    EXPECT_EQ(started.message(), "cannot start a paused container, try unpause instead");
    EXPECT_GE(get("/containers/web/top").body["Processes"].size(), 1u);
    EXPECT_EQ(post("/containers/web/unpause").status, 204);
    EXPECT_EQ(post("/containers/web/exec", {{"Cmd", {"true"}}}).status, 201);
    EXPECT_EQ(post("/containers/x/pause").status, 404);
    EXPECT_EQ(post("/containers/x/unpause").status, 404);
}

TEST_F(DockerLife, AnExecThatWasMadeBeforeThePauseIsRefusedAtItsStart) {
    sleeping("web");
    std::string exec = post("/containers/web/exec", {{"Cmd", {"true"}}}).body["Id"];
    post("/containers/web/pause");
    Reply started = post("/exec/" + exec + "/start", {{"Detach", true}});
    EXPECT_EQ(started.status, 409);
    EXPECT_EQ(started.message(),
              "Container " + containers().inspect("web").id + " is paused, unpause the container before exec");
    post("/containers/web/unpause");
    EXPECT_EQ(post("/exec/" + exec + "/start", {{"Detach", true}}).status, 200) << "it is still to be had";
}

TEST_F(DockerLife, UpdateChangesWhatInspectShows) {
    sleeping("web");
    Reply updated =
        post("/containers/web/update", {{"Memory", 64 << 20},
                                        {"MemorySwap", 128 << 20},
                                        {"PidsLimit", 33},
                                        {"CpuPeriod", 20000},
                                        {"CpuQuota", 5000},
                                        {"CpusetMems", "0"},
                                        {"CpuShares", 0},
                                        {"BlkioWeight", 0},
                                        {"Devices", nullptr},
                                        {"MemorySwappiness", -1},
                                        {"RestartPolicy", {{"Name", "on-failure"}, {"MaximumRetryCount", 3}}}});
    EXPECT_EQ(updated.status, 200) << updated.text;
    EXPECT_EQ(updated.body, (json{{"Warnings", json::array()}}));
    json host = get("/containers/web/json").body["HostConfig"];
    EXPECT_EQ(host["Memory"], 64 << 20);
    EXPECT_EQ(host["MemorySwap"], 128 << 20);
    EXPECT_EQ(host["PidsLimit"], 33);
    EXPECT_EQ(host["CpuPeriod"], 20000);
    EXPECT_EQ(host["CpuQuota"], 5000);
    EXPECT_EQ(host["CpusetMems"], "0");
    EXPECT_EQ(host["RestartPolicy"], (json{{"Name", "on-failure"}, {"MaximumRetryCount", 3}}));
    EXPECT_EQ(post("/containers/web/update", {{"RestartPolicy", {{"Name", ""}}}}).status, 200);
    EXPECT_EQ(get("/containers/web/json").body["HostConfig"]["RestartPolicy"]["Name"], "on-failure") << "not named";
}

TEST_F(DockerLife, UpdateSaysWhatIsWrong) {
    sleeping("web", {{"NanoCpus", 500'000'000}});
    EXPECT_EQ(post("/containers/web/update", {{"Memory", 1}}).status, 400);
    EXPECT_EQ(post("/containers/web/update", {{"Memory", "1"}}).status, 400);
    EXPECT_EQ(post("/containers/web/update", {{"CpuQuota", 5000}}).status, 409);
    EXPECT_EQ(post("/containers/web/update", {{"KernelMemory", 1 << 30}}).status, 400);
    EXPECT_EQ(post("/containers/web/update", {{"RestartPolicy", {{"Name", "sometimes"}}}}).status, 400);
    EXPECT_EQ(post("/containers/web/update", {{"RestartPolicy", {{"MaximumRetryCount", 3}}}}).status, 400);
    EXPECT_EQ(post("/containers/x/update", {{"PidsLimit", 3}}).status, 404);
    EXPECT_EQ(post("/containers/web/update", json::array()).status, 400);
    json host = get("/containers/web/json").body["HostConfig"];
    EXPECT_EQ(host["Memory"], 0);
    EXPECT_EQ(host["CpuQuota"], 0);
}

TEST_F(DockerLife, TopShowsItsProcessesAsPsWould) {
    std::string id = start("web", "sleep 1000 & until [ $(cat /proc/$!/comm) = sleep ]; do :; done; echo up; wait",
                           without_network());
    ASSERT_TRUE(wait_for_log(id, "up"));
    json top = get("/containers/web/top").body;
    EXPECT_EQ(top["Titles"], (json{"UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"}));
    ASSERT_EQ(top["Processes"].size(), 2u);
    EXPECT_EQ(top["Processes"][0][1], std::to_string(containers().inspect(id).pid));
    EXPECT_EQ(top["Processes"][1][7], "sleep 1000");
    EXPECT_EQ(get("/containers/web/top?ps_args=-o%20pid,comm").body["Titles"], (json{"PID", "COMMAND"}));
    Reply bad = get("/containers/web/top?ps_args=-z");
    EXPECT_EQ(bad.status, 400);
    EXPECT_EQ(bad.message(), "ps: the option \"-z\" is not supported by kedge");
    EXPECT_EQ(get("/containers/x/top").status, 404);
    post("/containers/web/kill");
    post("/containers/web/wait");
    Reply ended = get("/containers/web/top");
    EXPECT_EQ(ended.status, 409);
    EXPECT_EQ(ended.message(), "container " + id + " is not running");
}

TEST_F(DockerLife, StatsOnceAreOfTwoSamplesOrOfOne) {
    sleeping("web", {{"Memory", 64 << 20}, {"PidsLimit", 20}});
    json once = get("/containers/web/stats?stream=0&one-shot=1").body;
    EXPECT_EQ(once["name"], "/web");
    EXPECT_EQ(once["preread"], "0001-01-01T00:00:00Z");
    EXPECT_EQ(once["precpu_stats"]["cpu_usage"]["total_usage"], 0);
    EXPECT_FALSE(once["precpu_stats"].contains("system_cpu_usage"));
    EXPECT_EQ(once["memory_stats"]["limit"], 64 << 20);
    EXPECT_GT(once["memory_stats"]["usage"], 0);
    EXPECT_GT(once["cpu_stats"]["cpu_usage"]["total_usage"], 0);
    EXPECT_EQ(once["cpu_stats"]["online_cpus"], ::sysconf(_SC_NPROCESSORS_ONLN));
    EXPECT_EQ(once["pids_stats"]["limit"], 20);
    EXPECT_GE(once["pids_stats"]["current"], 1);
    EXPECT_TRUE(once["blkio_stats"]["io_service_bytes_recursive"].is_array());
    EXPECT_FALSE(once.contains("networks"));
    json twice = get("/containers/web/stats?stream=0").body;
    EXPECT_EQ(twice["id"], once["id"]);
    EXPECT_GT(twice["cpu_stats"]["system_cpu_usage"], twice["precpu_stats"]["system_cpu_usage"]);
    EXPECT_GT(parse_time(twice["read"].get<std::string>()), parse_time(twice["preread"].get<std::string>()));
    EXPECT_EQ(get("/containers/web/stats?stream=1&one-shot=1").status, 400);
    EXPECT_EQ(get("/containers/x/stats").status, 404);
}

TEST_F(DockerLife, StatsOfWhatDoesNotRunAreEmpty) {
    create("web", "true", without_network());
    json stats = get("/containers/web/stats?stream=0").body;
    EXPECT_EQ(stats["read"], "0001-01-01T00:00:00Z");
    EXPECT_EQ(stats["memory_stats"], json::object());
    EXPECT_EQ(stats["pids_stats"], json::object());
    EXPECT_EQ(stats["cpu_stats"]["cpu_usage"]["total_usage"], 0);
    EXPECT_EQ(stats["blkio_stats"]["io_service_bytes_recursive"], nullptr);
    EXPECT_EQ(stats["name"], "/web");
}

TEST_F(DockerLife, StatsStreamOnUntilTheContainerIsRemoved) {
    sleeping("web");
    RawClient client = server->client();
    client.send(request("GET", "/containers/web/stats"));
    client.until("\r\n\r\n");
    json first = next_line(client), second = next_line(client);
    EXPECT_EQ(first["preread"], "0001-01-01T00:00:00Z");
    EXPECT_EQ(second["preread"], first["read"]);
    post("/containers/web/kill");
    post("/containers/web/wait");
    json after = next_line(client);
    while (after["read"] != "0001-01-01T00:00:00Z") after = next_line(client);
    EXPECT_EQ(after["name"], "/web") << "it goes on for the next run";
    EXPECT_EQ(ask("DELETE", "/containers/web").status, 204);
    client.until("0\r\n\r\n");
}

TEST_F(DockerLife, ManyWhoWaitAreInNobodysWay) {
    sleeping("web");
    std::vector<RawClient> clients;
    for (int i = 0; i < 300; ++i) {  // more than there are threads
        const char* condition = i % 3 == 0 ? "not-running" : i % 3 == 1 ? "next-exit" : "removed";
        clients.push_back(server->client());
        clients.back().send(request("POST", std::string("/containers/web/wait?condition=") + condition));
    }
    for (RawClient& client : clients) EXPECT_TRUE(client.until("\r\n\r\n").starts_with("HTTP/1.1 200 OK"));
    EXPECT_EQ(post("/containers/web/kill").status, 204);
    auto expect_end = [&](size_t first) {
        for (size_t i = first; i < clients.size(); i += 3)
            EXPECT_NE(clients[i].until("0\r\n\r\n").find("\"StatusCode\":137"), std::string::npos) << i;
    };
    expect_end(0);
    expect_end(1);
    EXPECT_EQ(ask("DELETE", "/containers/web").status, 204);
    expect_end(2);
}

TEST_F(DockerLife, AWaitEndsWithTheContainer) {
    std::string id = create("made", "exit 0", without_network());
    RawClient waiting = server->client();
    waiting.send(request("POST", "/containers/made/wait?condition=next-exit"));
    waiting.until("\r\n\r\n");
    EXPECT_EQ(ask("DELETE", "/containers/made").status, 204);
    EXPECT_NE(waiting.until("0\r\n\r\n").find("\"StatusCode\":0"), std::string::npos) << "it will have no next exit";
}

TEST_F(DockerLife, StatsOfClientsThatLeaveAreOver) {
    sleeping("web");
    // More than the server has threads for, again and again.
    for (int round = 0; round < 3; ++round) {
        std::vector<RawClient> clients;
        for (int i = 0; i < 100; ++i) {
            clients.push_back(server->client());
            clients.back().send(request("GET", "/containers/web/stats"));
        }
        for (RawClient& client : clients) EXPECT_TRUE(client.until("\r\n").starts_with("HTTP/1.1 200 OK"));
        EXPECT_EQ(get("/_ping").status, 200);
    }
}

TEST_F(DockerLife, AWaitForTheRemovalOfWhatHasEndedTellsItsExitCode) {
    start("job", "exit 5", without_network());
    post("/containers/job/wait");
    RawClient waiting = server->client();
    waiting.send(request("POST", "/containers/job/wait?condition=removed"));
    waiting.until("\r\n\r\n");
    EXPECT_EQ(ask("DELETE", "/containers/job").status, 204);
    EXPECT_NE(waiting.until("0\r\n\r\n").find("\"StatusCode\":5"), std::string::npos);
}

TEST_F(DockerLife, RenameSaysWhatIsWrong) {
    sleeping("web");
    create("other", "true", without_network());
    Reply none = post("/containers/web/rename");
    EXPECT_EQ(none.status, 400);
    EXPECT_EQ(none.message(), "Neither old nor new names may be empty");
    EXPECT_EQ(post("/containers/web/rename?name=web").status, 400);
    EXPECT_EQ(post("/containers/web/rename?name=other").status, 409);
    EXPECT_EQ(post("/containers/web/rename?name=a%20b").status, 400);
    EXPECT_EQ(post("/containers/web/rename?name=%2fnew").status, 204);
    EXPECT_EQ(get("/containers/new/json").body["Name"], "/new");
}

}  // namespace
}  // namespace kedge::api

#include "tests/api/api_fixture.h"

namespace kedge::api {
namespace {

using nlohmann::json;
using test::RawClient;
using test::request;
using test::unframed;

class DockerContainers : public test::ApiFixture {};

TEST_F(DockerContainers, LiveFromCreateToRemoveWithDockersStatuses) {
    std::string id =
        create("web", "trap 'exit 7' TERM; echo up; while :; do sleep 0.05; done",
               {{"Labels", {{"tier", "front"}}}, {"Env", {"A=b"}}, {"HostConfig", {{"NetworkMode", "none"}}}});
    ASSERT_EQ(id.size(), 64u);
    EXPECT_EQ(get("/containers/web/json").body["State"]["Status"], "created");
    EXPECT_EQ(get("/containers/json").body.size(), 0u) << "only what runs";
    EXPECT_EQ(get("/containers/json?all=1").body.size(), 1u);
    EXPECT_EQ(post("/containers/web/stop").status, 304);
    EXPECT_EQ(post("/v1.43/containers/web/start").status, 204);
    EXPECT_EQ(post("/v1.24/containers/" + id.substr(0, 12) + "/start").status, 304);
    ASSERT_TRUE(wait_for_log(id, "up"));

    json shown = get("/containers/" + id + "/json").body;
    EXPECT_EQ(shown["Id"], id);
    EXPECT_EQ(shown["Name"], "/web");
    EXPECT_EQ(shown["State"]["Running"], true);
    EXPECT_GT(shown["State"]["Pid"], 0);
    EXPECT_EQ(shown["Config"]["Image"], "busybox");
    EXPECT_EQ(shown["Config"]["Labels"]["tier"], "front");
    EXPECT_EQ(shown["HostConfig"]["NetworkMode"], "none");
    EXPECT_EQ(shown["HostConfig"]["RestartPolicy"]["Name"], "no");
    EXPECT_EQ(shown["Path"], "sh");
    json listed =
        get("/containers/json?filters=" + std::string(R"({"label":["tier=front"],"status":["running"]})")).body.at(0);
    EXPECT_EQ(listed["Names"], json({"/web"}));
    EXPECT_EQ(listed["State"], "running");
    EXPECT_TRUE(listed["Status"].get<std::string>().starts_with("Up "));

    EXPECT_EQ(ask("DELETE", "/containers/web").status, 409) << "it runs";
    EXPECT_EQ(post("/containers/web/rename?name=web2").status, 204);
    EXPECT_EQ(get("/containers/web/json").status, 404);
    EXPECT_EQ(post("/containers/web2/stop?t=5").status, 204);
    EXPECT_EQ(post("/containers/web2/wait").body, (json{{"StatusCode", 7}}));
    EXPECT_EQ(post("/containers/web2/kill").status, 409);
    EXPECT_EQ(ask("DELETE", "/containers/web2?v=1").status, 204);
    EXPECT_EQ(ask("DELETE", "/containers/web2").status, 404);
}

TEST_F(DockerContainers, ThatAreNotThereAreNotFoundInDockersWords) {
    for (const auto& [method, target] : std::map<std::string, std::string>{
             {"GET", "/containers/x/json"}, {"POST", "/containers/x/start"}, {"DELETE", "/containers/x"}}) {
        Reply reply = ask(method, target);
        EXPECT_EQ(reply.status, 404) << target;
        EXPECT_EQ(reply.message(), "No such container: x");
    }
    for (const char* action :
         {"stop", "restart", "kill", "wait", "rename?name=y", "attach?stream=1&stdout=1", "exec"}) {
        EXPECT_EQ(post("/containers/x/" + std::string(action), {{"Cmd", {"true"}}}).status, 404) << action;
    }
    EXPECT_EQ(get("/containers/x/logs?stdout=1").status, 404);
    EXPECT_EQ(get("/exec/x/json").status, 404);
    EXPECT_EQ(post("/exec/x/start", json::object()).status, 404);
    EXPECT_EQ(get("/nothing").status, 404);
    EXPECT_EQ(ask("PUT", "/containers/json").status, 405);
}

TEST_F(DockerContainers, ThatCanNotBeMadeSayWhy) {
    Reply missing = post("/containers/create", {{"Image", "nosuch:1"}});
    EXPECT_EQ(missing.status, 404);
    EXPECT_NE(missing.message().find("No such image: nosuch:1"), std::string::npos) << "what makes clients pull it";
    Reply network = post("/containers/create", {{"Image", "busybox"}, {"HostConfig", {{"NetworkMode", "nosuch"}}}});
    EXPECT_EQ(network.status, 400) << "404 would make clients pull the image";
    EXPECT_NE(network.message().find("nosuch"), std::string::npos);
    for (const auto& [key, address, family] : {std::tuple{"IPv4Address", "fd00::1", "IPv4"},
                                               {"IPv4Address", "1.2.3", "IPv4"},
                                               {"IPv6Address", "10.0.0.1", "IPv6"},
                                               {"IPv6Address", "fd00::x", "IPv6"}}) {
        const json endpoint = {{"IPAMConfig", {{key, address}}}};
        Reply wrong = post("/containers/create", {{"Image", "busybox"},
                                                  {"HostConfig", {{"NetworkMode", "front"}}},
                                                  {"NetworkingConfig", {{"EndpointsConfig", {{"front", endpoint}}}}}});
        EXPECT_EQ(wrong.status, 400) << endpoint;
        EXPECT_EQ(wrong.message(), std::string("invalid ") + family + " address: " + address);
    }
    create("taken", "true", {{"HostConfig", {{"NetworkMode", "none"}}}});
    EXPECT_EQ(post("/containers/create?name=taken", {{"Image", "busybox"}}).status, 409);
    EXPECT_EQ(post("/containers/create?name=..%2fx", {{"Image", "busybox"}}).status, 400);
    EXPECT_EQ(post("/containers/create", {{"Image", "busybox"}, {"HostConfig", {{"Runtime", "runsc"}}}}).status, 400);
    EXPECT_EQ(post("/containers/create?platform=linux/riscv64", {{"Image", "busybox"}}).status, 404);
    Reply nosuch = post("/containers/create?name=bad",
                        {{"Image", "busybox"}, {"Cmd", {"nosuch"}}, {"HostConfig", {{"NetworkMode", "none"}}}});
    EXPECT_EQ(nosuch.status, 201);
    Reply started = post("/containers/bad/start");
    EXPECT_EQ(started.status, 400);
    EXPECT_NE(started.message().find("nosuch"), std::string::npos);
    EXPECT_EQ(get("/containers/bad/json").body["State"]["ExitCode"], 127);
    EXPECT_EQ(get("/containers/json?all=1&filters=" + std::string(R"({"nonsense":["x"]})")).status, 400);
    EXPECT_EQ(get("/containers/json?limit=many").status, 400);
    EXPECT_EQ(post("/containers/bad/stop?t=soon").status, 400);
    EXPECT_EQ(post("/containers/bad/wait?condition=someday").status, 400);
}

TEST_F(DockerContainers, OutputThatIsNoTextGoesThroughEveryAnswer) {
    std::string id = create("odd", "printf 'a\\377\\0b\\n'; echo err >&2",
                            {{"Labels", {{"l", "x\\y\"<>"}}}, {"HostConfig", {{"NetworkMode", "none"}}}});
    runtime::ContainerSpec spec = shell("true", "raw");
    spec.labels["l"] = "\xff\xfe";
    spec.environment = {"BAD=\xc3\x28"};
    containers().create(spec);
    EXPECT_EQ(post("/containers/odd/start").status, 204);
    post("/containers/odd/wait");
    std::string log = unframed(get("/containers/odd/logs?stdout=1&stderr=1").text);
    EXPECT_NE(log.find("err:err\n"), std::string::npos);
    EXPECT_NE(log.find(std::string("b\n")), std::string::npos);
    EXPECT_EQ(get("/containers/raw/json").body["Config"]["Labels"]["l"], "\xef\xbf\xbd\xef\xbf\xbd");
    EXPECT_EQ(get("/containers/json?all=1").body.size(), 2u);
    EXPECT_EQ(get("/metrics").status, 200);
}

TEST_F(DockerContainers, LogsAreCutAndMarkedAsAsked) {
    std::string id =
        start("log", "echo one; echo two; sleep 0.1; echo three >&2", {{"HostConfig", {{"NetworkMode", "none"}}}});
    post("/containers/log/wait");
    EXPECT_EQ(unframed(get("/containers/log/logs?stdout=1").text), "out:one\ntwo\n");
    EXPECT_EQ(unframed(get("/containers/log/logs?stderr=1").text), "err:three\n");
    EXPECT_EQ(unframed(get("/containers/log/logs?stdout=1&stderr=1&tail=0").text), "");
    EXPECT_EQ(unframed(get("/containers/log/logs?stdout=1&stderr=1&tail=1").text), "err:three\n");
    EXPECT_EQ(unframed(get("/containers/log/logs?stdout=1&follow=1").text), "out:one\ntwo\n") << "it has ended";
    EXPECT_NE(get("/containers/log/logs?stdout=1&timestamps=1").text.find("Z one\n"), std::string::npos);
    EXPECT_EQ(unframed(get("/containers/log/logs?stderr=1&details=1").text), "err: three\n");
    start("details", "echo x",
          {{"Labels", {{"b", "é,="}, {"a b", "1"}}},
           {"HostConfig", {{"LogConfig", {{"Config", {{"labels", "a b,b"}, {"tag", "x/y"}}}}}}}});
    post("/containers/details/wait");
    EXPECT_EQ(unframed(get("/containers/details/logs?stdout=1&details=1").text),
              "out:a+b=1,b=%C3%A9%2C%3D,tag=x%2Fy x\n");
    EXPECT_EQ(unframed(get("/containers/details/logs?stdout=1&details=1&follow=1").text),
              "out:a+b=1,b=%C3%A9%2C%3D,tag=x%2Fy x\n");
    EXPECT_NE(get("/containers/details/logs?stdout=1&details=1&timestamps=1").text.find("Z a+b=1"), std::string::npos);
    EXPECT_EQ(get("/containers/log/logs").status, 400);
    EXPECT_EQ(get("/containers/log/logs?stdout=1&tail=x").status, 400);
    EXPECT_EQ(get("/containers/log/logs?stdout=1&since=yesterday").status, 400);
}

TEST_F(DockerContainers, AttachedBeforeItsStartShowItsFirstWordsEvenIfTheyRemoveThemselvesAtOnce) {
    for (int i = 0; i < 10; ++i) {
        std::string id = create("short", "echo out; echo err >&2",
                                {{"HostConfig", {{"NetworkMode", "none"}, {"AutoRemove", true}}}});
        RawClient attached = server->client(), waiting = server->client();
        attached.send(request("POST", "/containers/short/attach?stream=1&stdout=1&stderr=1", "",
                              "Connection: Upgrade\r\nUpgrade: tcp\r\n"));
        EXPECT_TRUE(attached.until("\r\n\r\n").starts_with("HTTP/1.1 101 UPGRADED\r\n"));
        waiting.send(request("POST", "/containers/short/wait?condition=removed"));
        waiting.until("\r\n\r\n");
        EXPECT_EQ(post("/containers/short/start").status, 204);
        std::string text = unframed(attached.rest());
        EXPECT_TRUE(text == "out:out\nerr:err\n" || text == "err:err\nout:out\n") << text;
        EXPECT_NE(waiting.until("0\r\n\r\n").find("\"StatusCode\":0"), std::string::npos);
        EXPECT_EQ(get("/containers/" + id + "/json").status, 404);
    }
}

TEST_F(DockerContainers, AttachedAgainShowOnlyWhatIsNew) {
    start("twice", "echo run", {{"HostConfig", {{"NetworkMode", "none"}}}});
    post("/containers/twice/wait");
    RawClient fresh = server->client(), all = server->client();
    fresh.send(request("POST", "/containers/twice/attach?stream=1&stdout=1"));
    EXPECT_TRUE(fresh.until("\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
    all.send(request("POST", "/containers/twice/attach?stream=1&stdout=1&logs=1"));
    all.until("\r\n\r\n");
    EXPECT_EQ(post("/containers/twice/start").status, 204);
    EXPECT_EQ(unframed(fresh.rest()), "out:run\n");
    EXPECT_EQ(unframed(all.rest()), "out:run\nrun\n");
}

TEST_F(DockerContainers, AWebsocketCarriesBothDirections) {
    start("echo", "while read line; do echo \"got $line\"; done; echo bye >&2",
          {{"OpenStdin", true}, {"StdinOnce", true}, {"HostConfig", {{"NetworkMode", "none"}}}});
    EXPECT_EQ(get("/containers/echo/attach/ws").status, 400) << "it has to be asked for";
    const std::string opening =
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    RawClient socket = server->client();
    socket.send(request("GET", "/containers/echo/attach/ws?stream=1&stdin=1&stdout=1&stderr=1", "", opening));
    const std::string head = socket.until("\r\n\r\n");
    EXPECT_TRUE(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n")) << head;
    EXPECT_NE(head.find("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), std::string::npos);
    socket.send(std::string("\x81\x83\0\0\0\0", 6) + "hi\n");
    EXPECT_NE(socket.until("got hi\n").find("\x82\x07got hi\n"), std::string::npos);
    socket.send(std::string("\x88\x80\0\0\0\0", 6));
    const std::string rest = socket.rest();
    EXPECT_NE(rest.find("\x88"), std::string::npos) << "good-bye";
    post("/containers/echo/wait");
    EXPECT_EQ(unframed(get("/containers/echo/logs?stderr=1").text), "err:bye\n") << "its input ended";
    RawClient missing = server->client();
    missing.send(request("GET", "/containers/nosuch/attach/ws?stream=1", "", opening));
    EXPECT_EQ(missing.answer().status, 404);
}

TEST_F(DockerContainers, StopTakesAnotherSignalAndSoDoesRestart) {
    start("sig", "trap 'exit 5' USR1; trap 'exit 6' TERM; echo up; while :; do sleep 0.05; done",
          {{"HostConfig", {{"NetworkMode", "none"}}}});
    ASSERT_TRUE(wait_for_log("sig", "up"));
    EXPECT_EQ(post("/containers/sig/stop?signal=NOSUCH").status, 400);
    EXPECT_EQ(post("/containers/sig/stop?signal=SIGUSR1").status, 204);
    EXPECT_EQ(get("/containers/sig/json").body["State"]["ExitCode"], 5);
    EXPECT_EQ(post("/containers/sig/start").status, 204);
    ASSERT_TRUE(wait_for_log("sig", "up\nup"));
    EXPECT_EQ(post("/v1.41/containers/sig/stop?signal=SIGUSR1").status, 204);
    EXPECT_EQ(get("/containers/sig/json").body["State"]["ExitCode"], 6) << "before 1.42 it meant nothing";
}

TEST_F(DockerContainers, AnAttachedClientThatLeavesChangesNothing) {
    std::string id = start("stay", "trap 'exit 3' TERM; echo up; while :; do sleep 0.05; done",
                           {{"HostConfig", {{"NetworkMode", "none"}}}});
    RawClient attached = server->client();
    attached.send(request("POST", "/containers/stay/attach?stream=1&stdout=1&logs=1"));
    attached.until("up\n");
    attached.hang_up();
    EXPECT_EQ(get("/containers/stay/json").body["State"]["Running"], true);
    EXPECT_EQ(post("/containers/stay/stop").status, 204);
    EXPECT_EQ(get("/containers/stay/json").body["State"]["ExitCode"], 3);
}

TEST_F(DockerContainers, WhoIsAttachedCanSendAndDetach) {
    start("shell", "while read line; do echo \"got $line\"; done; exit 3",
          {{"Tty", true}, {"OpenStdin", true}, {"HostConfig", {{"NetworkMode", "none"}, {"ConsoleSize", {30, 100}}}}});
    RawClient attached = server->client();
    attached.send(request("POST", "/containers/shell/attach?stream=1&stdin=1&stdout=1&detachKeys=ctrl-a,b", "",
                          "Connection: Upgrade\r\nUpgrade: tcp\r\n"));
    attached.until("\r\n\r\n");
    attached.send("a\x01x\r");
    EXPECT_NE(attached.until("got a").find("a^Ax"), std::string::npos) << "that was not the whole sequence";
    attached.send("\x01");
    attached.send("b");
    (void)attached.rest();  // which ends
    EXPECT_EQ(get("/containers/shell/json").body["State"]["Running"], true);
    EXPECT_EQ(post("/containers/shell/resize?h=40&w=120").status, 200);
    EXPECT_EQ(post("/containers/shell/resize?h=x&w=120").status, 400);
    EXPECT_EQ(post("/containers/shell/attach?stream=1&detachKeys=ctrl-!").status, 400);
    RawClient again = server->client();
    again.send(request("POST", "/containers/shell/attach?stream=1&stdin=1&stdout=1", "",
                       "Connection: Upgrade\r\nUpgrade: tcp\r\n"));
    again.until("\r\n\r\n");
    again.send("\x04");
    (void)again.rest();
    EXPECT_EQ(post("/containers/shell/wait").body["StatusCode"], 3);
    EXPECT_EQ(post("/containers/shell/resize?h=40&w=120").status, 409) << "it runs no longer";
}

TEST_F(DockerContainers, WhatAClientSendsComesBackUnchangedAndEndsWithIt) {
    create("cat", "cat", {{"OpenStdin", true}, {"StdinOnce", true}, {"HostConfig", {{"NetworkMode", "none"}}}});
    RawClient attached = server->client();
    attached.send(request("POST", "/containers/cat/attach?stream=1&stdin=1&stdout=1", "",
                          "Connection: Upgrade\r\nUpgrade: tcp\r\n"));
    attached.until("\r\n\r\n");
    EXPECT_EQ(post("/containers/cat/start").status, 204);
    std::string all;
    for (int i = 0; i < 1 << 20; ++i) all += static_cast<char>(i * 7 >> (i % 5));
    std::jthread sender([&] {
        attached.send(all);
        attached.end_sending();
    });
    std::string back = unframed(attached.rest());
    EXPECT_TRUE(back == "out:" + all);
    EXPECT_EQ(post("/containers/cat/wait").body["StatusCode"], 0);
}

TEST_F(DockerContainers, ExecutesCommandsWithTheirStreamsAndExitCodes) {
    start("box", "trap 'exit 0' TERM; while :; do sleep 0.05; done", {{"HostConfig", {{"NetworkMode", "none"}}}});
    Reply made = post("/containers/box/exec", {{"Cmd", {"sh", "-c", "cat; echo err >&2; exit 5"}},
                                               {"AttachStdin", true},
                                               {"AttachStdout", true},
                                               {"AttachStderr", true}});
    ASSERT_EQ(made.status, 201) << made.text;
    std::string id = made.body["Id"];
    EXPECT_EQ(get("/exec/" + id + "/json").body["ExitCode"], nullptr);
    EXPECT_EQ(post("/exec/" + id + "/start", {{"Detach", "x"}}).status, 400);
    EXPECT_EQ(get("/exec/" + id + "/json").body["Running"], false) << "what is refused doesn't run";
    RawClient client = server->client();
    client.send(request("POST", "/exec/" + id + "/start", "{}", "Connection: Upgrade\r\nUpgrade: tcp\r\n") + "input");
    client.until("\r\n\r\n");
    client.end_sending();
    EXPECT_EQ(unframed(client.rest()), "out:inputerr:err\n");
    json shown = get("/exec/" + id + "/json").body;
    EXPECT_EQ(shown["ExitCode"], 5);
    EXPECT_EQ(shown["Running"], false);
    EXPECT_EQ(post("/exec/" + id + "/start", json::object()).status, 409) << "once";
    EXPECT_EQ(post("/containers/box/exec", json::object()).status, 400);
    auto run = [&](const json& body) {
        std::string exec = post("/containers/box/exec", body).body["Id"];
        RawClient other = server->client();
        other.send(request("POST", "/exec/" + exec + "/start", "{}", "Connection: Upgrade\r\nUpgrade: tcp\r\n"));
        other.until("\r\n\r\n");
        std::string text = other.rest();
        if (!body.value("Tty", false)) text = unframed(text);
        return text + "code:" + get("/exec/" + exec + "/json").body["ExitCode"].dump();
    };
    json both = {{"AttachStdout", true}, {"AttachStderr", true}};
    auto with = [&](json body) {
        body.update(both);
        return body;
    };
    std::string left = run(with({{"Cmd", {"sh", "-c", "yes & sleep 0.1; exit 6"}}}));
    EXPECT_TRUE(left.ends_with("code:6")) << "what the command left behind writes on and is not waited for";
    EXPECT_TRUE(run(with({{"Cmd", {"nosuch"}}})).ends_with("code:127"));
    EXPECT_EQ(run({{"Cmd", {"sh", "-c", "echo out; echo err >&2"}}, {"AttachStderr", true}}), "err:err\ncode:0");
    EXPECT_EQ(run(with({{"Cmd", {"sh", "-c", "tty; stty size"}}, {"Tty", true}, {"ConsoleSize", {30, 100}}})),
              "/dev/pts/0\r\n30 100\r\ncode:0");
    EXPECT_NE(run(with({{"Cmd", {"nosuch"}}, {"Tty", true}})).find("executable file not found"), std::string::npos);
    EXPECT_EQ(post("/containers/box/exec", {{"Cmd", {"sh"}}, {"ConsoleSize", {30}}}).status, 400);
    EXPECT_EQ(post("/containers/box/exec", {{"Cmd", {"sh"}}, {"DetachKeys", "ctrl-!"}}).status, 400);
    post("/containers/box/stop");
    EXPECT_EQ(post("/containers/box/exec", {{"Cmd", {"true"}}}).status, 409) << "it doesn't run";
}

TEST_F(DockerContainers, ExecutesACommandWithOneRequest) {
    start("box", "trap 'exit 0' TERM; while :; do sleep 0.05; done", {{"HostConfig", {{"NetworkMode", "none"}}}});
    const std::string path = "/kedge/v1/containers/box/exec";
    std::string head;
    auto run = [&](json body) {
        body.update(json{{"AttachStdout", true}, {"AttachStderr", true}});
        RawClient client = server->client();
        client.send(request("POST", path, body.dump(), "Connection: Upgrade\r\nUpgrade: tcp\r\n") + "input");
        head = client.until("\r\n\r\n");
        client.end_sending();
        return unframed(client.rest());
    };
    EXPECT_EQ(run({{"Cmd", {"sh", "-c", "cat; exit 5"}}, {"AttachStdin", true}}), "out:inputcode:5");
    size_t location = head.find("\r\nLocation: /exec/");
    ASSERT_NE(location, std::string::npos) << head;
    json shown = get(head.substr(location + 12, 6 + 64) + "/json").body;
    EXPECT_EQ(shown["ExitCode"], 5);
    EXPECT_EQ(shown["Running"], false);
    EXPECT_EQ(run({{"Cmd", {"sh", "-c", "tty; exit 6"}}, {"Tty", true}}), "out:/dev/pts/0\r\ncode:6");
    EXPECT_TRUE(run({{"Cmd", {"nosuch"}}}).ends_with("code:127"));
    std::string told = run({{"Cmd", {"nosuch"}}, {"Tty", true}});
    EXPECT_NE(told.find("executable file not found"), std::string::npos);
    EXPECT_TRUE(told.ends_with("code:127")) << told;
    Reply detached = post(path, {{"Cmd", {"true"}}, {"Detach", true}});
    EXPECT_EQ(detached.status, 201);
    EXPECT_EQ(get("/exec/" + detached.body["Id"].get<std::string>() + "/json").status, 200);
    EXPECT_EQ(post("/kedge/v1/containers/nosuch/exec", {{"Cmd", {"true"}}}).status, 404);
    EXPECT_EQ(post(path, json::object()).status, 400);
    EXPECT_EQ(post(path, {{"Cmd", {"true"}}, {"Nonsense", 1}}).status, 400);
}

TEST_F(DockerContainers, FollowsAContainerToItsEndWithOneRequest) {
    auto follow = [&](const std::string& name, const std::string& query, const std::string& input = "") {
        RawClient client = server->client();
        client.send(request("POST", "/kedge/v1/containers/" + name + "/attach?stdin=1&stdout=1&stderr=1" + query, "",
                            "Connection: Upgrade\r\nUpgrade: tcp\r\n") +
                    input);
        client.until("\r\n\r\n");
        client.end_sending();
        return unframed(client.rest());
    };
    const json host = {{"NetworkMode", "none"}};
    create("job", "cat; echo err >&2; exit 5", {{"HostConfig", host}, {"OpenStdin", true}, {"StdinOnce", true}});
    EXPECT_EQ(follow("job", "&start=1", "input"), "out:inputerr:err\ncode:5");
    EXPECT_EQ(follow("job", "&start=1", "more"), "out:moreerr:err\ncode:5") << "the end of this run, not of the last";
    create("shell", "tty; exit 6", {{"HostConfig", host}, {"OpenStdin", true}, {"Tty", true}});
    EXPECT_EQ(follow("shell", "&start=1"), "out:/dev/pts/0\r\ncode:6");

    create("once", "exit 7", {{"HostConfig", {{"NetworkMode", "none"}, {"AutoRemove", true}}}});
    EXPECT_EQ(follow("once", "&start=1"), "code:7");
    EXPECT_EQ(get("/containers/once/json").status, 404) << "the code comes after the removal";

    start("runs", "trap 'exit 9' TERM; echo up; while :; do sleep 0.05; done", {{"HostConfig", host}});
    RawClient attached = server->client();
    attached.send(request("POST", "/kedge/v1/containers/runs/attach?stdout=1&start=1", "",
                          "Connection: Upgrade\r\nUpgrade: tcp\r\n"));
    EXPECT_TRUE(attached.until("\r\n\r\n").starts_with("HTTP/1.1 101")) << "that it runs already is no error";
    post("/containers/runs/stop");
    EXPECT_TRUE(unframed(attached.rest()).ends_with("code:9"));
}

TEST_F(DockerContainers, WhoDetachesHearsOfNoEnd) {
    start("shell", "read line", {{"HostConfig", {{"NetworkMode", "none"}}}, {"OpenStdin", true}, {"Tty", true}});
    RawClient client = server->client();
    client.send(request("POST", "/kedge/v1/containers/shell/attach?stdin=1&stdout=1", "",
                        "Connection: Upgrade\r\nUpgrade: tcp\r\n"));
    client.until("\r\n\r\n");
    client.send("\x10\x11");
    EXPECT_EQ(unframed(client.rest()), "");
    EXPECT_EQ(get("/containers/shell/json").body["State"]["Running"], true);
}

TEST_F(DockerContainers, WhatCannotBeFollowedIsAnError) {
    create("bad", "", {{"HostConfig", {{"NetworkMode", "none"}}}, {"Entrypoint", {"nosuch"}}});
    Reply reply = post("/kedge/v1/containers/bad/attach?stdout=1&start=1");
    EXPECT_EQ(reply.status, 400);
    EXPECT_NE(reply.message().find("executable file not found"), std::string::npos) << reply.text;
    EXPECT_EQ(post("/kedge/v1/containers/nosuch/attach?start=1").status, 404);
    EXPECT_EQ(post("/kedge/v1/containers/bad/attach?start=1&detachKeys=ctrl-!").status, 400);
    EXPECT_EQ(post("/kedge/v1/containers/bad/attach").status, 409) << "it doesn't run, and isn't to be started";
}

}  // namespace
}  // namespace kedge::api

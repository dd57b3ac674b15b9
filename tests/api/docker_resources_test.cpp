#include "api/metrics.h"
#include "tests/api/api_fixture.h"

#include <set>
#include <sstream>

namespace kedge::api {
namespace {

using nlohmann::json;
using test::Answer;
using test::RawClient;
using test::request;
using test::TestServer;

class DockerResources : public test::ApiFixture {};

TEST_F(DockerResources, TheSystemSaysWhatItIsWithAndWithoutAVersion) {
    for (const char* prefix : {"", "/v1.24", "/v1.43", "/v1.51"}) {
        EXPECT_EQ(get(std::string(prefix) + "/_ping").text, "OK");
        json version = get(std::string(prefix) + "/version").body;
        EXPECT_EQ(version["ApiVersion"], "1.51");
        EXPECT_EQ(version["MinAPIVersion"], "1.24");
        EXPECT_EQ(version["Components"][0]["Name"], "Engine");
    }
    RawClient client = server->client();
    client.send(request("HEAD", "/_ping"));
    Answer ping = client.answer(true);
    EXPECT_EQ(ping.status, 200);
    EXPECT_EQ(ping.headers["Api-Version"], "1.51");
    EXPECT_EQ(ping.headers["Ostype"], "linux");
    json info = get("/info").body;
    EXPECT_EQ(info["Name"], "edge-1");
    EXPECT_EQ(info["Labels"], json({"zone=a"}));
    EXPECT_EQ(info["Images"], 1);
    EXPECT_EQ(get("/v1.52/info").status, 400);
    EXPECT_EQ(get("/v1.23/info").status, 400);
    EXPECT_NE(get("/v1.99/info").message().find("Maximum supported API version is 1.51"), std::string::npos);
    EXPECT_EQ(get("/v1.x/info").status, 404);
    EXPECT_EQ(get("/v2.0/info").status, 404);
    EXPECT_EQ(get("/v1.43").status, 404);
}

TEST_F(DockerResources, OlderClientsGetWhatTheyKnow) {
    EXPECT_TRUE(get("/v1.48/info").body.contains("BridgeNfIptables"));
    EXPECT_FALSE(get("/v1.50/info").body.contains("BridgeNfIptables"));
    EXPECT_EQ(get("/v1.49/info").body["FirewallBackend"]["Driver"], "nftables");
    EXPECT_FALSE(get("/v1.48/info").body.contains("FirewallBackend"));
    EXPECT_TRUE(get("/v1.43/images/json").body.at(0).contains("VirtualSize"));
    EXPECT_FALSE(get("/images/json").body.at(0).contains("VirtualSize")) << "without a version the newest is meant";
    EXPECT_TRUE(get("/v1.43/system/df").body["Images"].at(0).contains("VirtualSize"));
    EXPECT_FALSE(get("/v1.44/system/df").body["Images"].at(0).contains("VirtualSize"));
    EXPECT_TRUE(get("/v1.49/images/busybox/json").body["Config"].contains("Hostname"));
    EXPECT_FALSE(get("/v1.50/images/busybox/json").body["Config"].contains("Hostname"));
    EXPECT_EQ(post("/networks/create", {{"Name", "front"}}).status, 201);
    const json asked = {{"HostConfig", {{"NetworkMode", "front"}}},
                        {"NetworkingConfig", {{"EndpointsConfig", {{"front", {{"Aliases", {"www"}}}}}}}}};
    const std::string id = create("web", "true", asked);
    const json now = get("/containers/web/json").body["NetworkSettings"]["Networks"]["front"];
    EXPECT_EQ(now["Aliases"], json({"www"}));
    EXPECT_EQ(now["DNSNames"], json({"web", "www", id.substr(0, 12)}));
    const json then = get("/v1.44/containers/web/json").body["NetworkSettings"]["Networks"]["front"];
    EXPECT_EQ(then["Aliases"], json({"www", id.substr(0, 12)}));
}

TEST_F(DockerResources, ThePlatformOfAnImageIsTheOneThatIsAskedForOrThereIsNone) {
    const std::string own = "%7B%22os%22:%22linux%22,%22architecture%22:%22" + runtime::Platform::host().architecture +
                            "%22%7D",
                      other = "%7B%22os%22:%22linux%22,%22architecture%22:%22s390x%22%7D";
    for (const char* what : {"json", "history", "get"}) {
        const std::string path = "/images/busybox/" + std::string(what);
        EXPECT_EQ(get(path + "?platform=" + own).status, 200) << what;
        EXPECT_EQ(get(path + "?platform=" + other).status, 404) << what;
        EXPECT_EQ(get(path + "?platform=linux/amd64").status, 400) << what;
        EXPECT_EQ(get("/v1.47" + path + "?platform=" + other).status, 200) << what << ": it meant nothing then";
    }
    EXPECT_EQ(get("/images/busybox/json?platform=%7B%22os%22:%22linux%22%7D").status, 400);
    EXPECT_EQ(get("/images/busybox/json?manifests=1").status, 400);
    EXPECT_EQ(get("/images/json?manifests=1").status, 400);
    EXPECT_EQ(get("/v1.46/images/json?manifests=1").status, 200);
    EXPECT_EQ(post("/images/load?platform=" + own).status, 400);
    EXPECT_EQ(ask("DELETE", "/images/busybox?platforms=" + other).status, 404);
    EXPECT_EQ(ask("DELETE", "/images/busybox?platforms=" + own + "&platforms=" + other).status, 400);
    EXPECT_EQ(ask("DELETE", "/images/busybox?platforms=" + own).status, 200);
}

TEST_F(DockerResources, ImagesAreListedTaggedAndRemoved) {
    json image = get("/images/json").body.at(0);
    std::string id = image["Id"];
    EXPECT_EQ(image["RepoTags"], json({"busybox:latest"}));
    EXPECT_EQ(get("/images/busybox/json").body["Id"], id);
    EXPECT_EQ(get("/images/busybox/json").body["Config"]["Cmd"], json({"sh"}));
    EXPECT_EQ(post("/images/busybox/tag?repo=host:5000/a/b&tag=2").status, 201);
    EXPECT_EQ(get("/images/host:5000/a/b:2/json").body["Id"], id);
    EXPECT_EQ(get("/images/host%3A5000%2Fa%2Fb:2/json").body["Id"], id);
    auto names = [&](const std::string& pattern) {
        json list = get("/images/json?filters={\"reference\":[\"" + pattern + "\"]}").body;
        return list.empty() ? json(nullptr) : list.at(0)["RepoTags"];
    };
    EXPECT_EQ(names("host:5000/a/*"), json({"host:5000/a/b:2"})) << "not the image's other names";
    EXPECT_EQ(names("busybox"), json({"busybox:latest"}));
    EXPECT_EQ(names("busybox:1"), nullptr);
    EXPECT_EQ(ask("DELETE", "/images/host:5000/a/b:2").body, json::array({{{"Untagged", "host:5000/a/b:2"}}}));
    EXPECT_EQ(get("/images/nosuch/json").status, 404);
    EXPECT_EQ(get("/images/nosuch/json").message(), "No such image: nosuch:latest");
    EXPECT_EQ(post("/images/busybox/tag?repo=Not%20A%20Name").status, 400);
    EXPECT_EQ(post("/images/create").status, 400);
    EXPECT_EQ(get("/images/busybox/history").body.size(), 1u);
    create("user", "true", {{"HostConfig", {{"NetworkMode", "none"}}}});
    EXPECT_EQ(ask("DELETE", "/images/busybox").status, 409) << "a container uses it";
}

TEST_F(DockerResources, AnArchiveThatIsNoneFailsInTheStreamAsDockersDo) {
    for (const char* target : {"/images/load", "/images/create?fromSrc=-&repo=x"}) {
        Answer answer = server->ask(request("POST", target, std::string(5000, 'x')));
        EXPECT_EQ(answer.status, 200) << "the head is sent before the work is done";
        EXPECT_NE(answer.body.find("\"errorDetail\""), std::string::npos) << answer.body;
    }
}

TEST_F(DockerResources, VolumesAndNetworksAreMadeOnceListedAndRemoved) {
    json volume = post("/volumes/create", {{"Name", "data"}, {"Labels", {{"a", "b"}}}}).body;
    EXPECT_EQ(volume["Name"], "data");
    EXPECT_EQ(volume["Driver"], "local");
    EXPECT_EQ(post("/volumes/create", {{"Name", "data"}}).status, 201) << "as Docker's: made or there";
    EXPECT_EQ(get("/volumes").body["Volumes"].size(), 1u);
    EXPECT_EQ(get("/volumes/data").body["Labels"]["a"], "b");
    for (const json& bad : {json{{"Name", "../x"}}, json{{"Name", 1}}, json{{"DriverOpts", {{"type", "nfs"}}}},
                            json{{"ClusterVolumeSpec", {{"a", 1}}}}}) {
        EXPECT_EQ(post("/volumes/create", bad).status, 400) << bad;
    }
    EXPECT_EQ(post("/volumes/create", {{"Driver", "nfs"}}).status, 404) << "as Docker's: there is no such plugin";
    EXPECT_EQ(get("/volumes/..%2f..").status, 404);
    EXPECT_EQ(ask("DELETE", "/volumes/..").status, 404);
    EXPECT_EQ(ask("DELETE", "/volumes/data").status, 204);
    EXPECT_EQ(ask("DELETE", "/volumes/data").status, 404);

    json made = post("/networks/create",
                     {{"Name", "front"},
                      {"CheckDuplicate", true},
                      {"IPAM", {{"Driver", "default"}, {"Config", json::array({{{"Subnet", "172.28.9.0/24"}}})}}}})
                    .body;
    EXPECT_EQ(made["Id"].get<std::string>().size(), 64u);
    EXPECT_EQ(post("/networks/create", {{"Name", "front"}}).status, 409);
    json network = get("/networks/front").body;
    EXPECT_EQ(network["Id"], made["Id"]);
    EXPECT_EQ(network["IPAM"]["Config"][0]["Subnet"], "172.28.9.0/24");
    EXPECT_EQ(network["Containers"], json::object());
    for (const json& bad : {json{{"Name", ""}}, json{{"Name", "x"}, {"Driver", "overlay"}},
                            json{{"Name", "x"}, {"EnableIPv6", "yes"}}, json{{"Name", "x"}, {"Scope", "swarm"}},
                            json{{"Name", "x"}, {"IPAM", {{"Config", json::array({{{"Subnet", "nonsense"}}})}}}},
                            json{{"Name", "x"}, {"IPAM", {{"Options", {{"a", "b"}}}}}},
                            json{{"Name", "x"}, {"EnableIPv4", false}}, json{{"Name", "x"}, {"Ingress", true}}}) {
        EXPECT_EQ(post("/networks/create", bad).status, 400) << bad;
    }
    EXPECT_EQ(ask("DELETE", "/networks/front").status, 204);
    EXPECT_EQ(get("/networks/front").status, 404);
}

TEST_F(DockerResources, NetworksHaveIpv6IfTheyAreAskedTo) {
    const json six = {{"Subnet", "fd00:5::/64"},
                      {"Gateway", "fd00:5::99"},
                      {"IPRange", "fd00:5::100/120"},
                      {"AuxiliaryAddresses", {{"printer", "fd00:5::101"}}}};
    const json four = {{"Subnet", "172.28.9.0/24"}};
    auto wanted = [](const json& configs, bool ipv6 = true) {
        return json{{"Name", "wide"}, {"EnableIPv6", ipv6}, {"IPAM", {{"Config", configs}}}};
    };
    EXPECT_EQ(post("/networks/create", wanted({six, four})).status, 201);
    const json network = get("/networks/wide").body;
    EXPECT_EQ(network["EnableIPv6"], true);
    EXPECT_EQ(network["EnableIPv4"], true);
    EXPECT_EQ(network["IPAM"]["Config"][1], six);
    EXPECT_EQ(network["IPAM"]["Config"][0]["Subnet"], "172.28.9.0/24");
    EXPECT_EQ(get("/networks?filters=" + std::string(R"({"name":["wide"]})")).body.at(0)["EnableIPv6"], true);
    EXPECT_EQ(ask("DELETE", "/networks/wide").status, 204);
    const json other = {{"Subnet", "fd00:6::/64"}}, crossed = {{"Subnet", "fd00:5::/64"}, {"Gateway", "172.28.9.1"}};
    for (const json& bad : {wanted({six, other}), wanted({crossed}), wanted({{{"Gateway", "fd00:5::1"}}}),
                            wanted({{{"Subnet", "fd00:5::1/64"}}}), wanted({six}, false)}) {
        EXPECT_EQ(post("/networks/create", bad).status, 400) << bad;
    }
    EXPECT_EQ(post("/networks/create", {{"Name", "x"}, {"EnableIPv4", false}}).body["message"],
              "IPv4 or IPv6 must be enabled");
    const json alone = {{"Name", "six"},
                        {"EnableIPv4", false},
                        {"EnableIPv6", true},
                        {"IPAM", {{"Config", json::array({{{"Subnet", "fd00:7::/64"}}})}}}};
    EXPECT_EQ(post("/networks/create", alone).status, 201);
    const json made = get("/networks/six").body;
    EXPECT_EQ(made["EnableIPv4"], false);
    EXPECT_EQ(made["EnableIPv6"], true);
    EXPECT_EQ(made["IPAM"]["Config"], json::array({{{"Subnet", "fd00:7::/64"}, {"Gateway", "fd00:7::1"}}}));
    EXPECT_EQ(ask("DELETE", "/networks/six").status, 204);
    EXPECT_EQ(post("/v1.47/networks/create", {{"Name", "old"}, {"EnableIPv4", false}}).status, 201)
        << "which clients of that version don't know";
    EXPECT_EQ(get("/networks/old").body["EnableIPv4"], true);
    EXPECT_EQ(ask("DELETE", "/networks/old").status, 204);
    json mixed = alone;
    mixed["IPAM"]["Config"].push_back(four);
    EXPECT_EQ(post("/networks/create", mixed).body["message"], "the network has no IPv4, which 172.28.9.0/24 is of");
}

TEST_F(DockerResources, EventsAreStreamedAsTheyHappen) {
    RawClient client = server->client();
    client.send(request("GET", "/events?filters=" + std::string(R"({"type":["volume"]})")));
    client.until("\r\n\r\n");
    post("/networks/create", {{"Name", "other"}});
    post("/volumes/create", {{"Name", "data"}});
    std::string size = client.until("\r\n");
    json event = json::parse(client.until("\n"));
    EXPECT_EQ(event["Type"], "volume");
    EXPECT_EQ(event["Action"], "create");
    EXPECT_EQ(event["Actor"]["ID"], "data");
    EXPECT_GT(event["timeNano"], 0);
    EXPECT_EQ(get("/events?since=0&until=1").text, "");
    EXPECT_EQ(get("/events?until=x").status, 400);
}

TEST_F(DockerResources, PruningIsToldWithWhatItFreed) {
    RawClient client = server->client();
    client.send(request("GET", "/events?filters=" + std::string(R"({"event":["prune"]})")));
    client.until("\r\n\r\n");
    for (const char* kind : {"container", "image", "volume", "network"}) {
        EXPECT_EQ(post("/" + std::string(kind) + "s/prune").status, 200);
        (void)client.until("\r\n");
        json event = json::parse(client.until("\n"));
        (void)client.until("\r\n");
        EXPECT_EQ(event["Type"], kind);
        EXPECT_EQ(event["Action"], "prune");
        EXPECT_EQ(event["Actor"], (json{{"ID", ""}, {"Attributes", {{"reclaimed", "0"}}}}));
        EXPECT_FALSE(event.contains("id"));
    }
}

TEST_F(DockerResources, VolumesKeepTheOptionsOfTheLocalDriver) {
    const json wanted = {{"type", "tmpfs"}, {"device", "tmpfs"}, {"o", "size=1m"}};
    EXPECT_EQ(post("/volumes/create", {{"Name", "fast"}, {"DriverOpts", wanted}}).status, 201);
    EXPECT_EQ(get("/volumes/fast").body["Options"], wanted);
    Reply wrong = post("/volumes/create", {{"Name", "odd"}, {"DriverOpts", {{"nope", "1"}}}});
    EXPECT_EQ(wrong.status, 400);
    EXPECT_EQ(wrong.message(), "create odd: invalid option: \"nope\"");
}

TEST_F(DockerResources, WhatIsNotSupportedSaysSo) {
    for (const auto& [target, method] :
         std::map<std::string, std::string>{{"/build", "POST"}, {"/images/a/b/push", "POST"}}) {
        Reply reply = ask(method, target);
        EXPECT_EQ(reply.status, 501) << target;
        EXPECT_NE(reply.message().find("not supported by kedge"), std::string::npos) << target;
    }
}

/// The value of one line of the exposition; -1 if it isn't there.
double value_of(const std::string& text, const std::string& series) {
    size_t at = text.starts_with(series + " ") ? 0 : text.find("\n" + series + " ");
    return at == std::string::npos ? -1 : std::stod(text.substr(text.find(' ', at + series.size()) + 1));
}

TEST_F(DockerResources, MetricsFollowRealityAndEveryFamilyIsDescribed) {
    start("run", "while :; do sleep 0.05; done",
          {{"Labels", {{"com.docker.compose.project", "a\"b\\c\nd"}}},
           {"StopTimeout", 0},
           {"HostConfig", {{"NetworkMode", "none"}}}});
    create("idle", "true", {{"HostConfig", {{"NetworkMode", "none"}}}});
    std::string text = metrics_text(*services);
    EXPECT_EQ(value_of(text, "kedge_containers{status=\"running\"}"), 1);
    EXPECT_EQ(value_of(text, "kedge_containers{status=\"created\"}"), 1);
    EXPECT_GT(value_of(text, "process_resident_memory_bytes"), 1e6);
    EXPECT_NE(text.find(R"(project="a\"b\\c\nd")"), std::string::npos) << text;
    post("/containers/run/stop?t=0");
    EXPECT_EQ(value_of(metrics_text(*services), "kedge_containers{status=\"exited\"}"), 1);
    std::set<std::string> helped, typed;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string first, second, name;
        words >> first >> second >> name;
        if (first == "#")
            (second == "HELP" ? helped : typed).insert(name);
        else
            EXPECT_TRUE(helped.contains(first.substr(0, first.find('{'))) &&
                        typed.contains(first.substr(0, first.find('{'))))
                << line;
    }
    EXPECT_EQ(helped, typed);
}

TEST_F(DockerResources, AMetricsListenerHasNothingElse) {
    TestServer metrics(make_metrics_only(*services), {.untrusted = true});
    Answer answer = metrics.ask(request("GET", "/metrics"));
    EXPECT_EQ(answer.status, 200);
    EXPECT_TRUE(answer.headers["Content-Type"].starts_with("text/plain; version=0.0.4"));
    for (const char* target : {"/", "/info", "/containers/json", "/metrics/", "/metrics/x", "//metrics",
                               "/v1.43/metrics", "/kedge/v1/status", "/_ping"}) {
        EXPECT_EQ(metrics.ask(request("GET", target)).status, 404) << target;
    }
    for (const char* method : {"POST", "DELETE", "PUT"})
        EXPECT_EQ(metrics.ask(request(method, "/metrics")).status, 404) << method;
}

TEST_F(DockerResources, KedgesOwnApiAnswersWithoutProjects) {
    json status = get("/kedge/v1/status").body;
    EXPECT_EQ(status["device"], "edge-1");
    EXPECT_EQ(status["projects"], json::array());
    EXPECT_EQ(get("/kedge/v1/sources").body, json::array());
    for (const char* path : {"", "/diff", "/releases", "/releases/1"})
        EXPECT_EQ(get("/kedge/v1/projects/x" + std::string(path)).status, 404) << path;
    for (const char* action : {"sync", "rollback", "hold", "resume", "retry"})
        EXPECT_EQ(post("/kedge/v1/projects/x/" + std::string(action), json::object()).status, 404) << action;
    EXPECT_EQ(get("/kedge/v1/projects/x/releases/one").status, 400);
    EXPECT_EQ(post("/kedge/v1/wake", json::object()).status, 202);
}

TEST_F(DockerResources, EveryBodyOfAnotherShapeIsRefused) {
    start("box", "while :; do sleep 0.05; done", {{"StopTimeout", 0}, {"HostConfig", {{"NetworkMode", "none"}}}});
    for (const char* target :
         {"/containers/create", "/containers/box/exec", "/volumes/create", "/networks/create", "/networks/x/connect",
          "/networks/x/disconnect", "/kedge/v1/projects/x/rollback", "/kedge/v1/projects/x/hold", "/kedge/v1/wake"}) {
        for (const std::string& body :
             {std::string("[]"), std::string("1"), std::string("{"), std::string("\"\xff\""), std::string(100'000, '['),
              std::string(R"({"Image":1,"Cmd":1,"Name":1,"release":"x","reason":1,"source":1,"Driver":1})")}) {
            EXPECT_EQ(server->ask(request("POST", target, body)).status, 400) << target << " " << body.substr(0, 50);
        }
        EXPECT_EQ(server->ask(request("POST", target, "{" + std::string(5u << 20, ' ') + "}")).status, 400)
            << target << " more than four megabytes";
    }
    EXPECT_EQ(get("/_ping").text, "OK");
}

}  // namespace
}  // namespace kedge::api

#include "tests/api/api_fixture.h"

namespace kedge::api {
namespace {

using nlohmann::json;
using test::Answer;
using test::request;

std::string escaped(const std::string& text) {
    std::string result;
    for (unsigned char c : text) {
        char digits[4];
        (void)std::snprintf(digits, sizeof digits, "%%%02X", c);
        result += digits;
    }
    return result;
}

class DockerDisk : public test::ApiFixture {
public:
    /// Runs to its end, having written so many bytes outside of volumes and (in /v) into `data`.
    std::string writer(const std::string& name) {
        std::string id = start(name, "head -c 1000 /dev/zero > /root/own; head -c 300 /dev/zero > /v/f",
                               {{"HostConfig", {{"NetworkMode", "none"}, {"Binds", {"data:/v"}}}}});
        EXPECT_EQ(post("/containers/" + name + "/wait").body["StatusCode"], 0);
        return id;
    }
    Reply prune(const std::string& what, const json& filters = json::object()) {
        return post("/" + what + "/prune?filters=" + escaped(filters.dump()));
    }
};

TEST_F(DockerDisk, SaysWhatIsTakenAndWhatAClearingFreed) {
    const std::string id = writer("box");
    const json usage = get("/system/df").body;
    const json& image = usage["Images"].at(0);
    EXPECT_EQ(usage["LayersSize"], image["Size"]);
    EXPECT_EQ(image["Containers"], 1);
    EXPECT_EQ(image["SharedSize"], 0);
    EXPECT_EQ(usage["Containers"].at(0)["SizeRw"], 1000);
    EXPECT_EQ(usage["Containers"].at(0)["SizeRootFs"], 1000 + image["Size"].get<int64_t>());
    EXPECT_EQ(usage["Volumes"].at(0)["UsageData"], json({{"Size", 300}, {"RefCount", 1}}));
    EXPECT_EQ(usage["BuildCache"], json::array());
    EXPECT_EQ(get("/system/df?type=volume").body.size(), 1u);
    EXPECT_EQ(get("/system/df?type=nonsense").status, 400);

    EXPECT_EQ(get("/containers/box/json").body.count("SizeRw"), 0u) << "only when it is asked for";
    EXPECT_EQ(get("/containers/box/json?size=1").body["SizeRw"], 1000);
    EXPECT_EQ(get("/containers/json?all=1").body.at(0).count("SizeRw"), 0u);
    EXPECT_EQ(get("/containers/json?all=1&size=true").body.at(0)["SizeRw"], 1000);

    EXPECT_EQ(prune("containers").body, json({{"ContainersDeleted", {id}}, {"SpaceReclaimed", 1000}}));
    EXPECT_EQ(prune("volumes", {{"all", {"true"}}}).body,
              json({{"VolumesDeleted", {"data"}}, {"SpaceReclaimed", 300}}));
    const json images = prune("images", {{"dangling", {"false"}}}).body;
    EXPECT_GE(images["SpaceReclaimed"].get<int64_t>(), image["Size"].get<int64_t>());
    EXPECT_EQ(images["ImagesDeleted"].at(0), json({{"Untagged", "busybox:latest"}}));
    EXPECT_EQ(images["ImagesDeleted"].at(1), json({{"Deleted", image["Id"]}}));
}

TEST_F(DockerDisk, VolumesWithOptionsAreSparedAndOlderClientsClearNamedOnes) {
    for (const char* name : {"one", "two"}) EXPECT_EQ(post("/volumes/create", {{"Name", name}}).status, 201);
    const json tmpfs = {{"type", "tmpfs"}, {"device", "tmpfs"}};
    EXPECT_EQ(post("/volumes/create", {{"Name", "set"}, {"DriverOpts", tmpfs}, {"Labels", {{"set", "1"}}}}).status,
              201);
    EXPECT_EQ(prune("volumes").body["VolumesDeleted"], json::array());
    EXPECT_EQ(post("/v1.42/volumes/prune").body["VolumesDeleted"], json::array());
    EXPECT_EQ(post("/v1.41/volumes/prune").body["VolumesDeleted"], json({"one", "two"}));
    EXPECT_EQ(prune("volumes", {{"all", {"true"}}}).body["VolumesDeleted"], json::array());
    EXPECT_EQ(get("/volumes/set").status, 200);
}

TEST_F(DockerDisk, ClearingsSpareWhatTheirFiltersSay) {
    create("kept", "true", {{"Labels", {{"keep", "1"}}}, {"HostConfig", {{"NetworkMode", "none"}}}});
    const std::string other = create("other", "true", {{"HostConfig", {{"NetworkMode", "none"}}}});
    EXPECT_EQ(prune("containers", {{"until", {"1h"}}}).body["ContainersDeleted"], json::array()) << "made just now";
    EXPECT_EQ(prune("containers", {{"until", {"nonsense"}}}).status, 400);
    EXPECT_EQ(prune("containers", {{"until", {"1h", "2h"}}}).status, 400);
    EXPECT_EQ(prune("containers", {{"bogus", {"1"}}}).status, 400);
    EXPECT_EQ(prune("containers", {{"label!", {"keep=1"}}}).body["ContainersDeleted"], json({other}));
    EXPECT_EQ(get("/containers/json?all=1").body.size(), 1u);

    for (const char* name : {"one", "two"}) post("/networks/create", {{"Name", name}, {"Labels", {{name, ""}}}});
    EXPECT_EQ(prune("networks", {{"until", {"10m"}}}).body["NetworksDeleted"], nullptr);
    EXPECT_EQ(prune("networks", {{"label", {"one"}}}).body["NetworksDeleted"], json({"one"}));
    create("waits", "true", {{"HostConfig", {{"NetworkMode", "two"}}}});
    EXPECT_EQ(prune("networks").body["NetworksDeleted"], nullptr) << "a container will join it at its next start";
    EXPECT_EQ(ask("DELETE", "/containers/waits").status, 204);
    EXPECT_EQ(prune("networks").body["NetworksDeleted"], json({"two"}));

    EXPECT_EQ(prune("images", {{"dangling", {"false"}}, {"label", {"no"}}}).body["ImagesDeleted"], nullptr);
    EXPECT_EQ(get("/images/json").body.size(), 1u);
}

TEST_F(DockerDisk, ImagesAreSavedForLoad) {
    const json image = get("/images/busybox/json").body;
    post("/images/busybox/tag?repo=shop/web&tag=2");
    Answer archive = server->ask(request("GET", "/images/get?names=busybox:latest&names=shop/web:2"));
    EXPECT_EQ(archive.status, 200);
    EXPECT_TRUE(archive.whole);
    EXPECT_EQ(archive.headers["Content-Type"], "application/x-tar");
    EXPECT_EQ(server->ask(request("GET", "/images/shop/web:2/get")).status, 200);
    EXPECT_EQ(get("/images/get?names=nosuch").status, 404);
    EXPECT_EQ(get("/images/get").status, 400);
    EXPECT_EQ(ask("DELETE", "/images/" + image["Id"].get<std::string>() + "?force=1").status, 200);
    Answer loaded = server->ask(request("POST", "/images/load?quiet=1", archive.body));
    for (const char* name : {"busybox:latest", "shop/web:2"})
        EXPECT_NE(loaded.body.find("Loaded image: " + std::string(name)), std::string::npos) << loaded.body;
    EXPECT_EQ(get("/images/busybox/json").body["Id"], image["Id"]);
}

TEST_F(DockerDisk, AnArchiveThatProvesToBeDamagedIsNotTakenForAWhole) {
    const std::string blobs = options.root + "/images/blobs/sha256/";
    std::string largest;
    for (const std::string& name : entries(blobs)) {
        if (largest.empty() ||
            read_file_at(AT_FDCWD, blobs + name).size() > read_file_at(AT_FDCWD, blobs + largest).size())
            largest = name;
    }
    std::string bytes = read_file_at(AT_FDCWD, blobs + largest);
    bytes.back() ^= 1;
    write_file_durably(AT_FDCWD, blobs + largest, bytes);
    Answer archive = server->ask(request("GET", "/images/busybox/get"));
    EXPECT_EQ(archive.status, 200) << "the head is sent before the work is done";
    EXPECT_FALSE(archive.whole);
}

TEST_F(DockerDisk, AnImagesHistoryHasTheSizesOfItsLayers) {
    const json history = get("/images/busybox/history").body;
    EXPECT_EQ(history.at(0)["Size"], get("/images/busybox/json").body["Size"]);
}

TEST_F(DockerDisk, ThePredefinedNetworksAreListedAndNobodys) {
    runtime::provide_default_network(engine->networks());
    std::set<std::string> names;
    for (const json& network : get("/networks").body) names.insert(network["Name"].get<std::string>());
    EXPECT_EQ(names, (std::set<std::string>{"bridge", "host", "none"}));
    EXPECT_EQ(get("/networks?filters=" + escaped(R"({"type":["custom"]})")).body, json::array());
    EXPECT_EQ(get("/networks/none").body["Driver"], "null");
    for (const char* name : {"bridge", "host", "none"}) {
        Reply removal = ask("DELETE", "/networks/" + std::string(name));
        EXPECT_EQ(removal.status, 403);
        EXPECT_EQ(removal.message(), std::string(name) + " is a pre-defined network and cannot be removed");
        Reply creation = post("/networks/create", {{"Name", name}});
        EXPECT_EQ(creation.status, 403);
        EXPECT_EQ(creation.message(), "operation is not permitted on predefined " + std::string(name) + " network");
    }
    EXPECT_EQ(prune("networks").body["NetworksDeleted"], nullptr);
    const std::string id =
        start("hosted", "sleep 1000", {{"StopTimeout", 0}, {"HostConfig", {{"NetworkMode", "host"}}}});
    EXPECT_EQ(get("/networks/host").body["Containers"][id]["Name"], "hosted");
    EXPECT_TRUE(get("/containers/hosted/json").body["NetworkSettings"]["Networks"].contains("host"));
}

TEST_F(DockerDisk, ContainersAreConnectedAndDisconnected) {
    post("/networks/create",
         {{"Name", "front"},
          {"Attachable", true},
          {"IPAM", {{"Config", json::array({{{"Subnet", "172.28.9.0/24"}, {"IPRange", "172.28.9.64/26"}}})}}}});
    const std::string id = start("box", "sleep 1000", {{"StopTimeout", 0}, {"HostConfig", {{"NetworkMode", "none"}}}});
    EXPECT_EQ(post("/networks/none/disconnect", {{"Container", "box"}}).status, 200);
    const json asked = {
        {"Container", "box"},
        {"EndpointConfig", {{"Aliases", {"www"}}, {"IPAMConfig", {{"IPv4Address", "172.28.9.7"}}}, {"GwPriority", 3}}}};
    EXPECT_EQ(post("/networks/front/connect", asked).status, 200);
    EXPECT_EQ(post("/networks/front/connect", asked).status, 403);
    const json network = get("/networks/front").body;
    EXPECT_EQ(network["Containers"][id]["IPv4Address"], "172.28.9.7/24");
    EXPECT_EQ(network["IPAM"]["Config"][0]["IPRange"], "172.28.9.64/26");
    EXPECT_EQ(network["Attachable"], true);
    const json endpoint = get("/containers/box/json").body["NetworkSettings"]["Networks"]["front"];
    EXPECT_EQ(endpoint["IPAddress"], "172.28.9.7");
    EXPECT_EQ(endpoint["IPAMConfig"]["IPv4Address"], "172.28.9.7");
    EXPECT_EQ(endpoint["Aliases"], json({"www"}));
    EXPECT_EQ(endpoint["EndpointID"], network["Containers"][id]["EndpointID"]);
    EXPECT_EQ(post("/networks/front/disconnect", {{"Container", id.substr(0, 12)}}).status, 200);
    EXPECT_EQ(post("/networks/front/disconnect", {{"Container", "box"}}).status, 403);
    EXPECT_EQ(post("/networks/nosuch/connect", {{"Container", "box"}}).status, 404);
    for (const json& bad :
         {json{{"Links", {"a:b"}}}, json{{"DriverOpts", {{"a", "b"}}}},
          json{{"IPAMConfig", {{"IPv4Address", "1.2.3"}}}}, json{{"IPAMConfig", {{"IPv6Address", "fd00::1"}}}},
          json{{"IPAMConfig", {{"IPv6Address", "10.0.0.1"}}}}, json{{"Aliases", 1}}}) {
        EXPECT_EQ(post("/networks/front/connect", {{"Container", "box"}, {"EndpointConfig", bad}}).status, 400) << bad;
    }
}

}  // namespace
}  // namespace kedge::api

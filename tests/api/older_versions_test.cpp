#include "api/older_versions.h"
#include "base/error.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace kedge::api {
namespace {

using nlohmann::json;

std::string refusal(json body, int api) {
    try {
        (void)read_older_create(body, api);
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), Code::invalid_argument);
        return error.what();
    }
    return {};
}

json read(json body, int api, std::vector<std::string>* warnings = nullptr) {
    std::vector<std::string> told = read_older_create(body, api);
    if (warnings) *warnings = told;
    return body;
}

json endpoints(const json& of) {
    return {{"NetworkingConfig", {{"EndpointsConfig", of}}}};
}

json host_mounts(const json& mount) {
    return {{"HostConfig", {{"Mounts", json::array({mount})}}}};
}

TEST(OlderVersions, TheNewestRequestStaysAsItIs) {
    json body = endpoints({{"a", {{"GwPriority", 3}, {"MacAddress", "02:00:00:00:00:01"}}}, {"b", nullptr}});
    body["Healthcheck"] = {{"StartInterval", 5}};
    body["HostConfig"] = {{"Annotations", {{"a", "b"}}}, {"ConsoleSize", {1, 2}}, {"NetworkMode", "a"}};
    EXPECT_EQ(read(body, 50), body);
}

TEST(OlderVersions, WhatAVersionHadNotIsLeftOutOrRefused) {
    json body = endpoints({{"a", {{"GwPriority", 3}, {"MacAddress", "02:00:00:00:00:01"}}}});
    EXPECT_FALSE(read(body, 47)["NetworkingConfig"]["EndpointsConfig"]["a"].contains("GwPriority"));
    EXPECT_TRUE(read(body, 44)["NetworkingConfig"]["EndpointsConfig"]["a"].contains("MacAddress"));
    EXPECT_FALSE(read(body, 43)["NetworkingConfig"]["EndpointsConfig"]["a"].contains("MacAddress"));
    EXPECT_FALSE(read({{"Healthcheck", {{"StartInterval", 5}}}}, 43)["Healthcheck"].contains("StartInterval"));
    EXPECT_TRUE(read({{"Healthcheck", {{"StartInterval", 5}}}}, 44)["Healthcheck"].contains("StartInterval"));
    EXPECT_FALSE(read({{"HostConfig", {{"Annotations", {{"a", "b"}}}}}}, 42)["HostConfig"].contains("Annotations"));
    EXPECT_EQ(refusal(endpoints({{"a", nullptr}, {"b", nullptr}}), 43),
              "Container cannot be created with multiple network endpoints: a, b");
    EXPECT_EQ(refusal(endpoints({{"a", nullptr}, {"b", nullptr}}), 44), "");
    const json subpath = host_mounts({{"Type", "volume"}, {"VolumeOptions", {{"Subpath", "x"}}}});
    EXPECT_EQ(refusal(subpath, 44), "VolumeOptions.Subpath needs API v1.45 or newer");
    EXPECT_EQ(refusal(subpath, 45), "");
    EXPECT_EQ(refusal(host_mounts({{"Type", "image"}}), 47), "Mount type \"Image\" needs API v1.48 or newer");
    EXPECT_EQ(refusal(host_mounts({{"Type", "bind"}, {"BindOptions", {{"ReadOnlyForceRecursive", true}}}}), 43),
              "BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer");
}

TEST(OlderVersions, ReadOnlyTreesWereSoOnlyAtTheirTop) {
    const json mount = {{"Type", "bind"}, {"Source", "/a"}, {"Target", "/b"}, {"ReadOnly", true}};
    EXPECT_EQ(read(host_mounts(mount), 43)["HostConfig"]["Mounts"][0]["BindOptions"]["ReadOnlyNonRecursive"], true);
    EXPECT_FALSE(read(host_mounts(mount), 44)["HostConfig"]["Mounts"][0].contains("BindOptions"));
    json writable = mount;
    writable["ReadOnly"] = false;
    EXPECT_FALSE(read(host_mounts(writable), 43)["HostConfig"]["Mounts"][0].contains("BindOptions"));
}

TEST(OlderVersions, TheContainersHardwareAddressBecomesThatOfItsNetwork) {
    const std::string mac = "02:00:00:00:00:09";
    std::vector<std::string> warnings;
    json body = read({{"MacAddress", mac}}, 43, &warnings);
    EXPECT_EQ(body["NetworkingConfig"]["EndpointsConfig"]["bridge"]["MacAddress"], mac);
    EXPECT_FALSE(body.contains("MacAddress"));
    EXPECT_TRUE(warnings.empty());
    json named = endpoints({{"front", nullptr}});
    named.update({{"MacAddress", mac}, {"HostConfig", {{"NetworkMode", "front"}}}});
    EXPECT_EQ(read(named, 50, &warnings)["NetworkingConfig"]["EndpointsConfig"]["front"]["MacAddress"], mac);
    EXPECT_EQ(warnings.size(), 1u) << "it is deprecated";
    named["HostConfig"]["NetworkMode"] = "back";
    EXPECT_NE(refusal(named, 50).find("must match"), std::string::npos);
    EXPECT_EQ(refusal({{"MacAddress", mac}, {"HostConfig", {{"NetworkMode", "host"}}}}, 50),
              "conflicting options: mac-address and the network mode");
    json both = endpoints({{"bridge", {{"MacAddress", "02:00:00:00:00:01"}}}});
    both["MacAddress"] = mac;
    EXPECT_NE(refusal(both, 50).find("must match the endpoint-specific"), std::string::npos);
}

TEST(OlderVersions, SettingsOfTheFirstInterfaceBecomeThoseOfItsNetwork) {
    const char* const kOption = "com.docker.network.endpoint.sysctls";
    const json body = {{"HostConfig", {{"Sysctls", {{"net.ipv4.conf.eth0.log_martians", "1"}, {"net.core.x", "2"}}}}}};
    std::vector<std::string> warnings;
    json moved = read(body, 47, &warnings);
    EXPECT_EQ(moved["HostConfig"]["Sysctls"], json({{"net.core.x", "2"}}));
    EXPECT_EQ(moved["NetworkingConfig"]["EndpointsConfig"]["bridge"]["DriverOpts"][kOption],
              "net.ipv4.conf.IFNAME.log_martians=1");
    EXPECT_EQ(warnings.size(), 1u);
    EXPECT_NE(refusal(body, 48).find(kOption), std::string::npos);
    EXPECT_NE(refusal({{"HostConfig", {{"Sysctls", {{"net.ipv4.conf.eth1.forwarding", "1"}}}}}}, 47).find(kOption),
              std::string::npos);
}

TEST(OlderVersions, WhatIsOfAnotherTypeIsLeftToWhoeverReadsIt) {
    for (const json& odd : {json(7), json("x"), json::array({1}), json(nullptr), json{{"x", json::array({nullptr})}}}) {
        for (const char* key : {"HostConfig", "NetworkingConfig", "Healthcheck", "MacAddress"}) {
            for (int api : {24, 43, 47, 50}) EXPECT_NO_THROW((void)read({{key, odd}}, api)) << key << odd;
        }
        for (const char* key : {"Mounts", "Sysctls", "NetworkMode", "IpcMode"}) {
            for (int api : {24, 43, 47, 50})
                EXPECT_NO_THROW((void)read({{"MacAddress", ""}, {"HostConfig", {{key, odd}}}}, api)) << key << odd;
        }
        EXPECT_NO_THROW((void)read(host_mounts(odd), 24));
        EXPECT_NO_THROW((void)read(endpoints({{"a", odd}}), 24));
    }
}

TEST(OlderVersions, ImagesHadMoreMembers) {
    json summary = {{"Size", 7}, {"RepoTags", json::array()}, {"RepoDigests", json::array()}};
    json old = summary;
    write_older_image_summary(old, 44);
    EXPECT_EQ(old, summary);
    write_older_image_summary(old, 43);
    EXPECT_EQ(old["VirtualSize"], 7);
    EXPECT_EQ(old["RepoTags"], json::array());
    write_older_image_summary(old, 42);
    EXPECT_EQ(old["RepoTags"], json({"<none>:<none>"}));
    const json image = {{"Size", 7}, {"Config", {{"Cmd", {"sh"}}, {"Volumes", nullptr}}}};
    json now = image;
    write_older_image(now, 50);
    EXPECT_EQ(now, image);
    write_older_image(now, 49);
    EXPECT_EQ(now["Config"]["Hostname"], "");
    EXPECT_EQ(now["Config"]["Tty"], false);
    EXPECT_EQ(now["Config"]["Cmd"], json({"sh"}));
    EXPECT_FALSE(now.contains("ContainerConfig"));
    write_older_image(now, 44);
    EXPECT_TRUE(now.contains("ContainerConfig"));
    EXPECT_FALSE(now.contains("VirtualSize"));
}

TEST(OlderVersions, AliasesHadTheShortIdInThem) {
    const std::string id = "0123456789abcdef0123";
    const json shown = {
        {"Id", id},
        {"NetworkSettings", {{"Networks", {{"front", {{"Aliases", {"www"}}}}, {"bridge", {{"Aliases", nullptr}}}}}}}};
    json old = shown;
    write_older_container(old, 45);
    EXPECT_EQ(old, shown);
    write_older_container(old, 44);
    EXPECT_EQ(old["NetworkSettings"]["Networks"]["front"]["Aliases"], json({"www", "0123456789ab"}));
    EXPECT_EQ(old["NetworkSettings"]["Networks"]["bridge"]["Aliases"], nullptr);
}

}  // namespace
}  // namespace kedge::api

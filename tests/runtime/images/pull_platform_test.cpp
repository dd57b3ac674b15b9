#include "base/error.h"
#include "registry_server.h"
#include "runtime/images/blob_store.h"
#include "runtime/images/layer_store.h"
#include "runtime/images/look_up.h"
#include "runtime/images/pull.h"
#include "runtime/images/pull_manifest.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace kedge;
using namespace kedge::runtime;
using namespace kedge::runtime::test;

namespace {

const std::string kManifestType = "application/vnd.oci.image.manifest.v1+json";

nlohmann::json entry(const std::string& body, const std::string& os, const std::string& architecture,
                     const std::string& variant = "") {
    nlohmann::json platform = {{"os", os}, {"architecture", architecture}};
    if (!variant.empty()) platform["variant"] = variant;
    return {{"mediaType", kManifestType},
            {"digest", Digest::of(body).str()},
            {"size", body.size()},
            {"platform", platform}};
}

std::string index_of(const nlohmann::json& entries) {
    return nlohmann::json{{"schemaVersion", 2}, {"manifests", entries}}.dump();
}

/// Which platform is chosen, as text; `none` if there is no match.
std::string choose(const std::string& wanted, const std::vector<std::string>& offered) {
    nlohmann::json entries = nlohmann::json::array();
    for (const std::string& name : offered) {
        Platform platform = Platform::parse(name);
        entries.push_back(entry(name, platform.os, platform.architecture, platform.variant));
    }
    try {
        Descriptor chosen = choose_platform(index_of(entries), Platform::parse(wanted), "app");
        for (const std::string& name : offered) {
            if (chosen.digest == Digest::of(name)) return name;
        }
        return "?";
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), Code::not_found);
        return "none";
    }
}

}  // namespace

TEST(Platforms, TheNearestVariantThatTheProcessorRunsIsChosen) {
    struct Case {
        std::string wanted;
        std::vector<std::string> offered;
        std::string chosen;
    };
    for (const Case& c : {
             Case{"linux/amd64", {"linux/arm64", "linux/amd64"}, "linux/amd64"},
             Case{"linux/arm/v7", {"linux/arm/v5", "linux/arm/v6", "linux/arm/v7"}, "linux/arm/v7"},
             Case{"linux/arm/v7", {"linux/arm/v5", "linux/arm/v6"}, "linux/arm/v6"},
             Case{"linux/arm/v6", {"linux/arm/v7", "linux/arm/v5"}, "linux/arm/v5"},
             Case{"linux/arm/v6", {"linux/arm/v7"}, "none"},
             Case{"linux/arm", {"linux/arm/v7"}, "linux/arm/v7"},
             Case{"linux/arm64/v8", {"linux/arm64"}, "linux/arm64"},
             Case{"linux/arm64", {"linux/arm64/v8", "linux/arm/v7"}, "linux/arm64/v8"},
             Case{"linux/arm64", {"linux/arm64/v9"}, "none"},
             Case{"linux/arm64", {"linux/arm/v6", "linux/arm/v7"}, "linux/arm/v7"},
             Case{"linux/arm", {"linux/arm64"}, "none"},
             Case{"linux/amd64", {"linux/amd64/v2"}, "none"},
             Case{"linux/amd64/v3", {"linux/amd64", "linux/amd64/v2"}, "linux/amd64/v2"},
             Case{"linux/amd64", {"linux/386", "linux/amd64"}, "linux/amd64"},
             Case{"linux/386", {"linux/amd64"}, "none"},
             Case{"linux/amd64", {"windows/amd64"}, "none"},
             Case{"linux/amd64", {"linux/amd64", "linux/amd64"}, "linux/amd64"},
             Case{"linux/amd64", {}, "none"},
         }) {
        EXPECT_EQ(choose(c.wanted, c.offered), c.chosen) << c.wanted << " of " << c.offered.size();
    }
}

TEST(Platforms, TheErrorListsWhatThereIs) {
    nlohmann::json entries = {entry("a", "linux", "s390x"),
                              entry("b", "linux", "arm", "v7"),
                              entry("c", "unknown", "unknown"),
                              "nonsense",
                              {{"platform", {{"os", 7}}}}};
    try {
        (void)choose_platform(index_of(entries), Platform::parse("linux/amd64"), "app:1");
        FAIL();
    } catch (const Error& e) {
        EXPECT_EQ(std::string(e.what()),
                  "app:1: no matching manifest for linux/amd64 in the manifest list entries: available are "
                  "linux/s390x, linux/arm/v7");
    }
}

TEST(Platforms, AnOnlyEntryWithoutPlatformIsTheImage) {
    nlohmann::json only = entry("a", "", "");
    only.erase("platform");
    EXPECT_EQ(choose_platform(index_of(nlohmann::json::array({only})), Platform::parse("linux/amd64"), "app").digest,
              Digest::of("a"));
    EXPECT_THROW(
        (void)choose_platform(index_of(nlohmann::json::array({only, only})), Platform::parse("linux/amd64"), "app"),
        Error);
}

TEST(Platforms, AnIndexInAnIndexIsRefused) {
    nlohmann::json nested = entry("a", "linux", "amd64");
    nested["mediaType"] = "application/vnd.oci.image.index.v1+json";
    try {
        (void)choose_platform(index_of(nlohmann::json::array({nested})), Platform::parse("linux/amd64"), "app");
        FAIL();
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), Code::invalid_argument);
    }
}

TEST(Platforms, AnImageOfAnIndexIsPulledForTheAskedPlatform) {
    TestImage amd64 = make_image({{{"a", "amd64"}}}, "amd64"), arm = make_image({{{"a", "arm"}}}, "arm", "v7");
    std::string index = index_of(
        nlohmann::json::array({entry(amd64.manifest, "linux", "amd64"), entry(arm.manifest, "linux", "arm", "v7")}));
    FakeRegistry registry(amd64);
    registry.put_manifest("arm", kManifestType, arm.manifest);
    registry.put_blob(Digest::of(arm.config), arm.config);
    registry.put_blob(Digest::of(arm.layers[0].blob), arm.layers[0].blob);
    registry.put_manifest("both", "application/vnd.oci.image.index.v1+json", index);

    TemporaryFolder folder;
    BlobStore blobs(folder.path() + "/images");
    LayerStore layers(folder.path() + "/layers", 1 << 30);
    auto pull = [&](const std::string& tag, const std::string& platform) {
        PullOptions options;
        if (!platform.empty()) options.platform = Platform::parse(platform);
        return pull_image(blobs, layers, {}, 3, Reference::parse(registry.host() + "/app:" + tag), options, {}, {});
    };
    Pulled pulled = pull("both", "linux/arm/v7");
    EXPECT_EQ(pulled.index, Digest::of(index));
    EXPECT_EQ(pulled.manifest, Digest::of(arm.manifest));
    EXPECT_EQ(pulled.media_type, "application/vnd.oci.image.index.v1+json");
    EXPECT_EQ(pulled.size, static_cast<int64_t>(index.size()));
    EXPECT_TRUE(layers.has(arm.layers[0].diff_id));
    EXPECT_FALSE(layers.has(amd64.layers[0].diff_id));
    EXPECT_EQ(pull("both", "linux/amd64").manifest, Digest::of(amd64.manifest));
    // Without an index the image's own words count, but only if a platform was asked for.
    EXPECT_EQ(pull("arm", "").manifest, Digest::of(arm.manifest));
    try {
        (void)pull("arm", "linux/amd64");
        FAIL();
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), Code::not_found);
        EXPECT_NE(std::string(e.what()).find(
                      "does not match the specified platform: wanted linux/amd64, actual: linux/arm/v7"),
                  std::string::npos)
            << e.what();
    }
}

TEST(Platforms, AManifestThatIsNotWhatItsIndexSaysIsRefused) {
    TestImage image = make_image({{{"a", "1"}}});
    nlohmann::json lying = entry(image.manifest, "linux", "amd64");
    lying["size"] = image.manifest.size() + 1;
    FakeRegistry registry(image);
    registry.put_manifest("index", "application/vnd.oci.image.index.v1+json", index_of(nlohmann::json::array({lying})));
    TemporaryFolder folder;
    BlobStore blobs(folder.path() + "/images");
    LayerStore layers(folder.path() + "/layers", 1 << 30);
    PullOptions options;
    options.platform = Platform::parse("linux/amd64");
    EXPECT_THROW(
        (void)pull_image(blobs, layers, {}, 3, Reference::parse(registry.host() + "/app:index"), options, {}, {}),
        Error);
}

TEST(LookUp, TellsWhatTheRegistryHasWithoutFetchingIt) {
    TestImage amd64 = make_image({{{"a", "amd64"}}}, "amd64"), arm = make_image({{{"a", "arm"}}}, "arm", "v7");
    std::string index = index_of(
        nlohmann::json::array({entry(amd64.manifest, "linux", "amd64"), entry(arm.manifest, "linux", "arm", "v7"),
                               entry("x", "unknown", "unknown"), "nonsense"}));
    FakeRegistry registry(amd64);
    registry.put_manifest("arm", kManifestType, arm.manifest);
    registry.put_blob(Digest::of(arm.config), arm.config);
    registry.put_manifest("both", "application/vnd.oci.image.index.v1+json", index);
    auto look_up = [&](const std::string& name) {
        return look_up_image({}, Reference::parse(registry.host() + "/app" + name), {}, {});
    };
    const RemoteImage both = look_up(":both");
    EXPECT_EQ(both.digest, Digest::of(index));
    EXPECT_EQ(both.media_type, "application/vnd.oci.image.index.v1+json");
    EXPECT_EQ(both.size, static_cast<int64_t>(index.size()));
    EXPECT_EQ(both.platforms, (std::vector<Platform>{Platform::parse("linux/amd64"), Platform::parse("linux/arm/v7")}));
    const RemoteImage one = look_up("@" + Digest::of(arm.manifest).str());
    EXPECT_EQ(one.media_type, kManifestType);
    EXPECT_EQ(one.platforms, std::vector<Platform>{Platform::parse("linux/arm/v7")});
    EXPECT_EQ(registry.server().count("GET", Digest::of(arm.layers[0].blob).str()), 0u) << "no layer was asked for";
    try {
        (void)look_up(":nosuch");
        FAIL();
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), Code::not_found) << e.what();
    }
}

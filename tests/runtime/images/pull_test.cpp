#include "runtime/images/pull.h"

#include "base/error.h"
#include "registry_server.h"
#include "runtime/images/blob_store.h"
#include "runtime/images/layer_store.h"
#include "tests/support/signal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <thread>

using namespace kedge;
using namespace kedge::runtime;
using namespace kedge::runtime::test;

namespace {

/// A machine's images, and what a pull said.
struct Machine {
    TemporaryFolder folder;
    BlobStore blobs{folder.path() + "/images"};
    LayerStore layers{folder.path() + "/layers", int64_t{1} << 30};
    RegistrySettings settings;
    std::vector<Progress> said;

    Pulled pull(const std::string& name, const PullOptions& options = {}, int connections = 3) {
        said.clear();
        return pull_image(blobs, layers, settings, connections, Reference::parse(name), options,
                          [this](const Progress& p) { said.push_back(p); }, {});
    }
    std::string file(const Digest& diff_id, const std::string& name) const {
        return read_file_at(AT_FDCWD, layers.folder(diff_id) + "/" + name);
    }
    size_t count(const std::string& status) const {
        return static_cast<size_t>(
            std::count_if(said.begin(), said.end(), [&](const Progress& p) { return p.status == status; }));
    }
};

using Request = HostileServer::Request;
using Peer = HostileServer::Peer;

Error error_of(const std::function<void()>& work) {
    try {
        work();
    } catch (const Error& e) {
        return e;
    }
    ADD_FAILURE() << "nothing was thrown";
    return Error(Code::internal, "");
}

/// A file that gzip can't make smaller.
std::string noise(size_t size) {
    std::string text;
    for (uint32_t x = 1; text.size() < size; x = x * 1664525 + 1013904223) text += static_cast<char>(x >> 24);
    return text;
}

bool asks_for(const Request& request, const std::string& content) {
    return request.target.ends_with("/blobs/" + Digest::of(content).str());
}

void edit(std::string& json, const std::function<void(nlohmann::json&)>& change) {
    nlohmann::json document = nlohmann::json::parse(json);
    change(document);
    json = document.dump();
}

}  // namespace

TEST(Pull, AnImageComesWholeFromARealRegistry) {
    RealRegistry registry;
    TestImage image = make_image({{{"etc/one", "1"}}, {{"etc/two", "2"}}, {{"etc/three", "3"}}});
    registry.push(image, "team/app:1.0");
    Machine machine;
    Pulled pulled = machine.pull(registry.host() + "/team/app:1.0");
    EXPECT_EQ(pulled.manifest, Digest::of(image.manifest));
    EXPECT_EQ(pulled.config, Digest::of(image.config));
    EXPECT_EQ(pulled.media_type, "application/vnd.oci.image.manifest.v1+json");
    EXPECT_EQ(pulled.size, static_cast<int64_t>(image.manifest.size()));
    EXPECT_TRUE(pulled.index.empty());
    EXPECT_EQ(machine.file(image.layers[0].diff_id, "etc/one"), "1");
    EXPECT_EQ(machine.file(image.layers[2].diff_id, "etc/three"), "3");
    for (const auto& layer : image.layers) EXPECT_TRUE(machine.blobs.has(Digest::of(layer.blob)));
    EXPECT_EQ(machine.count("Pull complete"), 3u);
    EXPECT_EQ(machine.said.front().status, "Pulling from team/app");
    EXPECT_EQ(machine.said.front().id, "1.0");
    EXPECT_EQ(machine.said.back().status, "Digest: " + pulled.manifest.str());
}

TEST(Pull, DockersFormatIsPulledAsWell) {
    RealRegistry registry;
    registry.push(make_image({{{"a", "1"}}, {{"b", "2"}}}), "app:2", "v2s2");
    Machine machine;
    Pulled pulled = machine.pull(registry.host() + "/app:2");
    EXPECT_EQ(pulled.media_type, "application/vnd.docker.distribution.manifest.v2+json");
    EXPECT_EQ(machine.count("Pull complete"), 2u);
    // By digest nothing is asked of the registry but what is missing.
    EXPECT_EQ(machine.pull(registry.host() + "/app@" + pulled.manifest.str()).config, pulled.config);
    EXPECT_EQ(machine.count("Already exists"), 2u);
}

TEST(Pull, WhatIsThereIsNotFetchedAgain) {
    TestImage image = make_image({{{"a", "1"}}, {{"b", "2"}}});
    FakeRegistry registry(image);
    Machine machine;
    (void)machine.pull(registry.name());
    size_t before = registry.server().requests().size();
    (void)machine.pull(registry.name());
    EXPECT_EQ(registry.server().requests().size(), before + 1);
    EXPECT_EQ(machine.count("Already exists"), 2u);
    EXPECT_EQ(machine.count("Pulling fs layer"), 0u);
}

TEST(Pull, ABlobThatWentMissingIsFetchedAgainAlthoughItsLayerIsUnpacked) {
    TestImage image = make_image({{{"a", "1"}}});
    FakeRegistry registry(image);
    Machine machine;
    (void)machine.pull(registry.name());
    ASSERT_TRUE(machine.blobs.remove(Digest::of(image.layers[0].blob)));
    (void)machine.pull(registry.name());
    EXPECT_TRUE(machine.blobs.has(Digest::of(image.layers[0].blob)));
    EXPECT_EQ(machine.count("Extracting"), 0u);
}

TEST(Pull, AnotherContentForALayerThatIsThereIsRefused) {
    TestImage image = make_image({{{"a", "1"}}});
    TestImage other = make_image({{{"a", "2"}}});
    FakeRegistry registry(image), hostile(other);
    Machine machine;
    (void)machine.pull(registry.name());
    hostile.put_blob(Digest::of(image.config), image.config);
    edit(other.manifest, [&](nlohmann::json& manifest) {
        manifest["config"]["digest"] = Digest::of(image.config).str();
        manifest["config"]["size"] = image.config.size();
    });
    hostile.put_manifest("1", "application/vnd.oci.image.manifest.v1+json", other.manifest);
    // The second time the blob is stored, too.
    for (int i = 0; i < 2; ++i) {
        Error error = error_of([&] { (void)machine.pull(hostile.name()); });
        EXPECT_EQ(error.code(), Code::invalid_argument) << error.what();
        EXPECT_NE(std::string(error.what()).find(image.layers[0].diff_id.str()), std::string::npos) << error.what();
    }
    EXPECT_EQ(machine.file(image.layers[0].diff_id, "a"), "1");
}

TEST(Pull, ABlobThatWasDamagedOnDiskIsFetchedAgain) {
    TestImage image = make_image({{{"a", noise(1000)}}});
    FakeRegistry registry(image);
    Machine machine;
    (void)machine.pull(registry.name());
    ASSERT_TRUE(machine.layers.remove(image.layers[0].diff_id));
    std::string blob = image.layers[0].blob;
    blob[blob.size() / 2] = static_cast<char>(blob[blob.size() / 2] ^ 1);
    write_all(
        open_at(AT_FDCWD, machine.folder.path() + "/images/blobs/sha256/" + Digest::of(image.layers[0].blob).hex(),
                O_WRONLY | O_TRUNC)
            .get(),
        blob);
    (void)machine.pull(registry.name());
    EXPECT_EQ(machine.file(image.layers[0].diff_id, "a"), noise(1000));
    EXPECT_EQ(machine.blobs.read(Digest::of(image.layers[0].blob)), image.layers[0].blob);
}

TEST(Pull, ABrokenDownloadGoesOnWhereItStopped) {
    TestImage image = make_image({{{"a", noise(3u << 20)}}});
    const std::string& blob = image.layers[0].blob;
    const size_t broken_at = 2u << 20;
    std::atomic<int> tries = 0;
    FakeRegistry registry(image, [&](const Request& request, Peer& peer) {
        if (!asks_for(request, blob) || tries++ > 0) return false;
        peer.answer(200, {{"Content-Length", std::to_string(blob.size())}}, blob.substr(0, broken_at));
        peer.hang_up();
        return true;
    });
    Machine machine;
    (void)machine.pull(registry.name());
    EXPECT_EQ(machine.file(image.layers[0].diff_id, "a"), noise(3u << 20));
    EXPECT_EQ(registry.server().requests().back().header("range"), fmt::format("bytes={}-", broken_at));
}

TEST(Pull, ALaterPullGoesOnWhereAnEarlierOneStopped) {
    TestImage image = make_image({{{"a", noise(1u << 20)}}});
    const std::string& blob = image.layers[0].blob;
    std::atomic<bool> broken = true;
    FakeRegistry registry(image, [&](const Request& request, Peer& peer) {
        if (!asks_for(request, blob) || !broken) return false;
        if (request.header("range").empty())
            peer.answer(200, {{"Content-Length", std::to_string(blob.size())}}, blob.substr(0, 1000));
        peer.hang_up();
        return true;
    });
    Machine machine;
    Error error = error_of([&] { (void)machine.pull(registry.name()); });
    EXPECT_EQ(error.code(), Code::unavailable);
    EXPECT_EQ(registry.server().count("GET", Digest::of(blob).str()), 6u) << "one try and five more";
    broken = false;
    (void)machine.pull(registry.name());
    EXPECT_EQ(registry.server().requests().back().header("range"), "bytes=1000-");
    EXPECT_EQ(machine.file(image.layers[0].diff_id, "a"), noise(1u << 20));
}

TEST(Pull, ARegistryThatIgnoresRangesSendsTheBlobFromTheStart) {
    TestImage image = make_image({{{"a", noise(1u << 20)}}});
    const std::string& blob = image.layers[0].blob;
    std::atomic<int> tries = 0;
    FakeRegistry registry(image, [&](const Request& request, Peer& peer) {
        if (!asks_for(request, blob)) return false;
        if (tries++ == 0) {
            peer.answer(200, {{"Content-Length", std::to_string(blob.size())}}, blob.substr(0, 1000));
            peer.hang_up();
        } else {
            peer.answer(200, {}, blob);
        }
        return true;
    });
    Machine machine;
    (void)machine.pull(registry.name());
    EXPECT_EQ(machine.file(image.layers[0].diff_id, "a"), noise(1u << 20));
    EXPECT_EQ(tries, 2);
}

TEST(Pull, WrongBytesOfAnEarlierTryAreThrownAway) {
    TestImage image = make_image({{{"a", noise(1000)}}});
    FakeRegistry registry(image);
    Machine machine;
    const Digest digest = Digest::of(image.layers[0].blob);
    for (size_t size : {size_t{10}, image.layers[0].blob.size(), image.layers[0].blob.size() + 10}) {
        write_all(open_at(AT_FDCWD, machine.folder.path() + "/images/blobs/sha256/" + digest.hex() + ".partial",
                          O_WRONLY | O_CREAT, 0644)
                      .get(),
                  std::string(size, 'x'));
        (void)machine.pull(registry.name());
        EXPECT_EQ(machine.blobs.read(digest), image.layers[0].blob);
        ASSERT_TRUE(machine.blobs.remove(digest));
    }
}

TEST(Pull, ALayerWithWrongContentIsRefused) {
    TestImage image = make_image({{{"a", "1"}}, {{"b", noise(5000)}}});
    FakeRegistry registry(image);
    std::string wrong = image.layers[1].blob;
    wrong.back() = static_cast<char>(wrong.back() ^ 1);
    registry.put_blob(Digest::of(image.layers[1].blob), wrong);
    Machine machine;
    Error error = error_of([&] { (void)machine.pull(registry.name()); });
    EXPECT_EQ(error.code(), Code::invalid_argument);
    EXPECT_NE(std::string(error.what()).find(Digest::of(image.layers[1].blob).str()), std::string::npos)
        << error.what();
    EXPECT_FALSE(machine.layers.has(image.layers[1].diff_id));
}

TEST(Pull, AMirrorWithWrongContentIsNotAskedAgain) {
    TestImage image = make_image({{{"a", "1"}}});
    FakeRegistry registry(image), mirror(image);
    for (const std::string& body :
         {std::string(image.layers[0].blob.size(), 'x'), std::string(image.layers[0].blob.size() + 1, 'x')}) {
        mirror.put_blob(Digest::of(image.layers[0].blob), body);
        Machine machine;
        machine.settings.mirrors[registry.host()] = {mirror.host()};
        (void)machine.pull(registry.name());
        EXPECT_EQ(machine.file(image.layers[0].diff_id, "a"), "1");
    }
    EXPECT_EQ(registry.server().requests().size(), 2u) << "only the layer comes from the registry";
}

TEST(Pull, AnEndlessBlobIsCutOff) {
    TestImage image = make_image({{{"a", noise(5000)}}});
    FakeRegistry registry(image, [&](const Request& request, Peer& peer) {
        if (!asks_for(request, image.layers[0].blob)) return false;
        (void)peer.send("HTTP/1.1 200 OK\r\n\r\n");
        while (peer.send(noise(100000))) {
        }
        return true;
    });
    Machine machine;
    Error error = error_of([&] { (void)machine.pull(registry.name()); });
    EXPECT_EQ(error.code(), Code::invalid_argument);
    EXPECT_NE(std::string(error.what()).find("sends more than"), std::string::npos) << error.what();
}

TEST(Pull, AConfigThatIsLargerOrOtherThanItsDescriptorSaysIsRefused) {
    TestImage image = make_image({{{"a", "1"}}});
    for (const std::string& body : {image.config + " ", std::string(image.config.size(), ' ')}) {
        FakeRegistry registry(image);
        registry.put_blob(Digest::of(image.config), body);
        Machine machine;
        EXPECT_EQ(error_of([&] { (void)machine.pull(registry.name()); }).code(), Code::invalid_argument);
    }
}

TEST(Pull, TheFirstFailureEndsTheOtherLayers) {
    TestImage image = make_image({{{"a", "1"}}, {{"b", noise(100000)}}});
    Signal begun;
    FakeRegistry registry(image, [&](const Request& request, Peer& peer) {
        if (asks_for(request, image.layers[1].blob)) {
            peer.answer(200, {{"Content-Length", std::to_string(image.layers[1].blob.size())}}, "x");
            begun.give();
            peer.wait_until_gone();
        } else if (asks_for(request, image.layers[0].blob)) {
            EXPECT_TRUE(begun.await());
            peer.answer(404, {}, "");
        } else {
            return false;
        }
        return true;
    });
    Machine machine;
    EXPECT_EQ(error_of([&] { (void)machine.pull(registry.name()); }).code(), Code::not_found);
}

TEST(Pull, AStopEndsItAndKeepsWhatCame) {
    TestImage image = make_image({{{"a", noise(100000)}}});
    const std::string& blob = image.layers[0].blob;
    std::stop_source stop;
    FakeRegistry registry(image, [&](const Request& request, Peer& peer) {
        if (!asks_for(request, blob) || stop.stop_requested()) return false;
        peer.answer(200, {{"Content-Length", std::to_string(blob.size())}}, blob.substr(0, 5000));
        stop.request_stop();
        peer.wait_until_gone();
        return true;
    });
    Machine machine;
    Reference reference = Reference::parse(registry.name());
    auto start = std::chrono::steady_clock::now();
    Error error =
        error_of([&] { (void)pull_image(machine.blobs, machine.layers, {}, 3, reference, {}, {}, stop.get_token()); });
    EXPECT_EQ(error.code(), Code::cancelled);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
    (void)machine.pull(registry.name());
    EXPECT_EQ(machine.file(image.layers[0].diff_id, "a"), noise(100000));
}

TEST(Pull, TwoPullsOfTheSameLayerFetchItOnce) {
    TestImage image = make_image({{{"a", noise(1u << 20)}}, {{"b", "2"}}});
    FakeRegistry registry(image);
    Machine machine;
    Reference reference = Reference::parse(registry.name());
    {
        std::vector<std::jthread> pulls;
        for (int i = 0; i < 4; ++i) {
            pulls.emplace_back([&] {
                EXPECT_NO_THROW((void)pull_image(machine.blobs, machine.layers, {}, 2, reference, {}, {}, {}));
            });
        }
    }
    for (const auto& layer : image.layers) EXPECT_EQ(registry.server().count("GET", Digest::of(layer.blob).str()), 1u);
}

TEST(Pull, ALayerThatIsListedTwiceComesOnce) {
    TestImage image = make_image({{{"a", "1"}}, {{"a", "1"}}, {{"b", "2"}}});
    FakeRegistry registry(image);
    Machine machine;
    (void)machine.pull(registry.name());
    EXPECT_EQ(registry.server().count("GET", Digest::of(image.layers[0].blob).str()), 1u);
    EXPECT_EQ(machine.file(image.layers[2].diff_id, "b"), "2");
}

TEST(Pull, TooLittleSpaceIsFoundBeforeAnythingIsFetched) {
    TestImage image = make_image({{{"a", "1"}}});
    edit(image.manifest, [](auto& json) { json["layers"][0]["size"] = int64_t{1} << 49; });
    FakeRegistry registry(image);
    Machine machine;
    Error error = error_of([&] { (void)machine.pull(registry.name()); });
    EXPECT_EQ(error.code(), Code::resource_exhausted);
    EXPECT_NE(std::string(error.what()).find("no space left on device"), std::string::npos) << error.what();
    EXPECT_EQ(registry.server().count("GET", Digest::of(image.layers[0].blob).str()), 0u);
}

TEST(Pull, ManifestsThatCannotBePulledAreRefusedBeforeAnyLayerIsFetched) {
    using Json = nlohmann::json;
    struct Case {
        std::function<void(Json&)> change;
        std::string part;
    };
    const Case cases[] = {
        {[](Json& m) { m["layers"][0]["urls"] = {"http://elsewhere.example.test/x"}; }, "foreign layers"},
        {[](Json& m) { m["layers"][0]["mediaType"] = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"; },
         "foreign layers"},
        {[](Json& m) { m["layers"][0]["mediaType"] = "text/plain"; }, "not a layer but text/plain"},
        {[](Json& m) { m["layers"][0]["size"] = -1; }, "size is not"},
        {[](Json& m) { m["layers"][0]["size"] = "7"; }, "size is not"},
        {[](Json& m) { m["layers"][0]["size"] = 1e30; }, "size is not"},
        {[](Json& m) { m["layers"][0]["size"] = uint64_t{1} << 63; }, "size is not"},
        {[](Json& m) { m["layers"][0]["digest"] = "sha256:../../etc/passwd"; }, "not a sha256 digest"},
        {[](Json& m) { m["layers"][0] = 7; }, "not a sha256 digest"},
        {[](Json& m) { m["layers"] = "many"; }, "layers is not a list"},
        {[](Json& m) { m["layers"].push_back(m["layers"][0]); }, "its manifest has 2 layers and its config 1"},
        {[](Json& m) { m["layers"] = Json(600, m["layers"][0]); }, "more than the 500"},
        {[](Json& m) { m["config"]["mediaType"] = "application/vnd.cncf.helm.config.v1+json"; },
         "not a container image"},
        {[](Json& m) { m["config"]["size"] = 5 << 20; }, "too large"},
        {[](Json& m) { m.erase("config"); }, "config"},
    };
    for (const Case& c : cases) {
        TestImage image = make_image({{{"a", "1"}}});
        edit(image.manifest, c.change);
        FakeRegistry registry(image);
        Machine machine;
        Error error = error_of([&] { (void)machine.pull(registry.name()); });
        EXPECT_EQ(error.code(), Code::invalid_argument);
        EXPECT_NE(std::string(error.what()).find(c.part), std::string::npos)
            << error.what() << " instead of " << c.part;
        EXPECT_EQ(registry.server().count("GET", Digest::of(image.layers[0].blob).str()), 0u);
    }
}

TEST(Pull, ConfigsThatCannotBeUsedAreRefused) {
    using Json = nlohmann::json;
    struct Case {
        std::function<void(Json&)> change;
        std::string part;
    };
    const Case cases[] = {
        {[](Json& c) { c["os"] = "windows"; }, "only linux images"},
        {[](Json& c) { c.erase("architecture"); }, "names no os and architecture"},
        {[](Json& c) { c.erase("rootfs"); }, "no rootfs"},
        {[](Json& c) { c["rootfs"]["diff_ids"] = {"sha256:x"}; }, "diff_ids"},
        {[](Json& c) { c["rootfs"]["diff_ids"] = {7}; }, "diff_ids"},
        {[](Json& c) { c["rootfs"]["diff_ids"] = {Digest::of("other").str()}; }, "layer sha256:"},
    };
    for (const Case& c : cases) {
        TestImage image = make_image({{{"a", "1"}}});
        edit(image.config, c.change);
        edit(image.manifest, [&](Json& m) {
            m["config"]["digest"] = Digest::of(image.config).str();
            m["config"]["size"] = image.config.size();
        });
        FakeRegistry registry(image);
        Machine machine;
        Error error = error_of([&] { (void)machine.pull(registry.name()); });
        EXPECT_EQ(error.code(), Code::invalid_argument);
        EXPECT_NE(std::string(error.what()).find(c.part), std::string::npos)
            << error.what() << " instead of " << c.part;
    }
}

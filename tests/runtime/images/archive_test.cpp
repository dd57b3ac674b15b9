#include "image_fixture.h"

#include "base/error.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include <thread>

using namespace kedge;
using namespace kedge::runtime;

namespace {

using nlohmann::json;

struct Archives : StoreTest {
    void skopeo(const std::vector<std::string>& arguments, std::string* output = nullptr) {
        std::vector<std::string> command = {"skopeo", "--insecure-policy", "--tmpdir", path};
        command.insert(command.end(), arguments.begin(), arguments.end());
        std::string text;
        ASSERT_EQ(run(command, &text), 0) << text;
        if (output) *output = text;
    }

    ImageInfo busybox() {
        return import_tar(make_tar({{"bin", folder()},
                                    {"bin/busybox", file(read_text("/bin/busybox"), 0755)},
                                    {"bin/sh", symlink_to("busybox")}}),
                          "registry.test/busybox:1", {"CMD [\"/bin/sh\"]", "LABEL a=b"});
    }

    /// Takes everything away, so that an archive has to bring it.
    void empty() {
        for (const ImageInfo& image : store->list()) (void)store->remove(image.id.str(), true);
        ASSERT_TRUE(store->blobs().list().empty());
    }

    std::string refusal(const std::string& archive_bytes) {
        try {
            (void)store->load(file_with(archive_bytes).get(), {}, {});
        } catch (const Error& e) {
            EXPECT_EQ(e.code(), Code::invalid_argument) << e.what();
            EXPECT_TRUE(store->list().empty());
            EXPECT_TRUE(store->blobs().list().empty()) << "something of it is left";
            return e.what();
        }
        return "accepted";
    }
};

void check_busybox(ImageStore& store, const ImageInfo& image, const ImageInfo& original) {
    EXPECT_EQ(image.diff_ids, original.diff_ids);
    EXPECT_EQ(image.config.command, original.config.command);
    EXPECT_EQ(image.config.labels, original.config.labels);
    EXPECT_EQ(read_text(store.layer_folders(image.id)[0] + "/bin/busybox"), read_text("/bin/busybox"));
}

std::string config_for(const std::string& layer) {
    return json{{"architecture", "amd64"},
                {"os", "linux"},
                {"config", json::object()},
                {"rootfs", {{"type", "layers"}, {"diff_ids", {Digest::of(layer).str()}}}}}
        .dump();
}

}  // namespace

TEST_F(Archives, OtherToolsReadTheLayout) {
    const ImageInfo image = busybox();
    std::string output;
    skopeo({"inspect", "--raw", "oci:" + path + "/images:registry.test/busybox:1"}, &output);
    EXPECT_EQ(Digest::of(output), image.manifest);
    skopeo({"inspect", "--config", "--raw", "oci:" + path + "/images:registry.test/busybox:1"}, &output);
    EXPECT_EQ(Digest::of(output), image.id);
    store->tag("registry.test/busybox:1", "busybox");
    skopeo({"inspect", "--raw", "oci:" + path + "/images:" + Reference::parse("busybox").full()}, &output);
    EXPECT_EQ(Digest::of(output), image.manifest);
}

TEST_F(Archives, ADockerArchiveThatAnotherToolMadeIsLoaded) {
    const ImageInfo original = busybox();
    skopeo({"copy", "oci:" + path + "/images:registry.test/busybox:1",
            "docker-archive:" + path + "/a.tar:registry.test/other:2"});
    empty();
    const ImageInfo image = load_file(path + "/a.tar");
    EXPECT_EQ(image.tags, std::vector<std::string>{"registry.test/other:2"});
    EXPECT_TRUE(image.repo_digests.empty());
    check_busybox(*store, image, original);
    EXPECT_EQ(store->get("registry.test/other:2").id, image.id);
    EXPECT_EQ(store->blobs().list().size(), 3u) << "more than manifest, config and layer is left";
}

TEST_F(Archives, AnOciArchiveThatAnotherToolMadeIsLoadedCompressedOrNotAndFromAPipe) {
    const ImageInfo original = busybox();
    skopeo({"copy", "oci:" + path + "/images:registry.test/busybox:1",
            "oci-archive:" + path + "/a.tar:registry.test/other:2"});
    ASSERT_EQ(run({"gzip", "-k", path + "/a.tar"}), 0);
    ASSERT_EQ(run({"zstd", "-q", path + "/a.tar"}), 0);
    for (const char* name : {"a.tar", "a.tar.gz", "a.tar.zst"}) {
        empty();
        const ImageInfo image = load_file(path + "/" + name);
        EXPECT_EQ(image.tags, std::vector<std::string>{"registry.test/other:2"});
        EXPECT_EQ(image.id, original.id);
        EXPECT_EQ(image.manifest, original.manifest) << "the manifest is kept as it was";
        check_busybox(*store, image, original);
    }
    empty();
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    Fd out(ends[0]), in(ends[1]);
    const std::string bytes = read_text(path + "/a.tar.gz");
    std::jthread writer([&] {
        for (size_t at = 0; at < bytes.size(); at += 777) write_all(in.get(), std::string_view(bytes).substr(at, 777));
        in.reset();
    });
    const auto images = store->load(out.get(), {}, {});
    ASSERT_EQ(images.size(), 1u);
    check_busybox(*store, images[0], original);
}

TEST_F(Archives, WhatIsSavedIsReadByOtherToolsAndByLoad) {
    const ImageInfo original = busybox();
    store->tag("registry.test/busybox:1", "registry.test/busybox:2");
    store->tag("registry.test/busybox:1", "other:3");
    auto save = [&](const std::vector<std::string>& names) {
        Fd file = open_at(AT_FDCWD, path + "/s.tar", O_WRONLY | O_CREAT | O_TRUNC, 0600);
        store->save(names)(
            [&](std::string_view piece) {
                EXPECT_LE(piece.size(), size_t{64} << 10) << "it is streamed";
                write_all(file.get(), piece);
                return true;
            },
            {});
    };
    save({"registry.test/busybox"});
    std::string output;
    skopeo({"inspect", "--config", "--raw", "docker-archive:" + path + "/s.tar:registry.test/busybox:2"}, &output);
    EXPECT_EQ(Digest::of(output), original.id);
    skopeo({"inspect", "--raw", "oci-archive:" + path + "/s.tar:1"}, &output);
    EXPECT_EQ(Digest::of(output), original.manifest);
    skopeo({"copy", "docker-archive:" + path + "/s.tar:registry.test/busybox:1", "dir:" + path + "/copy"});
    auto loaded = [&] {
        empty();
        Fd file = open_at(AT_FDCWD, path + "/s.tar", O_RDONLY);
        std::vector<ImageInfo> images = store->load(file.get(), {}, {});
        EXPECT_EQ(images.size(), 1u);
        EXPECT_EQ(images.at(0).manifest, original.manifest);
        check_busybox(*store, images[0], original);
        return images[0].tags;
    };
    EXPECT_EQ(loaded(), (std::vector<std::string>{"registry.test/busybox:1", "registry.test/busybox:2"}))
        << "all tags of the repository, and no other name";
    save({"registry.test/busybox:2"});
    EXPECT_EQ(loaded(), std::vector<std::string>{"registry.test/busybox:2"});
    store->tag("registry.test/busybox:2", "here:1");
    Fd again = open_at(AT_FDCWD, path + "/s.tar", O_RDONLY);
    EXPECT_EQ(store->load(again.get(), {}, {}).at(0).tags, std::vector<std::string>{"registry.test/busybox:2"})
        << "what it is called here besides was not in the archive";
    save({original.id.hex().substr(0, 12), original.id.str()});
    EXPECT_EQ(loaded(), std::vector<std::string>{}) << "by id it has no name";
}

TEST_F(Archives, WhatIsMissingOrDamagedIsNotSaved) {
    const ImageInfo image = busybox();
    auto refused = [&](const std::string& name) {
        try {
            store->save({name})([](std::string_view) { return true; }, {});
        } catch (const Error& e) {
            return std::string(e.what());
        }
        return std::string("saved");
    };
    EXPECT_EQ(refused("nosuch"), "No such image: nosuch:latest");
    EXPECT_EQ(refused("registry.test/busybox:1"), "saved");
    Digest layer;
    for (const Digest& digest : store->blobs().list()) {
        if (digest != image.id && digest != image.manifest) layer = digest;
    }
    const std::string file = path + "/images/blobs/sha256/" + layer.hex();
    std::string bytes = read_text(file);
    bytes[bytes.size() / 2] ^= 1;
    write_text(file, bytes);
    EXPECT_EQ(refused("registry.test/busybox:1"), "blob " + layer.str() + " is damaged");
    ASSERT_EQ(::unlink(file.c_str()), 0);
    EXPECT_NE(refused("registry.test/busybox:1").find("is not stored"), std::string::npos);
    EXPECT_NE(refused("registry.test/busybox:1").find("can't be saved"), std::string::npos);
}

TEST_F(Archives, NothingIsRemovedWhileItIsSaved) {
    const ImageInfo image = busybox();
    Images::Archive archive = store->save({"registry.test/busybox:1"});
    (void)store->remove(image.id.str(), true);
    std::string bytes;
    archive(
        [&](std::string_view piece) {
            bytes += piece;
            return true;
        },
        {});
    archive = {};
    (void)store->collect();
    ASSERT_EQ(store->load(file_with(bytes).get(), {}, {}).at(0).id, image.id);
    bool cancelled = false;
    try {
        store->save({"registry.test/busybox:1"})([](std::string_view) { return false; }, {});
    } catch (const Error& e) {
        cancelled = e.code() == Code::cancelled;
    }
    EXPECT_TRUE(cancelled) << "a reader that is gone";
}

TEST_F(Archives, SeveralImagesAndSharedLayersOfAnOlderDockerArchive) {
    const std::string layer = make_tar({{"file", file("shared")}});
    const std::string config = config_for(layer);
    const std::string other_config =
        json::parse(config).patch(json::parse(R"([{"op":"add","path":"/config/User","value":"7"}])")).dump();
    json manifest = {
        {{"Config", "one.json"}, {"RepoTags", {"one:1", "registry.test/one:2"}}, {"Layers", {"aa/layer.tar"}}},
        {{"Config", "two.json"}, {"RepoTags", nullptr}, {"Layers", {"bb/layer.tar"}}}};
    const std::string archive_bytes = make_tar({{"aa", folder()},
                                                {"aa/VERSION", file("1.0")},
                                                {"aa/json", file("{}")},
                                                {"aa/layer.tar", file(layer)},
                                                {"bb", folder()},
                                                {"bb/layer.tar", symlink_to("../aa/layer.tar")},
                                                {"one.json", file(config)},
                                                {"two.json", file(other_config)},
                                                {"repositories", file("{}")},
                                                {"manifest.json", file(manifest.dump())}});
    const auto images = store->load(file_with(archive_bytes).get(), {}, {});
    ASSERT_EQ(images.size(), 2u);
    EXPECT_EQ(images[0].tags, (std::vector<std::string>{"one:1", "registry.test/one:2"}));
    EXPECT_TRUE(images[1].tags.empty());
    EXPECT_EQ(images[1].config.user, "7");
    EXPECT_EQ(store->layers().list().size(), 1u);
    EXPECT_EQ(read_text(store->layer_folders(images[1].id)[0] + "/file"), "shared");
    EXPECT_EQ(actions(), (std::vector<std::string>{"load", "load"}));
}

TEST_F(Archives, AnArchiveCannotGiveAnotherContentToALayerThatIsThere) {
    const ImageInfo original = busybox();
    const std::vector<Digest> before = store->blobs().list();
    auto archive_with = [&](const std::string& layer) {
        const json manifest = {
            {{"Config", "c.json"}, {"RepoTags", {"registry.test/busybox:1"}}, {"Layers", {"l.tar"}}}};
        return make_tar(
            {{"c.json", file(original.config_json)}, {"l.tar", file(layer)}, {"manifest.json", file(manifest.dump())}});
    };
    auto refused = [&](const std::string& layer) {
        try {
            (void)store->load(file_with(archive_with(layer)).get(), {}, {});
        } catch (const Error& e) {
            EXPECT_EQ(e.code(), Code::invalid_argument) << e.what();
            EXPECT_NE(std::string(e.what()).find(original.diff_ids[0].str()), std::string::npos) << e.what();
            return true;
        }
        return false;
    };
    EXPECT_TRUE(refused(std::string(700, 'x')));
    EXPECT_TRUE(refused(make_tar({{"bin/busybox", file("another")}}, Pack::gzip)));
    EXPECT_EQ(store->blobs().list(), before) << "something of it is left";
    EXPECT_EQ(store->get("registry.test/busybox:1").manifest, original.manifest);
    EXPECT_NO_THROW(store->save({"registry.test/busybox:1"})([](std::string_view) { return true; }, {}));
}

TEST_F(Archives, AnIndexGivesTheImageOfThisMachine) {
    Entries entries = {{"oci-layout", file(R"({"imageLayoutVersion":"1.0.0"})")}};
    auto add = [&](const std::string& data) {
        entries.emplace_back("blobs/sha256/" + Digest::of(data).hex(), file(data));
        return Digest::of(data).str();
    };
    json list = json::array({{{"digest", Digest::of("not here").str()}, {"platform", nullptr}}});
    for (const std::string& architecture : {std::string("s390x"), Platform::host().architecture}) {
        const std::string layer = make_tar({{"file", file(architecture)}});
        json config = json::parse(config_for(layer));
        config["architecture"] = architecture;
        json manifest = {{"schemaVersion", 2},
                         {"config", {{"digest", add(config.dump())}, {"size", 1}}},
                         {"layers", {{{"digest", add(layer)}, {"size", 1}}}}};
        list.push_back({{"digest", add(manifest.dump())},
                        {"size", 1},
                        {"platform", {{"os", "linux"}, {"architecture", architecture}}}});
    }
    const std::string index_type = "application/vnd.oci.image.index.v1+json";
    const std::string index = json{{"schemaVersion", 2}, {"mediaType", index_type}, {"manifests", list}}.dump();
    json top = {{"schemaVersion", 2},
                {"manifests",
                 {{{"mediaType", index_type},
                   {"digest", add(index)},
                   {"size", index.size()},
                   {"annotations", {{"org.opencontainers.image.ref.name", "registry.test/multi:1"}}}}}}};
    entries.emplace_back("index.json", file(top.dump()));
    const auto images = store->load(file_with(make_tar(entries)).get(), {}, {});
    ASSERT_EQ(images.size(), 1u);
    EXPECT_EQ(images[0].platform.architecture, Platform::host().architecture);
    EXPECT_EQ(images[0].index, Digest::of(index));
    top["manifests"][0]["annotations"] = nullptr;
    entries.back().second = file(top.dump());
    const auto nameless = store->load(file_with(make_tar(entries)).get(), {}, {});
    ASSERT_EQ(nameless.size(), 1u);
    EXPECT_EQ(nameless[0].id, images[0].id);
    EXPECT_TRUE(nameless[0].tags.empty());
    reopen();
    EXPECT_EQ(store->get("registry.test/multi:1").id, images[0].id);
    EXPECT_EQ(store->get("registry.test/multi:1").index, Digest::of(index));
}

TEST_F(Archives, ArchivesThatAreWrongAreRefusedAndLeaveNothing) {
    const std::string layer = make_tar({{"file", file("x")}});
    auto docker = [&](const json& manifest, const Entries& more = {}) {
        Entries entries = {
            {"c.json", file(config_for(layer))}, {"l.tar", file(layer)}, {"big", file(random_hex(200000))}};
        entries.insert(entries.end(), more.begin(), more.end());
        entries.emplace_back("manifest.json",
                             file(manifest.is_string() ? manifest.get<std::string>() : manifest.dump()));
        return make_tar(entries);
    };
    auto item = [](const char* config, json layers, json tags = nullptr) {
        return json::array({{{"Config", config}, {"Layers", std::move(layers)}, {"RepoTags", std::move(tags)}}});
    };
    EXPECT_NE(refusal("no tar"), "accepted");
    EXPECT_NE(refusal(make_tar({{"etc", folder()}})).find("not an image archive"), std::string::npos);
    EXPECT_NE(refusal(docker("{")), "accepted");
    EXPECT_NE(refusal(docker("[1]")), "accepted");
    EXPECT_NE(refusal(docker(item("missing.json", {"l.tar"}))).find("missing.json"), std::string::npos);
    EXPECT_NE(refusal(docker(item("../../etc/passwd", {"l.tar"}))), "accepted");
    EXPECT_NE(refusal(docker(item("/etc/passwd", {"l.tar"}))), "accepted");
    EXPECT_NE(refusal(docker(item("c.json", {"missing.tar"}))), "accepted");
    EXPECT_NE(refusal(docker(item("c.json", json::array()))), "accepted");
    EXPECT_NE(refusal(docker(item("c.json", {"l.tar", "l.tar"}))), "accepted");
    EXPECT_NE(refusal(docker(item("c.json", {"c.json"}))), "accepted");
    EXPECT_NE(refusal(docker(item("c.json", {"big"}))), "accepted");
    EXPECT_NE(refusal(docker(item("c.json", {"l.tar"}, {"Bad Name"}))), "accepted");
    EXPECT_NE(refusal(docker(item("c.json", {"loop"}), {{"loop", symlink_to("loop")}})), "accepted");
    EXPECT_NE(refusal(docker(item("bad.json", {"l.tar"}),
                             {{"bad.json", file("{\"rootfs\":{\"diff_ids\":[\"sha256:x\"]}}")}})),
              "accepted");
    const std::string hex(64, 'a');
    json top = {
        {"manifests",
         {{{"mediaType", "application/vnd.oci.image.manifest.v1+json"}, {"digest", "sha256:" + hex}, {"size", 1}}}}};
    EXPECT_NE(refusal(make_tar({{"oci-layout", file("{}")}, {"index.json", file(top.dump())}})), "accepted");
    EXPECT_NE(refusal(make_tar({{"oci-layout", file("{}")},
                                {"blobs/sha256/" + hex, file("evil")},
                                {"index.json", file(top.dump())}}))
                  .find("wrong content"),
              std::string::npos);
    EXPECT_EQ(load_file([&] {
                  write_text(path + "/good.tar", docker(item("c.json", {"l.tar"}, {"good:1"})));
                  return path + "/good.tar";
              }())
                  .tags,
              std::vector<std::string>{"good:1"});
}

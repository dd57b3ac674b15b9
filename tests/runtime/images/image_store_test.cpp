#include "image_fixture.h"

#include "base/error.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <thread>

using namespace kedge;
using namespace kedge::runtime;

namespace {

using ImageStoreTest = StoreTest;

std::string small_tar(const std::string& content) {
    return make_tar({{"file", file(content)}, {"etc", folder()}, {"etc/name", file("n")}});
}

template <typename Work>
std::string refusal(Code code, Work work) {
    try {
        work();
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), code) << e.what();
        return e.what();
    }
    return "accepted";
}

std::vector<std::string> untagged(const std::vector<RemovedImage>& removed) {
    std::vector<std::string> texts;
    for (const RemovedImage& item : removed)
        texts.push_back(item.untagged.empty() ? "deleted " + item.deleted.str() : item.untagged);
    return texts;
}

}  // namespace

TEST_F(ImageStoreTest, AnImportedTarIsAnImageOfOneLayer) {
    const ImageInfo image =
        import_tar(small_tar("hello"), "app:v1",
                   {"CMD [\"sh\", \"-c\", \"true\"]", "ENTRYPOINT /bin/start now", "ENV A=b C=\"d e\"",
                    "env OLD the rest", "EXPOSE 80 53/udp 8000-8002", "LABEL a=1 \"b c\"=2", "USER 10:20",
                    "VOLUME /data /more", "VOLUME [\"/x\"]", "WORKDIR /srv", "WORKDIR app", "STOPSIGNAL SIGINT",
                    "HEALTHCHECK --interval=5s --timeout=1s --start-period=2s --retries=7 CMD curl -f localhost"});
    EXPECT_EQ(image.tags, std::vector<std::string>{"app:v1"});
    EXPECT_TRUE(image.repo_digests.empty());
    EXPECT_EQ(image.size, 6);
    EXPECT_EQ(image.platform, Platform::host());
    ASSERT_EQ(image.diff_ids.size(), 1u);
    EXPECT_EQ(image.diff_ids[0], Digest::of(small_tar("hello")));
    const ImageConfig& config = image.config;
    EXPECT_EQ(config.command, (std::vector<std::string>{"sh", "-c", "true"}));
    EXPECT_EQ(config.entrypoint, (std::vector<std::string>{"/bin/sh", "-c", "/bin/start now"}));
    EXPECT_EQ(config.environment, (std::vector<std::string>{"A=b", "C=d e", "OLD=the rest"}));
    EXPECT_EQ(config.exposed_ports, (std::vector<std::string>{"53/udp", "80/tcp", "8000/tcp", "8001/tcp", "8002/tcp"}));
    EXPECT_EQ(config.labels, (std::map<std::string, std::string>{{"a", "1"}, {"b c", "2"}}));
    EXPECT_EQ(config.user, "10:20");
    EXPECT_EQ(config.volumes, (std::vector<std::string>{"/data", "/more", "/x"}));
    EXPECT_EQ(config.working_dir, "/srv/app");
    EXPECT_EQ(config.stop_signal, "SIGINT");
    ASSERT_TRUE(config.healthcheck);
    EXPECT_EQ(config.healthcheck->test, (std::vector<std::string>{"CMD-SHELL", "curl -f localhost"}));
    EXPECT_EQ(config.healthcheck->interval, std::chrono::seconds(5));
    EXPECT_EQ(config.healthcheck->retries, 7);
    EXPECT_EQ(image.id, Digest::of(image.config_json));
    ASSERT_EQ(store->layer_folders(image.id).size(), 1u);
    EXPECT_EQ(read_text(store->layer_folders(image.id)[0] + "/file"), "hello");
    EXPECT_EQ(actions(), (std::vector<std::string>{"tag", "import"}));
}

TEST_F(ImageStoreTest, ChangesExpandVariablesOfTheEnvironment) {
    const ImageConfig config =
        import_tar(
            small_tar("x"), "app",
            {"ENV A=a B=\"q w\" N=80 V=/v", "ENV A=b C=${A}y D=\\$A E='$A' F=\"$B x\" G=$B H=${NO:-def$A} I=${A:+yes}",
             "ENV J=${NO}- K=${A-z} L=$$$1 M=$ N=8$N O=${NO:+x}${A+${B}}", "ENV OLD $A  \"q\" rest",
             "LABEL \"a b\"=\"c $A\" e=f $B=k", "LABEL old $B rest", "WORKDIR /w/$A", "USER ${A}",
             "EXPOSE $N ${N}1/udp", "STOPSIGNAL SIG${NO:-INT}", "VOLUME $V ${V}2", "VOLUME [\"$V/3\"]", "CMD echo $A",
             "ENTRYPOINT [\"$A\"]", "HEALTHCHECK CMD $A"})
            .config;
    EXPECT_EQ(config.environment,
              (std::vector<std::string>{"A=b", "B=q w", "N=880", "V=/v", "C=ay", "D=$A", "E=$A", "F=q w x", "G=q w",
                                        "H=defa", "I=yes", "J=-", "K=b", "L=", "M=$", "O=q w", "OLD=b  q rest"}));
    EXPECT_EQ(config.labels,
              (std::map<std::string, std::string>{{"a b", "c b"}, {"e", "f"}, {"q w", "k"}, {"old", "q w rest"}}));
    EXPECT_EQ(config.working_dir, "/w/b");
    EXPECT_EQ(config.user, "b");
    EXPECT_EQ(config.exposed_ports, (std::vector<std::string>{"880/tcp", "8801/udp"}));
    EXPECT_EQ(config.stop_signal, "SIGINT");
    EXPECT_EQ(config.volumes, (std::vector<std::string>{"/v", "/v/3", "/v2"}));
    EXPECT_EQ(config.command, (std::vector<std::string>{"/bin/sh", "-c", "echo $A"}));
    EXPECT_EQ(config.entrypoint, std::vector<std::string>{"$A"});
    EXPECT_EQ(config.healthcheck->test, (std::vector<std::string>{"CMD-SHELL", "$A"}));
}

TEST_F(ImageStoreTest, ChangesAreLines) {
    const ImageConfig config =
        import_tar(small_tar("x"), "app",
                   {"ENV A=b\nCMD [\"x\"]\n\n# LABEL no=no\nLABEL q=r \\\n  s=t \\ \n# between\n\n u=v", "",
                    "onbuild RUN x $A", "ONBUILD copy a b"})
            .config;
    EXPECT_EQ(config.environment, std::vector<std::string>{"A=b"});
    EXPECT_EQ(config.command, std::vector<std::string>{"x"});
    EXPECT_EQ(config.labels, (std::map<std::string, std::string>{{"q", "r"}, {"s", "t"}, {"u", "v"}}));
    EXPECT_EQ(config.on_build, (std::vector<std::string>{"RUN x $A", "copy a b"}));
}

TEST_F(ImageStoreTest, VariablesOfVariablesDoNotFillTheMemory) {
    std::vector<std::string> changes = {"ENV A=" + std::string(1000, 'x')};
    for (int i = 0; i < 12; ++i) changes.push_back("ENV A=$A$A");
    EXPECT_NE(refusal(Code::invalid_argument, [&] { import_tar(small_tar("x"), "app", changes); }).find("too long"),
              std::string::npos);
}

TEST_F(ImageStoreTest, ChangesThatCannotBeMadeAreRefusedBeforeAnythingIsStored) {
    for (const char* change : {"RUN rm -rf /",
                               "FROM x",
                               "",
                               "CMD",
                               "EXPOSE x",
                               "EXPOSE 0",
                               "EXPOSE 70000",
                               "EXPOSE 9-8",
                               "EXPOSE 1/abc",
                               "ENV A",
                               "ENV =b",
                               "LABEL \"a",
                               "HEALTHCHECK --bad=1 CMD x",
                               "HEALTHCHECK x",
                               "HEALTHCHECK --interval=x CMD y",
                               "COPY a b",
                               "ONBUILD",
                               "ONBUILD FROM x",
                               "ONBUILD ONBUILD RUN x",
                               "ENV A=${B",
                               "ENV A=${",
                               "ENV A=${B:?bad}",
                               "ENV A=${B:x}",
                               "ENV A=${B#x}",
                               "ENV A='x",
                               "ENV \"\"=x"}) {
        EXPECT_NE(refusal(Code::invalid_argument, [&] { import_tar(small_tar("x"), "app", {change}); }), "accepted")
            << change;
    }
    EXPECT_EQ(refusal(Code::invalid_argument, [&] { import_tar(small_tar("x"), "app", {"RUN x"}); }),
              "change \"RUN x\": RUN is not a valid change command");
    EXPECT_TRUE(store->blobs().list().empty());
    EXPECT_TRUE(store->list().empty());
}

TEST_F(ImageStoreTest, AnImportThatFailsLeavesNothing) {
    EXPECT_NE(refusal(Code::invalid_argument, [&] { import_tar(make_tar({{"../x", file("")}}), "app"); }), "accepted");
    EXPECT_NE(refusal(Code::invalid_argument, [&] { import_tar("no tar", "app"); }), "accepted");
    EXPECT_NE(refusal(Code::invalid_argument, [&] { import_tar(small_tar("x"), "App"); }), "accepted");
    EXPECT_TRUE(store->list().empty());
    EXPECT_TRUE(store->blobs().list().empty());
    EXPECT_TRUE(store->layers().list().empty());
}

TEST_F(ImageStoreTest, ImagesAreFoundByNameIdAndUniquePrefix) {
    const ImageInfo one = import_tar(small_tar("1"), "registry.test/one:1");
    const ImageInfo two = import_tar(small_tar("2"), "");
    for (const std::string& reference : {std::string("registry.test/one:1"), one.id.str(), one.id.hex(),
                                         one.id.hex().substr(0, 12), "sha256:" + one.id.hex().substr(0, 20)}) {
        EXPECT_EQ(store->get(reference).id, one.id) << reference;
    }
    EXPECT_EQ(store->get(two.id.hex()).tags, std::vector<std::string>{});
    const std::pair<std::string, std::string> missing[] = {{"registry.test/one", "registry.test/one:latest"},
                                                           {"registry.test:80/one", "registry.test:80/one:latest"},
                                                           {"registry.test/one:2", "registry.test/one:2"},
                                                           {"x", "x:latest"},
                                                           {"A B", "A B"},
                                                           {std::string(64, 'f'), std::string(64, 'f')}};
    for (const auto& [reference, told] : missing) {
        EXPECT_EQ(refusal(Code::not_found, [&, &name = reference] { (void)store->get(name); }),
                  "No such image: " + told);
    }
    EXPECT_EQ(store->list().size(), 2u);
    EXPECT_EQ(store->list()[0].id, two.id) << "newest first";
}

TEST_F(ImageStoreTest, ImagesAreThereAfterARestart) {
    const ImageInfo image = import_tar(small_tar("1"), "app:v1", {"ENV A=b"});
    store->tag("app:v1", "registry.test/app:v2");
    store->pin("project", {image.id});
    reopen();
    const ImageInfo again = store->get("registry.test/app:v2");
    EXPECT_EQ(again.id, image.id);
    EXPECT_EQ(again.tags, (std::vector<std::string>{"app:v1", "registry.test/app:v2"}));
    EXPECT_EQ(again.config.environment, std::vector<std::string>{"A=b"});
    EXPECT_EQ(again.size, image.size);
    EXPECT_NE(refusal(Code::conflict, [&] { store->remove(image.id.str(), true); }), "accepted");
}

TEST_F(ImageStoreTest, ANameThatMovesLeavesTheOldImageWithoutOne) {
    const ImageInfo old = import_tar(small_tar("1"), "app");
    const ImageInfo fresh = import_tar(small_tar("2"), "app");
    EXPECT_EQ(store->get("app").id, fresh.id);
    EXPECT_TRUE(store->get(old.id.hex()).tags.empty());
    EXPECT_EQ(store->list().size(), 2u);
    used = {old.id};
    EXPECT_EQ(store->collect(), 0);
    used = {};
    EXPECT_GT(store->collect(), 0);
    EXPECT_EQ(store->list().size(), 1u);
    EXPECT_EQ(store->layers().list(), fresh.diff_ids);
    EXPECT_EQ(store->blobs().list().size(), 3u);
    EXPECT_EQ(store->collect(), 0);
}

TEST_F(ImageStoreTest, RemovingAName) {
    const ImageInfo image = import_tar(small_tar("1"), "app:v1");
    store->tag("app:v1", "app:v2");
    EXPECT_EQ(untagged(store->remove("app:v1", false)), std::vector<std::string>{"app:v1"});
    EXPECT_EQ(store->get(image.id.str()).tags, std::vector<std::string>{"app:v2"});
    EXPECT_EQ(untagged(store->remove("app:v2", false)),
              (std::vector<std::string>{"app:v2", "deleted " + image.id.str()}));
    EXPECT_TRUE(store->list().empty());
    EXPECT_TRUE(store->blobs().list().empty());
    EXPECT_TRUE(names_in(path + "/layers").empty());
    EXPECT_EQ(actions(), (std::vector<std::string>{"tag", "import", "tag", "untag", "untag", "delete"}));
    EXPECT_EQ(refusal(Code::not_found, [&] { store->remove("app:v1", false); }), "No such image: app:v1");
}

TEST_F(ImageStoreTest, RemovingAnIdTakesAllItsNames) {
    const ImageInfo image = import_tar(small_tar("1"), "app:v1");
    store->tag("app:v1", "registry.test/app:v2");
    const std::string short_id = image.id.hex().substr(0, 12);
    EXPECT_EQ(
        refusal(Code::conflict, [&] { store->remove(short_id, false); }),
        "conflict: unable to delete " + short_id + " (must be forced) - image is referenced in multiple repositories");
    EXPECT_EQ(untagged(store->remove(short_id, true)),
              (std::vector<std::string>{"app:v1", "registry.test/app:v2", "deleted " + image.id.str()}));
    EXPECT_TRUE(store->list().empty());
}

TEST_F(ImageStoreTest, AnImageThatAContainerUsesStays) {
    const ImageInfo image = import_tar(small_tar("1"), "app");
    used = {image.id};
    const std::string short_id = image.id.hex().substr(0, 12);
    EXPECT_EQ(refusal(Code::conflict, [&] { store->remove("app", false); }),
              "conflict: unable to remove repository reference \"app\" (must force) - a container is using its "
              "referenced image " +
                  short_id);
    EXPECT_EQ(refusal(Code::conflict, [&] { store->remove(short_id, true); }),
              "conflict: unable to delete " + short_id + " (cannot be forced) - image is being used by a container");
    EXPECT_EQ(untagged(store->remove("app", true)), std::vector<std::string>{"app:latest"});
    EXPECT_EQ(store->layer_folders(image.id).size(), 1u);
    EXPECT_EQ(store->collect(), 0);
    EXPECT_EQ(store->list().size(), 1u);
    reopen();
    EXPECT_EQ(store->list().size(), 1u);
    used = {};
    EXPECT_GT(store->collect(), 0);
    EXPECT_TRUE(store->list().empty());
}

TEST_F(ImageStoreTest, APinnedImageStaysUntilItsOwnerLetsGo) {
    const ImageInfo image = import_tar(small_tar("1"), "app");
    store->pin("one", {image.id});
    store->pin("two", {image.id});
    EXPECT_NE(refusal(Code::conflict, [&] { store->remove("app", false); }), "accepted");
    EXPECT_NE(refusal(Code::conflict, [&] { store->remove(image.id.str(), true); }), "accepted");
    (void)import_tar(small_tar("2"), "app");
    store->pin("one", {});
    EXPECT_EQ(store->collect(), 0);
    EXPECT_EQ(store->layer_folders(image.id).size(), 1u);
    store->pin("two", {});
    EXPECT_GT(store->collect(), 0);
    EXPECT_NE(refusal(Code::not_found, [&] { (void)store->layer_folders(image.id); }), "accepted");
}

TEST_F(ImageStoreTest, LayersThatAnotherImageNeedsStay) {
    const ImageInfo one = import_tar(small_tar("same"), "one", {"ENV A=1"});
    const ImageInfo two = import_tar(small_tar("same"), "two", {"ENV A=2"});
    ASSERT_NE(one.id, two.id);
    (void)store->remove("one", false);
    EXPECT_EQ(read_text(store->layer_folders(two.id)[0] + "/file"), "same");
    EXPECT_EQ(store->blobs().list().size(), 3u);
}

TEST_F(ImageStoreTest, AMissingLayerFolderIsMadeAgainFromItsBlob) {
    const ImageInfo image = import_tar(make_tar({{"file", file("hello")}}, Pack::gzip), "app");
    const std::string layer = store->layer_folders(image.id)[0];
    remove_tree(AT_FDCWD, layer);
    EXPECT_EQ(store->layer_folders(image.id)[0], layer);
    EXPECT_EQ(read_text(layer + "/file"), "hello");
    remove_tree(AT_FDCWD, path + "/layers");
    reopen();
    EXPECT_EQ(read_text(store->layer_folders(image.id)[0] + "/file"), "hello");
}

TEST_F(ImageStoreTest, ADamagedImageDoesNotHideTheOthers) {
    const ImageInfo one = import_tar(small_tar("1"), "one");
    const ImageInfo two = import_tar(small_tar("2"), "two");
    write_text(path + "/images/blobs/sha256/" + one.id.hex(), "{}");
    reopen();
    EXPECT_EQ(store->list().size(), 1u);
    EXPECT_EQ(store->get("two").id, two.id);
    EXPECT_NE(refusal(Code::not_found, [&] { (void)store->get("one"); }), "accepted");
    EXPECT_EQ(import_tar(small_tar("1"), "one").tags, std::vector<std::string>{"one:latest"});
    EXPECT_EQ(store->list().size(), 2u);
}

TEST_F(ImageStoreTest, WhatADamagedImageInUseNeedsIsNotRemoved) {
    const ImageInfo image = import_tar(small_tar("1"), "app");
    (void)import_tar(small_tar("2"), "other");
    const std::string layer = store->layer_folders(image.id)[0];
    used = {image.id};
    for (const std::string& folder : names_in(path + "/layers")) {
        timespec old[2] = {{1'000'000'000, 0}, {1'000'000'000, 0}};
        ASSERT_EQ(::utimensat(AT_FDCWD, (path + "/layers/" + folder + "/meta.json").c_str(), old, 0), 0);
    }
    write_text(path + "/images/blobs/sha256/" + image.id.hex(), "{}");
    reopen();
    ASSERT_EQ(store->list().size(), 1u);
    EXPECT_EQ(store->collect(), 0);
    EXPECT_EQ(read_text(layer + "/file"), "1") << "a container runs on it";
    (void)store->remove("other", false);
    write_text(path + "/images/blobs/sha256/" + image.id.hex(), image.config_json);  // as a pull does
    reopen();
    EXPECT_EQ(store->list().size(), 1u);
    EXPECT_GT(store->collect(), 0) << "the other's";
    EXPECT_EQ(read_text(store->layer_folders(image.id)[0] + "/file"), "1");
}

TEST_F(ImageStoreTest, TheKindOfCompressionIsKeptWhereAManifestHasAWordForIt) {
    const Entries entries = {{"file", file(std::string(100000, 'x'))}};
    for (Pack pack : {Pack::none, Pack::gzip, Pack::zstd, Pack::xz, Pack::bzip2}) {
        const ImageInfo image = import_tar(make_tar(entries, pack), "app");
        EXPECT_EQ(image.diff_ids[0], Digest::of(make_tar(entries)));
        auto manifest = nlohmann::json::parse(store->blobs().read(image.manifest));
        EXPECT_EQ(manifest["layers"][0]["mediaType"], pack == Pack::zstd
                                                          ? "application/vnd.oci.image.layer.v1.tar+zstd"
                                                          : "application/vnd.oci.image.layer.v1.tar+gzip");
        EXPECT_LT(manifest["layers"][0]["size"].get<int64_t>(), 10000);
    }
}

TEST_F(ImageStoreTest, CollectingWhileImagesComeNeverBreaksThem) {
    std::atomic<bool> done{false};
    std::jthread collector([&] {
        while (!done) (void)store->collect();
    });
    std::vector<std::jthread> threads;
    for (int t = 0; t < 3; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 10; ++i) {
                // The same layer under changing names: found as stored already, removed with its image, and needed
                // again.
                const std::string name = "app-" + std::to_string(t);
                const ImageInfo image = import_tar(small_tar(std::to_string(i % 2)), name);
                EXPECT_EQ(read_text(store->layer_folders(image.id)[0] + "/file"), std::to_string(i % 2));
            }
        });
    }
    threads.clear();
    done = true;
    collector.join();
    (void)store->collect();
    EXPECT_EQ(store->list().size(), 3u);
    EXPECT_EQ(store->layers().list().size(), 1u);
}

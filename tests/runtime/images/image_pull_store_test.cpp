#include "image_fixture.h"
#include "registry_fixture.h"

#include "base/error.h"

#include <fcntl.h>

using namespace kedge;
using namespace kedge::runtime;

namespace {

struct PulledImages : StoreTest {
    test::RealRegistry registry;
    std::string repository() const { return registry.host() + "/team/app"; }
    std::string push(const std::string& content, const std::string& tag) {
        test::TestImage image = test::make_image({{{"file", content}}});
        registry.push(image, "team/app:" + tag);
        return Digest::of(image.manifest).str();
    }
};

}  // namespace

TEST_F(PulledImages, ATagThatMovedLeavesTheOldImageReachableByItsDigest) {
    const std::string first = push("1", "v1");
    const ImageInfo old = store->pull(repository() + ":v1", {}, {}, {});
    EXPECT_EQ(old.tags, std::vector<std::string>{repository() + ":v1"});
    EXPECT_EQ(old.repo_digests, std::vector<std::string>{repository() + "@" + first});
    EXPECT_EQ(read_text(store->layer_folders(old.id)[0] + "/file"), "1");

    const std::string second = push("2", "v1");
    const ImageInfo fresh = store->pull(repository() + ":v1", {}, {}, {});
    ASSERT_NE(fresh.id, old.id);
    reopen();
    EXPECT_EQ(store->get(repository() + ":v1").id, fresh.id);
    EXPECT_EQ(store->get(repository() + "@" + first).id, old.id);
    EXPECT_TRUE(store->get(old.id.str()).tags.empty());
    EXPECT_GT(store->collect(), 0);
    EXPECT_THROW((void)store->get(repository() + "@" + first), Error);
    EXPECT_EQ(store->get(repository() + "@" + second).id, fresh.id);
}

TEST_F(PulledImages, PullingByDigestGivesANameThatTheLastTagTakesAlong) {
    const std::string digest = push("1", "v1");
    const ImageInfo image = store->pull(repository() + "@" + digest, {}, {}, {});
    EXPECT_TRUE(image.tags.empty());
    EXPECT_EQ(image.repo_digests, std::vector<std::string>{repository() + "@" + digest});
    EXPECT_EQ(store->collect(), 0) << "a name by digest is a name";
    (void)store->pull(repository() + ":v1", {}, {}, {});
    EXPECT_EQ(actions(), (std::vector<std::string>{"pull", "pull"}));
    EXPECT_EQ(store->remove(repository() + ":v1", false).size(), 3u);
    EXPECT_TRUE(store->list().empty());
    EXPECT_TRUE(store->blobs().list().empty());
}

TEST_F(PulledImages, ADamagedImageIsWholeAgainAfterAPull) {
    (void)push("1", "v1");
    const ImageInfo image = store->pull(repository() + ":v1", {}, {}, {});
    write_text(path + "/images/blobs/sha256/" + image.id.hex(), "{}");
    remove_tree(AT_FDCWD, path + "/layers");
    reopen();
    EXPECT_THROW((void)store->get(repository() + ":v1"), Error);
    EXPECT_EQ(store->pull(repository() + ":v1", {}, {}, {}).id, image.id);
    EXPECT_EQ(read_text(store->layer_folders(image.id)[0] + "/file"), "1");
}

TEST_F(PulledImages, ALayerWhoseBlobIsDamagedTooIsRefusedUntilItIsPulledAgain) {
    (void)push("1", "v1");
    const ImageInfo image = store->pull(repository() + ":v1", {}, {}, {});
    const Digest layer = read_stored_image(store->blobs(), image.manifest).layers[0];
    write_text(path + "/images/blobs/sha256/" + layer.hex(), "damaged");
    remove_tree(AT_FDCWD, path + "/layers");
    reopen();
    EXPECT_THROW((void)store->layer_folders(image.id), Error);
    (void)store->pull(repository() + ":v1", {}, {}, {});
    EXPECT_EQ(read_text(store->layer_folders(image.id)[0] + "/file"), "1");
}

#include "cli/image_list.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace kedge::cli;
using nlohmann::json;

namespace {

const std::string kId = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

json image(const json& tags, const json& digests) {
    return {{"Id", kId},    {"RepoTags", tags},  {"RepoDigests", digests},
            {"Created", 0}, {"Size", 4'260'000}, {"Containers", 2}};
}

}  // namespace

TEST(ImageList, HasALineForEachNameOfAnImage) {
    json rows = image_rows(json::array({image({"shop/web:1", "127.0.0.1:5000/web:2"}, json::array())}), false, false);
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0]["Repository"], "shop/web");
    EXPECT_EQ(rows[0]["Tag"], "1");
    EXPECT_EQ(rows[0]["ID"], "0123456789ab");
    EXPECT_EQ(rows[0]["Size"], "4.26MB");
    EXPECT_EQ(rows[0]["Containers"], "2");
    EXPECT_EQ(rows[1]["Repository"], "127.0.0.1:5000/web");
    EXPECT_EQ(rows[1]["Tag"], "2");
}

TEST(ImageList, ShowsAnImageWithoutNamesAsNone) {
    json rows = image_rows(json::array({image(json::array(), json::array())}), true, false);
    ASSERT_EQ(rows.size(), 1u);
    EXPECT_EQ(rows[0]["Repository"], "<none>");
    EXPECT_EQ(rows[0]["Tag"], "<none>");
    EXPECT_EQ(rows[0]["ID"], kId);
}

TEST(ImageList, ShowsTheDigestOfTheNamesOwnRepository) {
    json digests = {"other/web@sha256:11", "shop/web@sha256:22"};
    json rows = image_rows(
        json::array({image({"shop/web:1", "local:1"}, digests), image(json::array(), {"gone/web@sha256:33"})}), false,
        true);
    ASSERT_EQ(rows.size(), 3u);
    EXPECT_EQ(rows[0]["Digest"], "sha256:22");
    EXPECT_EQ(rows[1]["Digest"], "<none>");
    EXPECT_EQ(rows[2]["Repository"], "gone/web");
    EXPECT_EQ(rows[2]["Digest"], "sha256:33");
}

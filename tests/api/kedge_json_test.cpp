#include "api/kedge_json.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace kedge;

TEST(KedgeJson, AReleaseShowsWhichSecretsItHasButNotWhatTheyAre) {
    reconciler::Release release;
    release.project = "shop";
    release.number = 3;
    sources::FileSource secret{"key", "", "correct horse", "sha256:1"};
    release.target.project.secrets["key"] = secret;
    release.target.project.configs["motd"] = {"motd", "", "good morning", "sha256:2"};
    std::string text = api::release_detail_json(release).dump();
    EXPECT_EQ(text.find("correct horse"), std::string::npos) << text;
    EXPECT_NE(text.find("sha256:1"), std::string::npos) << text;
    EXPECT_NE(text.find("good morning"), std::string::npos) << text;
}

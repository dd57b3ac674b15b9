#include "compose_testing.h"

using namespace kedge;
using namespace kedge::sources;

namespace {

struct TrackedMounts : ComposeTest {
    void SetUp() override {
        ComposeTest::SetUp();
        input.confine_to = input.directory;
        input.data_folder = path + "/data";
    }
};

}  // namespace

TEST_F(TrackedMounts, WhatTheCommitHasIsMountedReadOnlyWhateverTheMountSays) {
    write("conf/a", "one");
    std::string body =
        "volumes:\n  - ./conf:/short\n  - ./conf:/written:rw\n  - {type: bind, source: ./conf, target: /long}\n"
        "  - {type: bind, source: ./conf/a, target: /file, read_only: false}\n";
    for (const VolumeMount& mount : service(body).volumes) {
        EXPECT_TRUE(mount.read_only) << mount.target;
        EXPECT_FALSE(mount.content_digest.empty()) << mount.target;
    }
}

TEST_F(TrackedMounts, WhatTheCommitDoesNotHaveIsAFolderForDataThatCanBeWritten) {
    VolumeMount mount = service("volumes: [\"./state:/state\"]").volumes.at(0);
    EXPECT_FALSE(mount.read_only);
    EXPECT_EQ(mount.source, path + "/data/state");
    EXPECT_TRUE(service("volumes: [\"./state:/state:ro\"]").volumes.at(0).read_only);
}

#include "tests/runtime/engine_fixture.h"

namespace kedge::test {

/// A folder `data` that one container has, and a folder `outside` of the host that it must not reach through another
/// container's binds.
class ConfinedBind : public EngineFixture {
public:
    void SetUp() override {
        EngineFixture::SetUp();
        data = folder + "/data";
        outside = folder + "/outside";
        make_folders(AT_FDCWD, data);
        make_folders(AT_FDCWD, outside);
        write_file_durably(AT_FDCWD, outside + "/secret", "the host's\n");
    }

    runtime::Mount confined(const std::string& inner, bool make) const {
        runtime::Mount mount = bind(data + inner, "/m");
        mount.confined_to = data;
        mount.create_host_path = make;
        return mount;
    }

    runtime::ContainerSpec reader(const runtime::Mount& mount) const {
        runtime::ContainerSpec spec = shell("cat /m/secret /m || ls /m");
        spec.mounts = {mount};
        return spec;
    }

    /// What a container that has the whole folder does to it.
    void as_neighbour(const std::string& script) {
        runtime::ContainerSpec spec = shell(script);
        spec.mounts = {bind(data, "/data")};
        ASSERT_EQ(run_to_end(spec), 0);
    }

    std::string data, outside;
};

TEST_F(ConfinedBind, WhatLiesBelowTheFolderIsMounted) {
    as_neighbour("mkdir -p /data/a/b && echo mine > /data/a/b/secret");
    std::string output;
    EXPECT_EQ(run_to_end(reader(confined("/a/b", false)), &output), 0);
    EXPECT_NE(output.find("mine\n"), std::string::npos) << output;
    EXPECT_EQ(run_to_end(reader(confined("/a/b/secret", false)), &output), 0) << "a file";
    EXPECT_NE(output.find("mine\n"), std::string::npos) << output;
    runtime::ContainerSpec whole = shell("ls /m");
    whole.mounts = {confined("", false)};
    EXPECT_EQ(run_to_end(whole, &output), 0);
    EXPECT_EQ(output, "a\n");
    EXPECT_EQ(run_to_end(reader(confined("/new/folder", true))), 0);
    EXPECT_EQ(::access((data + "/new/folder").c_str(), F_OK), 0);
}

TEST_F(ConfinedBind, ALinkThatANeighbourPutsThereAfterCreationLeadsNoStartOutOfTheFolder) {
    for (bool make : {false, true}) {
        as_neighbour("rm -rf /data/swapped && mkdir -p /data/swapped/in");
        std::string last = containers().create(reader(confined("/swapped", make)));
        std::string middle = containers().create(reader(confined("/swapped/in", make)));
        as_neighbour("rm -r /data/swapped && ln -s " + outside + " /data/swapped");
        make_folders(AT_FDCWD, outside + "/in");
        for (const std::string& id : {last, middle}) {
            std::string words = refusal([&] { containers().start(id); });
            EXPECT_NE(words.find("symbolic links"), std::string::npos) << words;
            EXPECT_EQ(log_of(id), "");
        }
        remove_tree(AT_FDCWD, outside + "/in");
    }
}

TEST_F(ConfinedBind, AMissingFolderIsNotMadeThroughALink) {
    as_neighbour("ln -s " + outside + " /data/link; ln -s ../../outside /data/up");
    for (const char* inner : {"/link/made", "/up/made"}) {
        EXPECT_NE(refusal([&] { (void)containers().create(reader(confined(inner, true))); }), "");
        EXPECT_NE(refusal([&] { (void)containers().create(reader(confined(inner, false))); }), "");
    }
    EXPECT_NE(::access((outside + "/made").c_str(), F_OK), 0);
}

TEST_F(ConfinedBind, ASourceElsewhereIsRefusedAndOneThatClimbsStaysBelow) {
    EXPECT_NE(refusal([&] { (void)containers().create(reader(confined("x", true))); }), "");
    EXPECT_NE(::access((data + "x").c_str(), F_OK), 0);
    std::string output;
    EXPECT_EQ(run_to_end(reader(confined("/../outside", true)), &output), 0);
    EXPECT_EQ(output.find("the host's"), std::string::npos) << output;
    EXPECT_EQ(::access((data + "/outside").c_str(), F_OK), 0);
}

TEST_F(ConfinedBind, ItIsRememberedAcrossAgents) {
    as_neighbour("mkdir /data/swapped");
    std::string id = containers().create(reader(confined("/swapped", false)));
    close_engine();
    open_engine();
    as_neighbour("rmdir /data/swapped && ln -s " + outside + " /data/swapped");
    EXPECT_NE(refusal([&] { containers().start(id); }), "");
}

}  // namespace kedge::test

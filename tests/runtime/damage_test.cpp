#include "tests/runtime/engine_fixture.h"

#include <SQLiteCpp/SQLiteCpp.h>

namespace kedge::test {

/// What the disk or somebody's hand did while no agent ran never keeps the next one from starting.
class Damage : public EngineFixture {
public:
    void change_database(const std::string& statement) {
        ASSERT_FALSE(engine);
        database = std::make_unique<Database>(options.root + "/kedge.db");
        database->transaction(Database::Durability::power,
                              [&](SQLite::Database& db) { ASSERT_GT(db.exec(statement), 0) << statement; });
    }
};

TEST_F(Damage, ARowOfANetworkThatCantBeUnderstood) {
    make_network("whole");
    make_network("labels");
    make_network("addresses");
    close_engine();
    change_database("UPDATE networks SET labels = '{' WHERE name = 'labels'");
    change_database("UPDATE networks SET subnet = 'x/99' WHERE name = 'addresses'");
    ASSERT_NO_THROW(open_engine());
    EXPECT_EQ(engine->networks().inspect("whole").spec.name, "whole");
    EXPECT_EQ(engine->networks().inspect("labels").spec.name, "labels");
    EXPECT_EQ(code_of([&] { (void)engine->networks().inspect("addresses"); }), Code::not_found);
    EXPECT_NO_THROW(make_network("addresses")) << "its name is free again";
}

TEST_F(Damage, ALayersMetadataUnderAContainerThatRuns) {
    const std::string id = run(shell("echo ready; sleep 1000"));
    ASSERT_TRUE(wait_for_log(id, "ready"));
    close_engine();
    for (const std::string& layer : entries(options.root + "/layers"))
        write_file_durably(AT_FDCWD, options.root + "/layers/" + layer + "/meta.json", "{");
    ASSERT_NO_THROW(open_engine());
    EXPECT_EQ(exec(id, "cat /etc/group | wc -l; id -u").output, "3\n0\n") << "its files are still there";
    EXPECT_EQ(run_to_end(shell("exit 7")), 7) << "the layer is made again";
}

TEST_F(Damage, APinThatIsNoDigest) {
    engine->images().pin("release", {engine->images().get("busybox").id});
    close_engine();
    change_database("INSERT INTO image_pins(owner, image) VALUES('release', 'nonsense')");
    ASSERT_NO_THROW(open_engine());
    EXPECT_THROW(engine->images().remove("busybox", false), Error) << "the pin beside it holds";
}

TEST_F(Damage, AMountedImageThatIsNoDigest) {
    runtime::ContainerSpec spec = shell("true", "mounting");
    spec.mounts = {volume("busybox", "/x")};
    spec.mounts[0].type = runtime::Mount::Type::image;
    (void)containers().create(spec);
    close_engine();
    change_database("UPDATE containers SET resolved = json_set(resolved, '$.mounts[0].image_id', 'nonsense')");
    ASSERT_NO_THROW(open_engine());
    EXPECT_TRUE(containers().list().empty()) << "its row can't be understood";
    EXPECT_NO_THROW(engine->images().remove("busybox", false));
}

TEST_F(Damage, FoldersAmongTheVolumesThatNobodyMade) {
    close_engine();
    make_folders(AT_FDCWD, options.root + "/volumes/.removed-x");
    make_folders(AT_FDCWD, options.root + "/volumes/.removed-x-01234567/_data");
    write_file_durably(AT_FDCWD, options.root + "/volumes/file", "not a folder");
    ASSERT_NO_THROW(open_engine());
    EXPECT_EQ(::access((options.root + "/volumes/.removed-x").c_str(), F_OK), 0);
    EXPECT_NE(::access((options.root + "/volumes/.removed-x-01234567").c_str(), F_OK), 0);
    remove_tree(AT_FDCWD, options.root + "/volumes/.removed-x");
    ASSERT_EQ(::unlink((options.root + "/volumes/file").c_str()), 0);
}

TEST_F(Damage, AContainerWhoseNetworksCantBeTakenOverIsStillStopped) {
    make_network("front");
    runtime::ContainerSpec spec = shell("trap 'exit 7' TERM; while :; do sleep 0.1; done", "web");
    spec.networks = {on("front")};
    std::string id = run(spec);
    close_engine();
    change_database("UPDATE containers SET state = replace(state, '172.28.', 'x.28.')");
    ASSERT_NO_THROW(open_engine());
    ASSERT_EQ(containers().inspect(id).status, runtime::Status::running);
    containers().stop(id);
    EXPECT_EQ(containers().inspect(id).exit_code, 7);
    EXPECT_NO_THROW(containers().start(id)) << "a new start gives it new addresses";
}

TEST_F(Damage, AContainersFoldersThatWereLostAreMadeByItsStart) {
    std::string id = containers().create(shell("echo runs"));
    remove_tree(AT_FDCWD, options.root + "/containers/" + id);
    ASSERT_NO_THROW(containers().start(id));
    EXPECT_EQ(containers().wait(id), 0);
    EXPECT_EQ(log_of(id), "runs\n");
}

}  // namespace kedge::test

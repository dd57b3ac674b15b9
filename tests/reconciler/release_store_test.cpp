#include "reconciler/release_store.h"

#include "base/database.h"
#include "base/durable.h"
#include "base/error.h"
#include "machine.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstdlib>

using namespace kedge;
using namespace kedge::reconciler;

namespace {

struct StoreTest : testing::Test {
    std::string folder = "/tmp/kedge-test-XXXXXX";
    std::unique_ptr<Database> database;
    std::unique_ptr<ReleaseStore> store;
    void open() {
        store.reset();
        database.reset();
        database = std::make_unique<Database>(folder + "/kedge.db");
        store = std::make_unique<ReleaseStore>(*database);
    }
    void SetUp() override {
        ASSERT_NE(::mkdtemp(folder.data()), nullptr);
        open();
    }
    void TearDown() override {
        store.reset();
        database.reset();
        remove_tree(AT_FDCWD, folder);
    }
    Release add(ReleaseState state) {
        Release release;
        release.project = "shop";
        release.state = state;
        release.commit = "c";
        release.target = test::target({test::service("web")});
        release.created = WallTime(Nanoseconds(7));
        store->add(release);
        return release;
    }
};

}  // namespace

TEST_F(StoreTest, AReleaseIsReadBackAsItWasWritten) {
    Release release = add(ReleaseState::pending);
    release.state = ReleaseState::blocked;
    release.error = "registry says \"no\"";
    release.next_retry = WallTime(Nanoseconds(9));
    release.verdicts = {{"web", "observed"}};
    release.quarantined = true;
    store->put(release);
    open();
    Release read = store->find("shop", 1).value();
    EXPECT_EQ(read.state, ReleaseState::blocked);
    EXPECT_EQ(read.target, release.target);
    EXPECT_EQ(read.target.release, 1);
    EXPECT_EQ(read.error, release.error);
    EXPECT_EQ(read.next_retry, release.next_retry);
    EXPECT_EQ(read.verdicts, release.verdicts);
    EXPECT_TRUE(read.quarantined);
    EXPECT_EQ(read.created, release.created);
    EXPECT_FALSE(store->find("shop", 2));
    EXPECT_FALSE(store->newest("other"));
}

TEST_F(StoreTest, NumbersGrowPerProjectAndTheLastGoodOneIsFound) {
    add(ReleaseState::good);
    add(ReleaseState::good);
    EXPECT_EQ(add(ReleaseState::rolled_back).number, 3);
    EXPECT_EQ(store->last_good("shop")->number, 2);
    EXPECT_EQ(store->newest("shop")->number, 3);
    EXPECT_EQ(store->history("shop").front().number, 3);
}

TEST_F(StoreTest, OnlyTheKeptReleasesKeepTheirTargets) {
    for (int i = 0; i < 6; ++i) add(ReleaseState::good);
    add(ReleaseState::rolled_back);
    add(ReleaseState::soaking);
    store->forget_old("shop", 2);
    EXPECT_EQ(store->kept_targets("shop").size(), 4u) << "the current, two before it, and the one in progress";
    EXPECT_TRUE(store->find("shop", 1)->target.project.name.empty());
    EXPECT_FALSE(store->find("shop", 4)->target.project.name.empty());
    EXPECT_EQ(store->history("shop").size(), 8u) << "what happened is remembered all the same";
}

TEST_F(StoreTest, AQuarantineIsLiftedForTheCommitAndAllThatMeanTheSame) {
    store->add_quarantine("shop", "c1", "crashed", "m");
    store->add_quarantine("shop", "c2", "crashed", "m");
    store->add_quarantine("shop", "c3", "malformed", "");
    open();
    EXPECT_EQ(store->quarantine("shop").size(), 3u);
    EXPECT_EQ(store->quarantined_meanings("shop"), std::set<std::string>{"m"});
    store->lift_quarantine("shop", "c9", "m");
    EXPECT_EQ(store->quarantine("shop"), (std::map<std::string, std::string>{{"c3", "malformed"}}));
    store->lift_quarantine("shop", "c8", "");
    EXPECT_EQ(store->quarantine("shop").size(), 1u) << "no meaning is not the same meaning";
}

TEST_F(StoreTest, AProjectThatNeverGetsGoodDoesNotGrowForEver) {
    for (int i = 0; i < 230; ++i) {
        add(i % 2 == 0 ? ReleaseState::superseded : ReleaseState::rolled_back);
        store->add_quarantine("shop", "c" + std::to_string(i), "crashed", "m");
    }
    EXPECT_EQ(store->history("shop").size(), 200u);
    EXPECT_EQ(store->history("shop").front().number, 230);
    EXPECT_EQ(store->quarantine("shop").size(), 200u);
    EXPECT_FALSE(store->quarantine("shop").contains("c29"));
    EXPECT_TRUE(store->quarantine("shop").contains("c30"));
    add(ReleaseState::good);
    EXPECT_EQ(store->last_good("shop")->number, 231);
    for (int i = 0; i < 230; ++i) add(ReleaseState::superseded);
    EXPECT_EQ(store->last_good("shop")->number, 231) << "what may be gone back to stays however old it is";
}

TEST_F(StoreTest, AReleaseThatCanNotBeReadIsSetAsideAndTheOthersStay) {
    add(ReleaseState::good);
    add(ReleaseState::good);
    add(ReleaseState::good);
    add(ReleaseState::applying);
    database->transaction(Database::Durability::power, [](SQLite::Database& db) {
        db.exec("UPDATE reconciler_release SET target = '{\"project\": 1}' WHERE number = 2");
        db.exec("UPDATE reconciler_release SET state = 'of a later kedge' WHERE number = 3");
        db.exec("UPDATE reconciler_release SET verdicts = '{\"web\": 7}' WHERE number = 4");
    });
    open();
    EXPECT_EQ(store->history("shop").size(), 1u);
    EXPECT_EQ(store->last_good("shop")->number, 1);
    EXPECT_EQ(add(ReleaseState::pending).number, 5) << "a number is not given twice: containers carry it";
    int aside = 0;
    database->read(
        [&](SQLite::Database& db) { aside = db.execAndGet("SELECT COUNT(*) FROM reconciler_unreadable").getInt(); });
    EXPECT_EQ(aside, 3);
}

TEST_F(StoreTest, ANameThatAPersonBroughtIsNotNotedAsPulled) {
    Digest one = test::image(1), two = test::image(2);
    store->add_pulled("shop", "app:1", one, false);
    store->add_pulled("shop", "theirs:1", one, true);
    open();
    EXPECT_EQ(store->pulled("shop"), (std::map<std::string, Digest>{{"app:1", one}}));
    store->add_pulled("other", "app:1", two, true);
    EXPECT_EQ(store->pulled("shop").at("app:1"), two) << "kedge's own name follows what it pulls";
    EXPECT_TRUE(store->pulled("other").empty());
    store->forget_pulled("shop", "app:1");
    EXPECT_TRUE(store->pulled("shop").empty());
}

TEST_F(StoreTest, ARetiredContainerKeepsItsFirstName) {
    store->add_retired("shop", "id", "shop-web-1");
    store->add_retired("shop", "id", "id_shop-web-1");
    store->add_stopped("shop", "other");
    open();
    EXPECT_EQ(store->retired("shop").at("id"), "shop-web-1");
    EXPECT_TRUE(store->stopped("shop").contains("other"));
    store->clear_retired("shop");
    EXPECT_TRUE(store->retired("shop").empty());
    EXPECT_TRUE(store->stopped("shop").empty());
}

TEST(Target, DamagedJsonIsAnError) {
    for (const char* text : {"", "{", "{}", "[]", "{\"project\": 1}"})
        EXPECT_THROW(target_from_json(text), Error) << text;
}

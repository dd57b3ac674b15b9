#include "runtime/volumes/volume_store.h"

#include "base/durable.h"
#include "base/error.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

namespace kedge::runtime {

namespace {

namespace fs = std::filesystem;

struct VolumeStoreTest : testing::Test {
    void SetUp() override {
        char name[] = "/tmp/kedge-volumes-XXXXXX";
        ASSERT_NE(::mkdtemp(name), nullptr);
        folder = name;
        open();
    }
    void TearDown() override {
        store.reset();
        database.reset();
        remove_tree(AT_FDCWD, folder);
    }
    /// The store (again, on what is on the disk).
    void open() {
        store.reset();
        database.reset();
        database = std::make_unique<Database>(folder + "/kedge.db");
        store = std::make_unique<VolumeStore>(folder + "/volumes", *database, events, [this](const std::string& name) {
            return name == in_use ? std::vector<std::string>{"abc"} : std::vector<std::string>{};
        });
    }
    VolumeInfo create(const std::string& name, std::map<std::string, std::string> labels = {}) {
        VolumeSpec spec;
        spec.name = name;
        spec.labels = std::move(labels);
        return store->create(spec);
    }
    std::string path(const std::string& below) const { return folder + "/volumes/" + below; }
    void write(const std::string& below, const std::string& text) { write_file_durably(AT_FDCWD, path(below), text); }
    std::string read(const std::string& below) { return read_file_at(AT_FDCWD, path(below)); }
    static Code code_of(const std::function<void()>& step) {
        try {
            step();
        } catch (const Error& e) {
            return e.code();
        }
        ADD_FAILURE() << "it was not refused";
        return Code::internal;
    }

    std::string folder, in_use;
    Events events;
    std::unique_ptr<Database> database;
    std::unique_ptr<VolumeStore> store;
};

}  // namespace

TEST_F(VolumeStoreTest, AVolumeThatCannotBeRecordedLeavesNoFolder) {
    database->transaction(Database::Durability::power,
                          [](SQLite::Database& db) { db.exec("ALTER TABLE volumes RENAME TO away"); });
    EXPECT_EQ(code_of([&] { (void)create("vx"); }), Code::internal);
    EXPECT_FALSE(fs::exists(path("vx")));
    // What was there without a record is somebody's data.
    fs::create_directories(path("kept/_data"));
    write("kept/_data/f", "data");
    EXPECT_EQ(code_of([&] { (void)create("kept"); }), Code::internal);
    EXPECT_EQ(read("kept/_data/f"), "data");
    database->transaction(Database::Durability::power,
                          [](SQLite::Database& db) { db.exec("ALTER TABLE away RENAME TO volumes"); });
    open();
    ASSERT_EQ(store->list().size(), 1u);
    EXPECT_EQ(store->list()[0].spec.name, "kept");
}

TEST_F(VolumeStoreTest, AVolumeIsMadeOnceAndSurvivesTheAgent) {
    VolumeInfo made = create("data", {{"a", "b"}});
    EXPECT_EQ(made.mountpoint, path("data/_data"));
    EXPECT_TRUE(fs::is_directory(made.mountpoint));
    EXPECT_EQ(create("data", {{"other", "label"}}).spec.labels, made.spec.labels)
        << "what is there is returned as it is";
    open();
    VolumeInfo kept = store->inspect("data");
    EXPECT_EQ(kept.created, made.created);
    EXPECT_EQ(kept.spec, made.spec);
    EXPECT_FALSE(kept.anonymous);
    EXPECT_EQ(store->list().size(), 1u);
}

TEST_F(VolumeStoreTest, AVolumeWithoutANameGetsOne) {
    VolumeInfo made = create("");
    EXPECT_EQ(made.spec.name.size(), 64u);
    EXPECT_TRUE(made.anonymous);
    open();
    EXPECT_TRUE(store->inspect(made.spec.name).anonymous);
}

TEST_F(VolumeStoreTest, NamesDriversAndOptionsThatCantBeAreRefused) {
    for (const char* name : {"a", "..", ".hidden", "a/b", "-x", "a b", "_x"}) {
        EXPECT_EQ(code_of([&] { create(name); }), Code::invalid_argument) << name;
    }
    EXPECT_EQ(code_of([&] { create(std::string(256, 'a')); }), Code::invalid_argument);
    VolumeSpec spec;
    spec.name = "data";
    spec.driver = "nfs";
    EXPECT_EQ(code_of([&] { store->create(spec); }), Code::not_found);
    spec.driver = "local";
    const std::string zero("a\0b", 3);
    const std::pair<std::map<std::string, std::string>, const char*> wrong[] = {
        {{{"nope", "1"}}, "invalid option: \"nope\""},
        {{{"type", "tmpfs"}}, "missing required option: \"device\""},
        {{{"o", "bind"}}, "missing required option: \"device\""},
        {{{"device", "x"}}, "missing required option: \"type\""},
        {{{"size", "1g"}}, "quota size requested but no quota support"},
        {{{"size", "x"}}, "invalid size: 'x'"},
        {{{"type", "cifs"}, {"device", "//h:445/s"}}, "port not allowed in CIFS device URL, include 'port' in 'o='"},
        {{{"type", "none"}, {"device", zero}}, "invalid option: \"device\" has a zero byte"},
        {{{"type", "none"}, {"device", "/x"}, {"o", "bind,rshared"}},
         "the mount option \"rshared\" is not supported for volumes"}};
    for (const auto& [options, why] : wrong) {
        spec.options = options;
        try {
            store->create(spec);
            ADD_FAILURE() << why;
        } catch (const Error& e) {
            EXPECT_EQ(e.what(), std::string("create data: ") + why);
            EXPECT_EQ(e.code(), Code::invalid_argument);
        }
    }
    EXPECT_TRUE(store->list().empty());
    EXPECT_TRUE(fs::is_empty(folder + "/volumes"));
}

TEST_F(VolumeStoreTest, OptionsStayAndAreThoseOfWhoMadeIt) {
    VolumeSpec spec;
    spec.name = "data";
    spec.options = {{"type", "tmpfs"}, {"device", "tmpfs"}, {"o", "size=1m"}};
    store->create(spec);
    open();
    EXPECT_EQ(store->inspect("data").spec.options, spec.options);
    VolumeSpec other = spec;
    other.options = {{"nope", "1"}};
    EXPECT_EQ(store->create(other).spec.options, spec.options) << "what is there is taken as it is";
}

TEST_F(VolumeStoreTest, OnlyAnUnusedVolumeIsRemovedAndThenAllOfIt) {
    create("data");
    write("data/_data/file", "x");
    in_use = "data";
    EXPECT_EQ(code_of([&] { store->remove("data", false); }), Code::conflict);
    EXPECT_EQ(code_of([&] { store->remove("data", true); }), Code::conflict) << "not by force either";
    EXPECT_EQ(read("data/_data/file"), "x");
    in_use.clear();
    store->remove("data", false);
    EXPECT_TRUE(fs::is_empty(folder + "/volumes"));
    EXPECT_EQ(code_of([&] { store->remove("data", false); }), Code::not_found);
    EXPECT_NO_THROW(store->remove("data", true)) << "by force, what is gone is fine";
    open();
    EXPECT_TRUE(store->list().empty());
}

TEST_F(VolumeStoreTest, RemovingFollowsNoLinkOutOfIt) {
    create("data");
    make_folders(AT_FDCWD, folder + "/outside");
    write_file_durably(AT_FDCWD, folder + "/outside/file", "kept");
    fs::create_directory_symlink(folder + "/outside", path("data/_data/link"));
    store->remove("data", false);
    EXPECT_EQ(read_file_at(AT_FDCWD, folder + "/outside/file"), "kept");
}

TEST_F(VolumeStoreTest, AFillIsWholeOrNotThere) {
    create("data");
    auto copy = [](int to) {
        write_file_durably(to, "one", "1");
        if (::fchmod(to, 0750) != 0 || ::fchown(to, 12, 34) != 0) throw_errno("attributes");
        return true;
    };
    EXPECT_THROW(store->fill("data",
                             [&](int to) -> bool {
                                 (void)copy(to);
                                 throw Error(Code::internal, "half way");
                             }),
                 Error);
    EXPECT_TRUE(fs::is_empty(path("data/_data")));
    store->fill("data", [&](int to) {
        (void)copy(to);
        return false;
    });
    EXPECT_TRUE(fs::is_empty(path("data/_data"))) << "it said that there is nothing";
    struct stat before {
    }, after{};
    ASSERT_EQ(::stat(path("data/_data").c_str(), &before), 0);
    store->fill("data", copy);
    EXPECT_EQ(read("data/_data/one"), "1");
    ASSERT_EQ(::stat(path("data/_data").c_str(), &after), 0);
    EXPECT_EQ(before.st_ino, after.st_ino) << "it may be mounted somewhere";
    EXPECT_EQ(after.st_mode & 07777, 0750u);
    EXPECT_EQ(after.st_uid, 12u);
    EXPECT_EQ(after.st_gid, 34u);
    store->fill("data", [](int) -> bool {
        ADD_FAILURE() << "it is filled already";
        return true;
    });
    EXPECT_EQ(std::distance(fs::directory_iterator(path("data")), {}), 1) << "nothing is left beside _data";
}

TEST_F(VolumeStoreTest, FillsOfOneVolumeFromManySidesHappenOnce) {
    create("data");
    std::atomic<int> copies{0};
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 6; ++i) {
            threads.emplace_back([&] {
                store->fill("data", [&](int to) {
                    ++copies;
                    write_file_durably(to, "file", "x");
                    return true;
                });
            });
        }
    }
    EXPECT_EQ(copies, 1);
    EXPECT_EQ(read("data/_data/file"), "x");
}

TEST_F(VolumeStoreTest, WhatAPowerCutLeftHalfDoneIsFinishedOrUndone) {
    create("copying");
    create("moving");
    create("leaving");
    // A copy that was not complete; a complete one half of which had been moved; a removal after its first step.
    make_folders(AT_FDCWD, path("copying/_filling/sub"));
    make_folders(AT_FDCWD, path("moving/_filled/rest"));
    write("moving/_filled/one", "old");
    write("moving/_data/one", "new");
    fs::rename(path("leaving"), path(".removed-leaving-0011"));
    open();
    EXPECT_FALSE(fs::exists(path("copying/_filling")));
    EXPECT_TRUE(fs::is_empty(path("copying/_data")));
    EXPECT_TRUE(fs::is_directory(path("moving/_data/rest")));
    EXPECT_EQ(read("moving/_data/one"), "new") << "what a container wrote meanwhile stays";
    EXPECT_FALSE(fs::exists(path("moving/_filled")));
    EXPECT_FALSE(fs::exists(path(".removed-leaving-0011")));
    EXPECT_EQ(code_of([&] { (void)store->inspect("leaving"); }), Code::not_found);
    EXPECT_EQ(store->list().size(), 2u);
}

TEST_F(VolumeStoreTest, AFillWhoseFolderIsALinkTouchesNothingElse) {
    create("data");
    make_folders(AT_FDCWD, folder + "/outside");
    fs::remove(path("data/_data"));
    fs::create_directory_symlink(folder + "/outside", path("data/_data"));
    EXPECT_THROW(store->fill("data",
                             [](int to) {
                                 write_file_durably(to, "file", "x");
                                 return true;
                             }),
                 Error);
    EXPECT_TRUE(fs::is_empty(folder + "/outside"));
}

TEST_F(VolumeStoreTest, AFolderWithoutARecordIsDataAndComesBack) {
    create("data");
    write("data/_data/file", "precious");
    store.reset();
    database.reset();
    for (const char* more : {"", "-wal", "-shm"}) remove_tree(AT_FDCWD, folder + "/kedge.db" + more);
    make_folders(AT_FDCWD, path("by-hand/_data"));
    write_file_durably(AT_FDCWD, path("a file"), "no volume");
    open();
    EXPECT_EQ(store->inspect("data").mountpoint, path("data/_data"));
    EXPECT_EQ(read("data/_data/file"), "precious");
    EXPECT_NO_THROW((void)store->inspect("by-hand"));
    EXPECT_EQ(store->list().size(), 2u);
}

TEST_F(VolumeStoreTest, WhatIsNoFolderDoesNotKeepTheAgentFromStarting) {
    write("plain-file", "not a volume");
    write(".removed-odd", "nor a removal of one");
    fs::create_symlink("/etc", path("a-link"));
    ASSERT_NO_THROW(open());
    EXPECT_TRUE(store->list().empty());
    EXPECT_EQ(read("plain-file"), "not a volume");
    create("spoilt");
    remove_tree(AT_FDCWD, path("spoilt"));
    write("spoilt", "a file in a volume's place");
    ASSERT_NO_THROW(open());
    EXPECT_EQ(store->list().size(), 1u);
}

TEST_F(VolumeStoreTest, ARecordWithoutAFolderGetsOne) {
    create("data");
    remove_tree(AT_FDCWD, path("data"));
    open();
    EXPECT_TRUE(fs::is_directory(store->inspect("data").mountpoint));
}

TEST_F(VolumeStoreTest, EventsTellOfVolumes) {
    uint64_t from = events.next();
    create("data");
    create("data");
    store->remove("data", false);
    std::vector<std::string> told;
    (void)events.read(from, [&](const Event& e) { told.push_back(e.type + " " + e.action + " " + e.id); }, {});
    EXPECT_EQ(told, (std::vector<std::string>{"volume create data", "volume destroy data"}));
}

}  // namespace kedge::runtime

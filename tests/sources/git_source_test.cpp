#include "sources/git_source.h"

#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "tests/support/test_repository.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <map>
#include <memory>

using namespace kedge;
using namespace kedge::sources;
using kedge::test::TestRepository;

namespace {

/// A repository of the test's own, and a source that follows it.
struct Git : testing::Test {
    std::string folder = "/tmp/kedge-git-XXXXXX";
    std::unique_ptr<TestRepository> repository;

    void SetUp() override {
        ASSERT_NE(::mkdtemp(folder.data()), nullptr);
        repository = std::make_unique<TestRepository>(folder + "/origin.git");
    }
    void TearDown() override {
        repository.reset();
        remove_tree(AT_FDCWD, folder);
    }

    std::string push(const std::map<std::string, TestRepository::File>& files, const std::string& branch = "main",
                     bool force = false) {
        return repository->push(files, branch, force);
    }
    void tag(const std::string& name, const std::string& commit) { repository->tag(name, commit); }

    GitSettings settings() const {
        GitSettings made;
        made.name = "test";
        made.url = "file://" + folder + "/origin.git";
        return made;
    }
    std::string clone() const { return folder + "/clone"; }
    static std::string content(const std::string& tree, const std::string& name) {
        return read_file_at(AT_FDCWD, tree + "/" + name);
    }
    static std::string error_of(const std::function<void()>& work, Code code) {
        try {
            work();
        } catch (const Error& e) {
            EXPECT_EQ(e.code(), code) << e.what();
            return e.what();
        }
        ADD_FAILURE() << "no error";
        return "";
    }
};

}  // namespace

TEST_F(Git, ThePushedTreeIsCheckedOutWholeAndReadOnly) {
    std::string id = push({{"compose.yaml", {"services: {}"}},
                           {"run.sh", {"#!/bin/sh", GIT_FILEMODE_BLOB_EXECUTABLE}},
                           {"link", {"compose.yaml", GIT_FILEMODE_LINK}}});
    GitSource source(settings(), clone());
    Commit commit = source.fetch();
    EXPECT_EQ(commit.id, id);
    EXPECT_EQ(commit.ref, "refs/heads/main");
    EXPECT_EQ(commit.subject, "a change");
    EXPECT_EQ(commit.author, "Ann");
    std::string tree = source.checkout(id);
    EXPECT_EQ(content(tree, "compose.yaml"), "services: {}");
    EXPECT_EQ(content(tree, "link"), "services: {}");
    struct stat info {};
    ASSERT_EQ(::stat((tree + "/run.sh").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0555u);
    ASSERT_EQ(::stat((tree + "/compose.yaml").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0444u);
}

TEST_F(Git, ANewerCommitIsSeenAndTheOlderTreeStaysUntilItIsNotKept) {
    std::string first = push({{"a", {"1"}}});
    GitSource source(settings(), clone());
    source.fetch();
    std::string old_tree = source.checkout(first);
    std::string second = push({{"a", {"2"}}});
    EXPECT_EQ(source.fetch().id, second);
    EXPECT_EQ(content(source.checkout(second), "a"), "2");
    EXPECT_EQ(content(old_tree, "a"), "1");
    source.keep({second});
    EXPECT_NE(::access(old_tree.c_str(), F_OK), 0);
    EXPECT_EQ(content(source.checkout(first), "a"), "1") << "a tree can be made again from the clone";
}

TEST_F(Git, ATreeThatWasWrittenToIsMadeRightInPlaceBeforeItIsUsedAgain) {
    std::string id = push({{"compose.yaml", {"services: {}"}},
                           {"conf/a", {"1"}},
                           {"conf/b", {"2"}},
                           {"link", {"conf/a", GIT_FILEMODE_LINK}}});
    std::string tree;
    {
        GitSource source(settings(), clone());
        source.fetch();
        tree = source.checkout(id);
    }
    Fd mounted = open_at(AT_FDCWD, tree + "/conf", O_RDONLY | O_DIRECTORY);  // as a mount of a container holds it
    struct stat kept {};
    ASSERT_EQ(::fstatat(mounted.get(), "b", &kept, 0), 0);
    write_file_durably(AT_FDCWD, tree + "/compose.yaml", "services: {evil: {privileged: true}}", 0444);
    write_file_durably(AT_FDCWD, tree + "/conf/a", "9", 0444);  // as long as before
    write_file_durably(AT_FDCWD, tree + "/conf/more.yaml", "more");
    make_folders(AT_FDCWD, tree + "/hosts/deep");
    ASSERT_EQ(::unlink((tree + "/link").c_str()), 0);
    ASSERT_EQ(::symlink("/etc/passwd", (tree + "/link").c_str()), 0);
    ASSERT_EQ(::chmod((tree + "/conf").c_str(), 0777), 0);

    EXPECT_EQ(GitSource(settings(), clone()).checkout(id), tree);
    EXPECT_EQ(content(tree, "compose.yaml"), "services: {}");
    EXPECT_EQ(read_file_at(mounted.get(), "a"), "1") << "who has the folder mounted sees the right file again";
    EXPECT_NE(::access((tree + "/conf/more.yaml").c_str(), F_OK), 0);
    EXPECT_NE(::access((tree + "/hosts").c_str(), F_OK), 0);
    EXPECT_EQ(content(tree, "link"), "1");
    struct stat info {};
    ASSERT_EQ(::stat((tree + "/conf").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0755u);
    ASSERT_EQ(::stat((tree + "/compose.yaml").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0444u);
    ASSERT_EQ(::stat((tree + "/conf/b").c_str(), &info), 0);
    EXPECT_EQ(info.st_ino, kept.st_ino) << "what was right is not written again";
}

TEST_F(Git, AForcePushIsFollowed) {
    push({{"a", {"1"}}});
    GitSource source(settings(), clone());
    source.fetch();
    std::string rewritten = push({{"a", {"other history"}}}, "main", true);
    EXPECT_EQ(source.fetch().id, rewritten);
    EXPECT_EQ(content(source.checkout(rewritten), "a"), "other history");
}

TEST_F(Git, BranchTagCommitAndRangeAreFollowed) {
    std::string one = push({{"a", {"1"}}});
    std::string two = push({{"a", {"2"}}});
    std::string other = push({{"a", {"3"}}}, "other");
    tag("v1.2.0", one);
    tag("v1.10.0", two);
    tag("v2.0.0", other);
    auto fetched = [&](auto change) {
        GitSettings made = settings();
        change(made);
        return GitSource(made, clone()).fetch();
    };
    EXPECT_EQ(fetched([](GitSettings& s) { s.branch = "other"; }).id, other);
    EXPECT_EQ(fetched([](GitSettings& s) { s.tag = "v1.2.0"; }).id, one);
    EXPECT_EQ(fetched([&](GitSettings& s) { s.commit = one; }).id, one);
    Commit ranged = fetched([](GitSettings& s) { s.semver = "^1.2"; });
    EXPECT_EQ(ranged.id, two);
    EXPECT_EQ(ranged.ref, "refs/tags/v1.10.0");
}

TEST_F(Git, WhatIsNotThereIsNamed) {
    push({{"a", {"1"}}});
    auto message = [&](auto change) {
        GitSettings made = settings();
        change(made);
        return error_of([&] { GitSource(made, clone()).fetch(); }, Code::not_found);
    };
    EXPECT_NE(message([](GitSettings& s) { s.branch = "missing"; }).find("no branch missing"), std::string::npos);
    EXPECT_NE(message([](GitSettings& s) { s.tag = "v9"; }).find("no tag v9"), std::string::npos);
    EXPECT_NE(message([](GitSettings& s) { s.semver = "^9"; }).find("^9"), std::string::npos);
    EXPECT_NE(message([](GitSettings& s) { s.commit = std::string(40, '2'); }).find("2222"), std::string::npos);
    EXPECT_NE(message([](GitSettings& s) { s.url += "-missing"; }).find("-missing"), std::string::npos);
}

TEST_F(Git, UrlsThatMayNotBeUsedAreRefused) {
    for (const char* url : {"http://example.org/x.git", "http://127.0.0.1.example.org/x.git",
                            "http://127.evil.example/x.git", "ftp://example.org/x", "ext::sh -c id"}) {
        GitSettings made = settings();
        made.url = url;
        std::string message = error_of([&] { GitSource(made, clone()).fetch(); }, Code::invalid_argument);
        EXPECT_NE(message.find(url), std::string::npos);
    }
}

TEST_F(Git, SubmodulesLfsPointersAndTooLargeTreesAreRefusedAndLeaveNothing) {
    GitSource source(settings(), clone());
    auto refused = [&](const std::string& id) {
        source.fetch();
        std::string message = error_of([&] { source.checkout(id); }, Code::invalid_argument);
        EXPECT_NE(::access((clone() + "/trees/" + id).c_str(), F_OK), 0);
        EXPECT_NE(::access((clone() + "/trees/.tmp-" + id).c_str(), F_OK), 0);
        return message;
    };
    EXPECT_NE(refused(push({{"sub", {"", GIT_FILEMODE_COMMIT}}})).find("sub: is a submodule"), std::string::npos);
    EXPECT_NE(refused(push({{"big.bin", {"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"}}}))
                  .find("big.bin"),
              std::string::npos);
    GitSettings small = settings();
    small.size_limit = 1000;
    std::string id = push({{"a", {std::string(2000, 'x')}}});
    GitSource limited(small, folder + "/clone2");
    limited.fetch();
    EXPECT_NE(error_of([&] { limited.checkout(id); }, Code::invalid_argument).find("larger"), std::string::npos);
}

TEST_F(Git, ADamagedCloneIsSetAsideAndFetchedAgain) {
    std::string id = push({{"a", {"1"}}});
    GitSource source(settings(), clone());
    source.fetch();
    write_file_durably(AT_FDCWD, clone() + "/repository.git/HEAD", "nonsense");
    remove_tree(AT_FDCWD, clone() + "/repository.git/objects");
    EXPECT_EQ(source.fetch().id, id);
    EXPECT_EQ(content(source.checkout(id), "a"), "1");
}

TEST_F(Git, LocksThatAKillLeftDoNotStopTheSource) {
    push({{"a", {"1"}}});
    GitSource source(settings(), clone());
    source.fetch();
    std::string path = clone() + "/repository.git/";
    for (const char* name :
         {"refs/kedge/heads/main.lock", "packed-refs.lock", "HEAD.lock", "objects/pack/pack_git2_abc"}) {
        make_folders(AT_FDCWD, path + "objects/pack");
        write_file_durably(AT_FDCWD, path + name, "");
    }
    std::string id = push({{"a", {"2"}}});
    EXPECT_EQ(source.fetch().id, id);
    EXPECT_NE(::access((path + "objects/pack/pack_git2_abc").c_str(), F_OK), 0)
        << "an unfinished pack is as large as it likes";
}

TEST_F(Git, ACommitWhoseObjectsAreGoneIsFetchedAgainAndNotGivenUp) {
    std::string id = push({{"a", {"1"}}});
    GitSource source(settings(), clone());
    source.fetch();
    remove_tree(AT_FDCWD, clone() + "/repository.git/objects");
    make_folders(AT_FDCWD, clone() + "/repository.git/objects/pack");
    make_folders(AT_FDCWD, clone() + "/repository.git/objects/info");
    std::string message = error_of([&] { source.checkout(id); }, Code::unavailable);
    EXPECT_NE(message.find("will be fetched again"), std::string::npos) << message;
    EXPECT_EQ(source.fetch().id, id);
    EXPECT_EQ(content(source.checkout(id), "a"), "1");
}

TEST_F(Git, TheLastCommitIsRememberedByTheNextProcess) {
    std::string id = push({{"a", {"1"}}});
    EXPECT_FALSE(GitSource(settings(), clone()).last());
    GitSource(settings(), clone()).fetch();
    auto last = GitSource(settings(), clone()).last();
    ASSERT_TRUE(last);
    EXPECT_EQ(last->id, id);
}

TEST_F(Git, AStoppedFetchEndsAtOnce) {
    push({{"a", {"1"}}});
    GitSource source(settings(), clone());
    std::stop_source stop;
    stop.request_stop();
    (void)error_of([&] { source.fetch(stop.get_token()); }, Code::cancelled);
}

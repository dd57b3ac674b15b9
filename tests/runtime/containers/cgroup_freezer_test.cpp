#include "runtime/containers/cgroup_files.h"
#include "runtime/containers/cgroups.h"
#include "tests/runtime/containers/launch_fixture.h"

#include <sys/wait.h>

#include <fstream>

namespace kedge::runtime {
namespace {

/// A group of the machine's hierarchies of one version, with a process in it that counts in a pipe.
struct Frozen : testing::TestWithParam<bool> {
    void SetUp() override {
        const Cgroups all;
        std::vector<CgroupHierarchy> chosen;
        for (const CgroupHierarchy& h : all.hierarchies())
            if (h.v2 == GetParam()) chosen.push_back(h);
        groups.emplace(chosen);
        if (!can_freeze(chosen)) GTEST_SKIP() << "no freezer of cgroup v" << (GetParam() ? 2 : 1) << " on this machine";
        std::vector<std::string> warnings;
        groups->make(path, {}, {{'a', -1, -1, "rwm"}}, warnings);
        ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
        child = ::fork();
        if (child == 0) {
            for (const CgroupHierarchy& h : groups->hierarchies())
                std::ofstream(h.mount_point + "/" + path + "/cgroup.procs") << "0" << std::flush;
            while (true) {
                (void)!::write(ends[1], ".", 1);
                ::usleep(500);
            }
        }
        ASSERT_TRUE(counts());
    }
    void TearDown() override {
        if (child > 0) {
            groups->kill(path);
            (void)::waitpid(child, nullptr, 0);
            groups->remove(path);
        }
        groups->remove_parent(parent);
    }
    bool can_freeze(const std::vector<CgroupHierarchy>& chosen) const {
        return std::any_of(chosen.begin(), chosen.end(),
                           [](const CgroupHierarchy& h) { return h.v2 || h.has("freezer"); });
    }
    void drain() {
        char buffer[4096];
        while (::read(ends[0], buffer, sizeof buffer) > 0) {
        }
    }
    bool counts() {
        drain();
        return wait_readable(ends[0], 5000);
    }
    std::string parent = "kt" + std::to_string(::getpid()) + "-frozen", path = parent + "/group";
    std::optional<Cgroups> groups;
    int ends[2] = {-1, -1};
    pid_t child = 0;
};

}  // namespace

TEST_P(Frozen, ProcessesStandStillUntilTheyAreLetGo) {
    EXPECT_FALSE(groups->is_frozen(path));
    groups->freeze(path);
    EXPECT_TRUE(groups->is_frozen(path));
    drain();
    EXPECT_FALSE(wait_readable(ends[0], 100)) << "it goes on";
    groups->freeze(path);  // twice is fine
    groups->thaw(path);
    EXPECT_FALSE(groups->is_frozen(path));
    EXPECT_TRUE(counts());
    groups->thaw(path);
}

TEST_P(Frozen, ProcessesCanBeKilled) {
    groups->freeze(path);
    groups->kill(path);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status));
    child = 0;
    groups->remove(path);
}

TEST_P(Frozen, GroupsAreRemovedWithWhatIsInThem) {
    groups->freeze(path);
    // Reaped by somebody who waits for it, as a shim does: a group with a zombie in it is not empty.
    std::thread reaper([this] { (void)::waitpid(child, nullptr, 0); });
    EXPECT_NO_THROW(groups->remove(path));
    reaper.join();
    child = 0;
}

TEST_P(Frozen, GroupsThatAreNotThereAreAnError) {
    EXPECT_THROW(groups->freeze(parent + "/nosuch"), Error);
    EXPECT_FALSE(groups->is_frozen(parent + "/nosuch"));
    groups->thaw(parent + "/nosuch");
}

TEST(Cgroups, WhatIsDoneToAllOfAGroupIsNeverDoneToTheRootGroup) {
    const Cgroups groups({{"/nosuch/kedge-hierarchy", true, {"freezer"}}});
    for (const char* root : {"", "/", ".", "//."}) {
        EXPECT_THROW(groups.kill(root), Error) << root;
        EXPECT_THROW(groups.remove(root), Error) << root;
        EXPECT_THROW((void)groups.processes(root), Error) << root;
    }
}

TEST(Freezer, AMachineWithoutOneSaysSo) {
    Cgroups none(std::vector<CgroupHierarchy>{});
    try {
        none.freeze("x/y");
        FAIL();
    } catch (const Error& e) {
        EXPECT_NE(std::string(e.what()).find("has no freezer"), std::string::npos) << e.what();
    }
}

INSTANTIATE_TEST_SUITE_P(Versions, Frozen, testing::Bool(),
                         [](const auto& tested) { return tested.param ? "v2" : "v1"; });

}  // namespace kedge::runtime

#include "tests/runtime/engine_fixture.h"

#include <sys/wait.h>

namespace kedge::test {

namespace {

/// The errno with which another user of the machine fails to open this; 0 if it doesn't fail.
int refusal_for_others(const std::string& path) {
    pid_t child = ::fork();
    if (child == 0) {
        if (::syscall(SYS_setresgid, 65534, 65534, 65534) != 0 || ::syscall(SYS_setresuid, 65534, 65534, 65534) != 0)
            ::_exit(255);
        ::_exit(::open(path.c_str(), O_RDONLY | O_CLOEXEC) < 0 ? errno : 0);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WEXITSTATUS(status);
}

unsigned mode_of(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
    return info.st_mode & 07777;
}

}  // namespace

class Root : public EngineFixture {};

TEST_F(Root, OtherUsersOfTheMachineReachNothingBelowIt) {
    std::string id = run(shell("echo secret > /tmp/file; chmod 666 /tmp/file; echo ready; sleep 60"));
    ASSERT_TRUE(wait_for_log(id, "ready"));
    std::string in_upper = options.root + "/containers/" + id + "/upper/tmp/file";
    ASSERT_EQ(read_file_at(AT_FDCWD, in_upper), "secret\n");
    EXPECT_EQ(refusal_for_others(in_upper), EACCES);
    EXPECT_EQ(refusal_for_others(options.root + "/kedge.db"), EACCES);
    // The fixture made the folder with more rights, as an older kedge did.
    EXPECT_EQ(mode_of(options.root), 0700u);
}

TEST_F(Root, TheDatabaseIsItsOwnersAloneAlsoWhenItWasMadeWithMoreRights) {
    EXPECT_EQ(mode_of(options.root + "/kedge.db"), 0600u);
    EXPECT_EQ(mode_of(options.root + "/kedge.db-wal"), 0600u);
    close_engine();
    ASSERT_EQ(::chmod((options.root + "/kedge.db").c_str(), 0644), 0);
    open_engine();
    EXPECT_EQ(mode_of(options.root + "/kedge.db"), 0600u);
    EXPECT_EQ(mode_of(options.root + "/kedge.db-wal"), 0600u);
}

TEST_F(Root, ContainersUsersStillReachTheirFilesVolumesAndBinds) {
    make_folders(AT_FDCWD, options.root + "/sources/bound");
    runtime::ContainerSpec spec = shell("id -u && cat /etc/passwd > /v/copy && cat /b/file && cat /v/copy | wc -l");
    spec.user = "user";
    write_file_durably(AT_FDCWD, options.root + "/sources/bound/file", "bound\n");
    spec.mounts = {volume("data", "/v"), bind(options.root + "/sources/bound", "/b")};
    (void)run_to_end([&] {
        runtime::ContainerSpec open = shell("chmod 777 /v");
        open.mounts = {volume("data", "/v")};
        return open;
    }());
    std::string output;
    EXPECT_EQ(run_to_end(spec, &output), 0);
    EXPECT_EQ(output, "1000\nbound\n2\n");
}

TEST_F(Root, OnlyWhatRemovesItselfNeedsNotBeOnTheDisk) {
    auto options_of_root = [&](bool auto_remove) {
        runtime::ContainerSpec spec = shell("sleep 1000");
        spec.auto_remove = auto_remove;
        runtime::ExecSpec look;
        look.arguments = {"sh", "-c",
                          "while read -r what where rest; do [ $where = / ] && echo $rest; done < /proc/mounts"};
        return containers().exec(run(spec), look, std::chrono::seconds(10), 4096).output;
    };
    EXPECT_NE(options_of_root(true).find("volatile"), std::string::npos);
    std::string kept = options_of_root(false);
    EXPECT_NE(kept.find("upperdir="), std::string::npos) << kept;
    EXPECT_EQ(kept.find("volatile"), std::string::npos) << kept;
}

}  // namespace kedge::test

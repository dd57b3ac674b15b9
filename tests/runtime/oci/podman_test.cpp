#include "tests/runtime/oci/oci_fixture.h"

namespace kedge::oci {

/// Podman with kedge-oci as its runtime, where one is installed.
class PodmanTest : public OciTest {
protected:
    void SetUp() override {
        if (test::run({"/bin/sh", "-c", "command -v podman"}).code != 0) GTEST_SKIP() << "podman is not installed";
        OciTest::SetUp();
    }
    void TearDown() override {
        if (IsSkipped()) return;
        (void)podman({"rm", "-f", "-t", "0", "-a"});
        // The group above its containers, and the one of who watches them, is Podman's to leave.
        for (const std::string& folder : groups()) {
            (void)::rmdir((folder + "/conmon").c_str());
            (void)::rmdir(folder.c_str());
        }
        OciTest::TearDown();
    }

    test::Finished podman(const std::vector<std::string>& words) const {
        std::vector<std::string> all = {"podman",
                                        "--root",
                                        folder_ + "/podman",
                                        "--runroot",
                                        folder_ + "/run",
                                        "--tmpdir",
                                        folder_ + "/tmp",
                                        "--runtime",
                                        program(),
                                        "--storage-driver",
                                        "vfs",
                                        "--cgroup-manager",
                                        "cgroupfs",
                                        "--events-backend",
                                        "none",
                                        "--log-level",
                                        "error"};
        all.insert(all.end(), words.begin(), words.end());
        return test::run(all);
    }
    test::Finished start(const std::string& name, const std::string& command) const {
        return podman({"run", "-d", "--name", name, "--network", "none", "--cgroup-parent", "/" + group_, "--ulimit",
                       "nofile=1024:1024", "--ulimit", "nproc=1000:1000", "--rootfs", root_folder(), "/bin/sh", "-c",
                       command});
    }
};

TEST_F(PodmanTest, ContainersAndTheirCommandsEndAsTheySay) {
    ASSERT_EQ(start("a", "trap 'exit 5' TERM; while :; do sleep 0.1; done").code, 0);
    const test::Finished said = podman({"exec", "a", "/bin/sh", "-c", "echo out; id -u; exit 7"});
    EXPECT_EQ(said.code, 7);
    EXPECT_EQ(said.out, "out\n0\n");
    EXPECT_EQ(podman({"exec", "a", "/nosuch"}).code, 127);
    EXPECT_EQ(podman({"exec", "-u", "app", "a", "id", "-u"}).out, "1000\n");
    EXPECT_EQ(podman({"exec", "-d", "a", "/bin/sh", "-c", "echo x > /tmp/made"}).code, 0);
    EXPECT_EQ(podman({"exec", "a", "/bin/sh", "-c", "until [ -s /tmp/made ]; do sleep 0.05; done; cat /tmp/made"}).out,
              "x\n");
    EXPECT_EQ(podman({"pause", "a"}).code, 0);
    EXPECT_EQ(podman({"unpause", "a"}).code, 0);
    EXPECT_EQ(podman({"stop", "a"}).code, 0);
    EXPECT_EQ(podman({"inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", "a"}).out, "exited 5\n");
}

}  // namespace kedge::oci

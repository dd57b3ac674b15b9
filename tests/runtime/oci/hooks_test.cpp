#include "tests/runtime/oci/oci_fixture.h"

namespace kedge::oci {
namespace {

class HooksTest : public OciTest {
protected:
    std::string notes() const { return folder_ + "/notes"; }
    /// A program of the host's that writes what it was called with.
    Json hook(const std::string& text) const {
        return {{"path", "/bin/sh"}, {"args", {"sh", "-c", text}}, {"env", {"PATH=/bin:/usr/bin", "NOTES=" + notes()}}};
    }
    Json note(const std::string& name) const {
        return hook("s=$(cat); echo " + name + " $(echo \"$s\" | grep -o '\"status\":\"[a-z]*\"') >>$NOTES");
    }
};

TEST_F(HooksTest, TheyRunInTheirOrderWithTheStateOnTheirInput) {
    script("echo program >>/data/inside");
    config_["hooks"] = {
        {"prestart", {note("prestart-1"), note("prestart-2")}},
        {"createRuntime", {note("createRuntime")}},
        {"createContainer", {note("createContainer")}},
        {"startContainer",
         {{{"path", "/bin/sh"}, {"args", {"sh", "-c", "cat >/data/state; echo startContainer >>/data/inside"}}}}},
        {"poststart", {note("poststart")}},
        {"poststop", {note("poststop")}}};
    create();
    EXPECT_EQ(slurp(notes()),
              "prestart-1 \"status\":\"creating\"\nprestart-2 \"status\":\"creating\"\n"
              "createRuntime \"status\":\"creating\"\ncreateContainer \"status\":\"creating\"\n");
    EXPECT_FALSE(std::filesystem::exists(root_folder() + "/data/inside"));
    const int pid = state()["pid"];
    start();
    int code = 0;
    ASSERT_EQ(::waitpid(pid, &code, 0), pid);
    EXPECT_EQ(slurp(root_folder() + "/data/inside"), "startContainer\nprogram\n");
    Json given = Json::parse(slurp(root_folder() + "/data/state"));
    EXPECT_EQ(given["status"], "created");
    EXPECT_EQ(given["pid"], 1) << "as the container sees it";
    EXPECT_EQ(given["id"], "c");
    EXPECT_TRUE(slurp(notes()).ends_with("poststart \"status\":\"running\"\n"));
    EXPECT_EQ(oci({"delete", "c"}).code, 0);
    EXPECT_TRUE(slurp(notes()).ends_with("poststop \"status\":\"stopped\"\n")) << slurp(notes());
}

TEST_F(HooksTest, TheyRunInTheirNamespaces) {
    config_["hostname"] = "inside";
    const std::string look = " /proc/self/mountinfo >>$NOTES";
    config_["hooks"]["createRuntime"] = {
        hook("hostname >>$NOTES; grep -c ' " + root_folder() + " '" + look + "; true")};
    config_["hooks"]["createContainer"] = {hook("hostname >>$NOTES; grep -c ' " + root_folder() + "/proc '" + look +
                                                "; echo seen >" + root_folder() + "/dev/shm/by-hook")};
    script("cat /dev/shm/by-hook >/data/out");
    create();
    std::istringstream lines(slurp(notes()));
    std::string outside, mounts_outside, inside, mounts_inside;
    lines >> outside >> mounts_outside >> inside >> mounts_inside;
    EXPECT_NE(outside, "inside");
    EXPECT_EQ(mounts_outside, "0") << "the mount namespace isn't the host's";
    EXPECT_EQ(inside, "inside");
    EXPECT_EQ(mounts_inside, "1") << "before the root was changed, with everything mounted";
    start();
    (void)await_exit();
    EXPECT_EQ(slurp(root_folder() + "/data/out"), "seen\n");
}

TEST_F(HooksTest, HooksInTheContainerMayDoNoMoreThanItsProcess) {
    config_["process"]["user"] = {{"uid", 1000}, {"gid", 1000}};
    config_["process"]["capabilities"] = Json::object();
    std::filesystem::permissions(root_folder() + "/data", std::filesystem::perms::all);
    config_["hooks"] = {{"startContainer",
                         {{{"path", "/bin/sh"},
                           {"args", {"sh", "-c", "id -u >/data/who; grep CapEff /proc/self/status >>/data/who"}}}}}};
    create();
    start();
    EXPECT_EQ(slurp(root_folder() + "/data/who"), "1000\nCapEff:\t0000000000000000\n");
}

TEST_F(HooksTest, OneThatFailsEndsTheContainer) {
    for (const char* name : {"prestart", "createRuntime", "createContainer"}) {
        config_["hooks"] = {{name, {hook("echo it is broken >&2; exit 3")}}, {"poststop", {note("poststop")}}};
        std::filesystem::remove(notes());
        const std::string said = refusal();
        EXPECT_NE(said.find(std::string("hooks.") + name + "[0]: /bin/sh: exit status 3: it is broken"),
                  std::string::npos)
            << said;
        EXPECT_EQ(slurp(notes()), "poststop \"status\":\"stopped\"\n");
    }
    for (const char* name : {"startContainer", "poststart"}) {
        config_["hooks"] = {{name, {{{"path", "/bin/false"}}}}, {"poststop", {note("poststop")}}};
        std::filesystem::remove(notes());
        create();
        test::Finished refused = oci({"start", "c"});
        EXPECT_NE(refused.code, 0);
        EXPECT_NE(refused.out.find(std::string("hooks.") + name + "[0]"), std::string::npos) << refused.out;
        EXPECT_TRUE(ids().empty()) << "it is destroyed";
        EXPECT_EQ(slurp(notes()), "poststop \"status\":\"stopped\"\n");
    }
}

TEST_F(HooksTest, AFailedPoststopIsAWarning) {
    config_["hooks"] = {{"poststop", {{{"path", "/nosuch"}}, note("second")}}};
    create();
    test::Finished deleted = oci({"delete", "--force", "c"});
    EXPECT_EQ(deleted.code, 0) << deleted.out;
    EXPECT_NE(deleted.out.find("warning: config.json: hooks.poststop[0]"), std::string::npos) << deleted.out;
    EXPECT_EQ(slurp(notes()), "second \"status\":\"stopped\"\n");
}

TEST_F(HooksTest, OneThatTakesTooLongIsEnded) {
    for (const char* name : {"createRuntime", "createContainer"}) {
        config_["hooks"] = {{name, {{{"path", "/bin/busybox"}, {"args", {"sleep", "1000"}}, {"timeout", 1}}}}};
        EXPECT_NE(refusal().find("has not ended in 1 s"), std::string::npos);
    }
}

}  // namespace
}  // namespace kedge::oci

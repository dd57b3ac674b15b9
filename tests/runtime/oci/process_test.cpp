#include "tests/runtime/oci/oci_fixture.h"
#include "tests/support/passed_descriptor.h"

#include <sys/socket.h>
#include <sys/un.h>

namespace kedge::oci {
namespace {

TEST_F(OciTest, TheProcessIsAsItWasAskedFor) {
    config_["process"]["user"] = {{"uid", 1000}, {"gid", 1001}, {"additionalGids", {5, 6}}, {"umask", 027}};
    config_["process"]["cwd"] = "/made/folder";
    config_["process"]["oomScoreAdj"] = 123;
    config_["process"]["rlimits"] = {{{"type", "RLIMIT_NOFILE"}, {"soft", 100}, {"hard", 200}}};
    config_["hostname"] = "one";
    config_["domainname"] = "two";
    EXPECT_EQ(print("id -u; id -g; id -G; umask; pwd; cat /proc/self/oom_score_adj; ulimit -Sn; ulimit -Hn; hostname; "
                    "cat /proc/sys/kernel/domainname; echo $HOME"),
              "1000\n1001\n1001 5 6\n0027\n/made/folder\n123\n100\n200\none\ntwo\n/home/app\n");
}

TEST_F(OciTest, CapabilitiesAreTheGivenSets) {
    config_["process"]["user"] = {{"uid", 1000}, {"gid", 1000}};
    config_["process"]["noNewPrivileges"] = false;
    config_["process"]["capabilities"] = {{"bounding", {"CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"}},
                                          {"permitted", {"CAP_KILL", "CAP_NET_RAW"}},
                                          {"effective", {"CAP_KILL", "CAP_NET_RAW"}},
                                          {"inheritable", {"CAP_KILL", "CAP_NET_RAW"}},
                                          {"ambient", {"CAP_KILL"}}};
    EXPECT_EQ(print("grep Cap /proc/self/status"),
              "CapInh:\t0000000000002020\nCapPrm:\t0000000000000020\nCapEff:\t0000000000000020\n"
              "CapBnd:\t0000000000002021\nCapAmb:\t0000000000000020\n");
}

TEST_F(OciTest, UnknownCapabilitiesAreWarnings) {
    config_["process"]["capabilities"]["bounding"] = {"CAP_NOSUCH", "CAP_KILL"};
    script("echo ran");
    test::Finished finished = run();
    EXPECT_EQ(finished.code, 0);
    EXPECT_NE(finished.out.find("CAP_NOSUCH is not known"), std::string::npos) << finished.out;
    EXPECT_NE(finished.out.find("ran"), std::string::npos);
}

TEST_F(OciTest, NoNewPrivilegesAndTheFilterAreInForce) {
    config_["process"]["noNewPrivileges"] = true;
    config_["linux"]["seccomp"] = {{"defaultAction", "SCMP_ACT_ALLOW"},
                                   {"architectures", {"SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"}},
                                   {"flags", {"SECCOMP_FILTER_FLAG_LOG"}},
                                   {"syscalls",
                                    {{{"names", {"mkdir", "mkdirat"}}, {"action", "SCMP_ACT_ERRNO"}, {"errnoRet", 28}},
                                     {{"names", {"chmod", "fchmodat"}},
                                      {"action", "SCMP_ACT_ERRNO"},
                                      {"args", {{{"index", 1}, {"value", 0700}, {"op", "SCMP_CMP_EQ"}}}}}}}};
    config_["linux"]["seccomp"]["architectures"] = {sizeof(long) == 8 ? "SCMP_ARCH_X86_64" : "SCMP_ARCH_X86"};
    const std::string said =
        print("grep NoNewPrivs /proc/self/status; grep ^Seccomp: /proc/self/status; mkdir /x 2>&1; true");
    EXPECT_EQ(said, "NoNewPrivs:\t1\nSeccomp:\t2\nmkdir: can't create directory '/x': No space left on device\n");
}

TEST_F(OciTest, PlacesOnTheProcessorAreTheGivenOnes) {
    config_["process"]["scheduler"] = {{"policy", "SCHED_BATCH"}, {"nice", 5}};
    config_["process"]["ioPriority"] = {{"class", "IOPRIO_CLASS_IDLE"}, {"priority", 0}};
    config_["linux"]["personality"] = {{"domain", "LINUX32"}};
    const std::string said = print("cut -d ' ' -f 19,41 /proc/self/stat; uname -m");
    EXPECT_TRUE(said.starts_with("5 3\n")) << said;
    EXPECT_EQ(said.find("x86_64"), std::string::npos) << said;
}

TEST_F(OciTest, SysctlsAreSet) {
    config_["linux"]["sysctl"] = {{"net.ipv4.ip_forward", "1"}, {"kernel.shmmni", "99"}};
    EXPECT_EQ(print("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmni"), "1\n99\n");
}

TEST_F(OciTest, DescriptorsAreHandedOn) {
    write_config();
    script("cat <&3; cat <&4");
    write_config();
    std::ofstream(folder_ + "/three") << "three\n";
    std::ofstream(folder_ + "/four") << "four\n";
    const std::string command = "exec 3<" + folder_ + "/three 4<" + folder_ + "/four; exec " + program() + " --root " +
                                states() + " run --preserve-fds 2 --bundle " + bundle() + " c";
    EXPECT_EQ(test::run({"/bin/sh", "-c", command}).out, "three\nfour\n");
    script("ls /proc/self/fd | wc -l");
    write_config();
    const std::string none =
        "exec 3<" + folder_ + "/three; exec " + program() + " --root " + states() + " run --bundle " + bundle() + " c";
    EXPECT_EQ(test::run({"/bin/sh", "-c", none}).out, "4\n") << "0, 1, 2 and the listing's own";
}

TEST_F(OciTest, ATerminalGoesToTheConsoleSocket) {
    config_["process"]["terminal"] = true;
    config_["process"]["consoleSize"] = {{"height", 33}, {"width", 44}};
    script("tty; stty size; ls -l /dev/console | cut -c1; read line; echo got $line");
    const std::string path = folder_ + "/console";
    Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof address.sun_path, "%s", path.c_str());
    ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(listener.get(), 1), 0);
    write_config();
    test::Finished made = oci({"create", "--console-socket", path, "--bundle", bundle(), "c"});
    ASSERT_EQ(made.code, 0) << made.out;
    Fd socket(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const Fd terminal = test::receive_descriptor(socket.get()).fd;
    ASSERT_TRUE(terminal);
    start();
    ASSERT_EQ(::write(terminal.get(), "hello\n", 6), 6);
    std::string said;
    char buffer[4096];
    for (ssize_t n; (n = ::read(terminal.get(), buffer, sizeof buffer)) > 0;)
        said.append(buffer, static_cast<size_t>(n));
    // What was typed is shown wherever it comes in between.
    for (const char* line : {"33 44\r\n", "\nc\r\n"}) EXPECT_NE(said.find(line), std::string::npos) << said;
    EXPECT_NE(said.find("got hello"), std::string::npos) << said;
}

}  // namespace
}  // namespace kedge::oci

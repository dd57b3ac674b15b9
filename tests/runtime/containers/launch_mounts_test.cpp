#include "tests/runtime/containers/launch_fixture.h"

namespace kedge::runtime {

TEST_F(LaunchTest, MountsAreWhereAndAsTheyWereAskedFor) {
    std::string data = root_ + "/data";
    make_folders(AT_FDCWD, data);
    std::ofstream(data + "/file") << "hello\n";
    LaunchRequest r =
        shell("m",
              "cat /rw/file /ro/file /one; echo new >/rw/new; echo no 2>/dev/null >/ro/new || echo read-only; "
              "grep ' /small ' /proc/mounts; echo x >/small/f && cat /small/f; stat -c %a /small");
    r.mounts = {bind(data, "/rw"), bind(data, "/ro", true), bind(data + "/file", "/one", true)};
    Mount small;
    small.type = Mount::Type::tmpfs;
    small.target = "/small";
    small.tmpfs_size = 65536;
    small.tmpfs_mode = 0750;
    r.mounts.push_back(small);
    run(r);
    std::string out = output("m");
    EXPECT_TRUE(out.starts_with("hello\nhello\nhello\nread-only\n")) << out;
    EXPECT_NE(out.find("size=64k"), std::string::npos) << out;
    EXPECT_NE(out.find("x\n750\n"), std::string::npos) << out;
    EXPECT_EQ(slurp(data + "/new"), "new\n");
}

TEST_F(LaunchTest, AReadOnlyBindIsReadOnlyInWhatIsMountedBelowIt) {
    // /dev/shm is a mount of its own below /dev on the host.
    LaunchRequest r = shell("b",
                            "touch /hostdev/x 2>&1 | grep -c Read-only; for d in shm pts mqueue; do [ -d /hostdev/$d ] "
                            "&& touch /hostdev/$d/kedge-x 2>&1 | grep -c Read-only; done; true");
    r.mounts = {bind("/dev", "/hostdev", true)};
    run(r);
    EXPECT_EQ(output("b").find("0"), std::string::npos) << output("b");
    EXPECT_TRUE(output("b").starts_with("1\n"));
}

TEST_F(LaunchTest, AReadOnlyRootCanBeReadOnly) {
    LaunchRequest r = shell("r", "touch /x 2>&1 | grep -c Read-only; touch /dev/shm/x /data/x && echo ok");
    r.spec.read_only = true;
    make_folders(AT_FDCWD, root_ + "/data");
    r.mounts = {bind(root_ + "/data", "/data")};
    run(r);
    EXPECT_EQ(output("r"), "1\nok\n");
}

TEST_F(LaunchTest, WhatTheKernelShowsOfTheMachineIsMasked) {
    EXPECT_EQ(print("k1",
                    "head -c 1 /proc/kcore 2>/dev/null | grep -c .; ls /sys/firmware | grep -c .; cat /proc/keys "
                    "/proc/timer_list 2>/dev/null | grep -c ."),
              "0\n0\n0\n");
    EXPECT_EQ(print("k2",
                    "(echo 1 >/proc/sys/kernel/panic) 2>&1 | grep -c Read-only; for p in bus fs irq sys; do grep -c \" "
                    "/proc/$p proc ro\" /proc/mounts; done; "
                    "touch /sys/x 2>&1 | grep -c Read-only; mkdir /sys/fs/cgroup/x 2>&1 | grep -c Read-only"),
              "1\n1\n1\n1\n1\n1\n1\n");
}

TEST_F(LaunchTest, DevHasWhatProgramsExpect) {
    EXPECT_EQ(print("d",
                    "cd /dev; ls | tr '\\n' ' '; for l in fd stdin stdout stderr core ptmx; do readlink $l; done | tr "
                    "'\\n' ' '; stat -c '%n %a %t:%T' null zero full random urandom tty | tr '\\n' ' '"),
              "core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero "
              "/proc/self/fd /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/kcore pts/ptmx "
              "null 666 1:3 zero 666 1:5 full 666 1:7 random 666 1:8 urandom 666 1:9 tty 666 5:0 ");
    EXPECT_EQ(print("s", "grep -c ' /dev/shm tmpfs .*size=65536k' /proc/mounts; grep -c '^overlay / ' /proc/mounts"),
              "1\n1\n");
    EXPECT_NE(print("g", "ls /sys/fs/cgroup; cat /proc/self/cgroup | grep -v ':/$'"), "");
    EXPECT_EQ(output("g").find(instance_), std::string::npos) << "the host's cgroup paths can be seen: " << output("g");
}

TEST_F(LaunchTest, LinksInTheImageDontLeadMountsOutOfIt) {
    std::string outside = root_ + "/outside", data = root_ + "/data";
    make_folders(AT_FDCWD, outside);
    make_folders(AT_FDCWD, data);
    std::ofstream(data + "/here") << "here\n";
    std::filesystem::create_symlink(outside, layer_ + "/absolute");
    std::filesystem::create_symlink("../../../../../../../.." + outside, layer_ + "/climbing");
    std::filesystem::create_symlink("nowhere/at/all", layer_ + "/dangling");
    std::filesystem::create_symlink("/loop2", layer_ + "/loop1");
    std::filesystem::create_symlink("/loop1", layer_ + "/loop2");
    LaunchRequest r = shell("h1", "cat /absolute/a/here /climbing/b/here /nowhere/at/all/here");
    r.mounts = {bind(data, "/absolute/a"), bind(data, "/climbing/b"), bind(data, "/dangling")};
    run(r);
    EXPECT_EQ(output("h1"), "here\nhere\nhere\n");
    EXPECT_TRUE(std::filesystem::is_empty(outside)) << "a folder was made outside of the container";
    r = request("h2", {"true"});
    r.mounts = {bind(data, "/loop1/x")};
    EXPECT_EQ(refusal(r), "mount target /loop1/x is a symbolic link in the image: not allowed");
}

TEST_F(LaunchTest, ProcCantBeMountedOver) {
    make_folders(AT_FDCWD, root_ + "/data");
    std::filesystem::create_symlink("/proc/sys", layer_ + "/innocent");
    std::filesystem::create_symlink("/proc/self/fd", layer_ + "/fds");
    for (const char* target : {"/proc/sys", "/innocent", "/fds"}) {
        LaunchRequest r = request("p", {"true"});
        r.mounts = {bind(root_ + "/data", target)};
        EXPECT_NE(refusal(r).find("lies in /proc"), std::string::npos) << target;
    }
    LaunchRequest r = request("q", {"true"});
    r.mounts = {bind(root_ + "/data", "/proc")};
    EXPECT_EQ(refusal(r), "invalid mount: destination can't be '/proc'");
    r.mounts = {bind(root_ + "/data", "/x/..")};
    EXPECT_EQ(refusal(r), "invalid mount: destination can't be '/'");
}

TEST_F(LaunchTest, AnImageWhoseProcIsALinkIsRefused) {
    std::string hostile = root_ + "/layers/hostile/fs";
    make_folders(AT_FDCWD, hostile + "/elsewhere");
    std::filesystem::create_symlink("elsewhere", hostile + "/proc");
    LaunchRequest r = request("z", {"true"});
    r.layers = {hostile, layer_};
    EXPECT_EQ(refusal(r), "mount target /proc is a symbolic link in the image: not allowed");
}

TEST_F(LaunchTest, AWorkingDirectoryCantLeadToTheHost) {
    std::filesystem::create_symlink("/proc/self/fd/7", layer_ + "/wd");
    for (const char* folder : {"/proc/self/fd/3", "/proc/self/fd/7/../..", "/wd"}) {
        LaunchRequest r = request("w", {"true"});
        r.working_dir = folder;
        EXPECT_NE(refusal(r).find("chdir to cwd"), std::string::npos) << folder;
    }
}

TEST_F(LaunchTest, NetworkFilesComeFromTheContainersFolder) {
    LaunchRequest r = shell("f", "cat /etc/hosts /etc/hostname /etc/resolv.conf");
    for (const char* name : {"hosts", "hostname", "resolv.conf"})
        std::ofstream(r.container_folder + "/" + name) << name << "\n";
    std::filesystem::create_symlink("../run/systemd/resolve/stub-resolv.conf", layer_ + "/etc/resolv.conf");
    run(r);
    EXPECT_EQ(output("f"), "hosts\nhostname\nresolv.conf\n");
}

TEST_F(LaunchTest, NetworkFilesAreReadOnlyWhereTheRootIs) {
    for (bool read_only : {true, false}) {
        const std::string id = read_only ? "ro" : "rw";
        LaunchRequest r = shell(id,
                                "for f in hosts hostname resolv.conf; do echo more 2>/dev/null >>/etc/$f && echo "
                                "written || echo refused; done");
        r.spec.read_only = read_only;
        for (const char* name : {"hosts", "hostname", "resolv.conf"})
            std::ofstream(r.container_folder + "/" + name) << name << "\n";
        run(r);
        EXPECT_EQ(output(id), read_only ? "refused\nrefused\nrefused\n" : "written\nwritten\nwritten\n");
        EXPECT_EQ(slurp(r.container_folder + "/hosts"), read_only ? "hosts\n" : "hosts\nmore\n");
    }
}

TEST_F(LaunchTest, WhatIsMountedOverTheCgroupTreeTakesItsPlace) {
    std::string data = root_ + "/data";
    make_folders(AT_FDCWD, data);
    std::ofstream(data + "/mine") << "mine\n";
    LaunchRequest bound = shell("bound", "ls /sys/fs/cgroup; grep -c ' /sys/fs/cgroup' /proc/mounts");
    bound.mounts = {bind(data, "/sys/fs/cgroup", true)};
    run(bound);
    EXPECT_EQ(output("bound"), "mine\n1\n");
    LaunchRequest empty = shell("empty", "echo x >/sys/fs/cgroup/f; ls /sys/fs/cgroup; rm /sys/fs/cgroup/f");
    empty.spec.privileged = true;
    Mount tmpfs;
    tmpfs.type = Mount::Type::tmpfs;
    tmpfs.target = "/sys/fs/cgroup";
    empty.mounts = {tmpfs};
    run(empty);
    EXPECT_EQ(output("empty"), "f\n");
    LaunchRequest host = shell("host", "ls /sys/fs/cgroup");
    host.mounts = {bind("/sys/fs/cgroup", "/sys/fs/cgroup", true)};
    EXPECT_EQ(run(host).exit_code, 0);
    EXPECT_FALSE(output("host").empty());
}

TEST_F(LaunchTest, OneGroupOfTheCgroupTreeCanBeMountedOver) {
    std::string data = root_ + "/data", group;
    make_folders(AT_FDCWD, data);
    std::ofstream(data + "/mine") << "mine\n";
    for (const auto& entry : std::filesystem::directory_iterator("/sys/fs/cgroup"))
        if (entry.is_directory() && !entry.is_symlink()) group = entry.path();
    if (std::filesystem::exists("/sys/fs/cgroup/cgroup.procs")) group = "/sys/fs/cgroup";  // one tree for all
    LaunchRequest r = shell("g", "ls " + group);
    r.mounts = {bind(data, group, true)};
    run(r);
    EXPECT_EQ(output("g"), "mine\n");
}

TEST_F(LaunchTest, NetworkFilesAreInWhatIsMountedAtEtcToo) {
    std::string data = root_ + "/data";
    make_folders(AT_FDCWD, data);
    auto with_files = [&](const std::string& id, Mount etc) {
        LaunchRequest r = shell(id, "cat /etc/hosts /etc/hostname /etc/resolv.conf");
        for (const char* name : {"hosts", "hostname", "resolv.conf"})
            std::ofstream(r.container_folder + "/" + name) << name << "\n";
        r.mounts.push_back(std::move(etc));
        return r;
    };
    Mount tmpfs;
    tmpfs.type = Mount::Type::tmpfs;
    tmpfs.target = "/etc";
    run(with_files("t", tmpfs));
    EXPECT_EQ(output("t"), "hosts\nhostname\nresolv.conf\n");
    const std::string said = refusal(with_files("r", bind(data, "/etc", true)));
    EXPECT_NE(said.find("mount target /etc/hosts: read-only file system"), std::string::npos) << said;
    run(with_files("b", bind(data, "/etc")));
    EXPECT_EQ(output("b"), "hosts\nhostname\nresolv.conf\n");
    run(with_files("r2", bind(data, "/etc", true)));  // the files to mount on are there now
    EXPECT_EQ(output("r2"), "hosts\nhostname\nresolv.conf\n");
    LaunchRequest own = with_files("own", bind(data, "/etc"));
    std::ofstream(root_ + "/mine") << "mine\n";
    own.mounts.push_back(bind(root_ + "/mine", "/etc/hosts"));
    run(own);
    EXPECT_EQ(output("own"), "mine\nhostname\nresolv.conf\n");
}

TEST_F(LaunchTest, ATmpfsHasTheModeOfTheFolderThatItCovers) {
    make_folders(AT_FDCWD, layer_ + "/priv");
    ASSERT_EQ(::chmod((layer_ + "/priv").c_str(), 0710), 0);
    ASSERT_EQ(::chmod((layer_ + "/tmp").c_str(), 01770), 0);
    std::filesystem::create_symlink("priv", layer_ + "/link");
    std::string data = root_ + "/data";
    make_folders(AT_FDCWD, data);
    auto tmpfs = [](const std::string& target, std::optional<uint32_t> mode = {}) {
        Mount mount;
        mount.type = Mount::Type::tmpfs;
        mount.target = target;
        mount.tmpfs_mode = mode;
        return mount;
    };
    LaunchRequest r = shell("m", "stat -c %a:%u /priv /tmp /new/er /data/x");
    r.mounts = {tmpfs("/priv"), tmpfs("/tmp"), tmpfs("/new/er"), bind(data, "/data"), tmpfs("/data/x")};
    run(r);
    EXPECT_EQ(output("m"), "710:0\n1770:0\n1777:0\n1777:0\n");
    struct stat info {};
    ASSERT_EQ(::stat((data + "/x").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0755u) << "the folder that is made on the host is not for everybody";
    ASSERT_EQ(::stat((r.container_folder + "/upper/new/er").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 01777u) << "it would be another at the next start";
    LaunchRequest given = shell("given", "stat -c %a /priv /tmp");
    given.mounts = {tmpfs("/priv", 01777), tmpfs("/tmp", 0)};
    run(given);
    EXPECT_EQ(output("given"), "1777\n0\n");
    LaunchRequest link = shell("link", "stat -c %a /priv");
    link.mounts = {tmpfs("/link")};
    run(link);
    EXPECT_EQ(output("link"), "710\n");
}

TEST_F(LaunchTest, ATmpfsIsMountedWithTheLastOfItsOptions) {
    Mount mount;
    mount.type = Mount::Type::tmpfs;
    mount.target = "/t";
    int number = 0;
    auto mounted = [&](const std::vector<std::string>& options) {
        const std::string id = "o" + std::to_string(number++);
        LaunchRequest r = shell(id, "grep -o ' /t .*' /proc/self/mountinfo");
        mount.tmpfs_options = options;
        r.mounts = {mount};
        run(r);
        return output(id);
    };
    const std::string usual = " /t rw,nosuid,nodev,noexec,relatime - tmpfs ";
    EXPECT_EQ(mounted({}).substr(0, usual.size()), usual);
    for (const char* same : {"defaults", "atime", "relatime", "norelatime", "nostrictatime", "diratime", "async",
                             "nomand", "private", "rprivate", "slave", "rslave"})
        EXPECT_EQ(mounted({same}).substr(0, usual.size()), usual) << same;
    const struct {
        std::vector<std::string> options;
        const char* has;
    } cases[] = {{{"exec", "noexec"}, ",noexec,"},
                 {{"noexec", "exec"}, "rw,nosuid,nodev,relatime "},
                 {{"suid", "nosuid", "dev"}, "rw,nosuid,noexec,"},
                 {{"ro"}, " ro,"},
                 {{"ro", "rw"}, " rw,"},
                 {{"noatime"}, ",noatime "},
                 {{"noatime", "atime"}, ",relatime "},
                 {{"strictatime"}, "nosuid,nodev,noexec - "},
                 {{"strictatime", "nodiratime", "relatime"}, ",nodiratime,relatime "},
                 {{"sync"}, "rw,sync"},
                 {{"sync", "async", "dirsync"}, "rw,dirsync"},
                 {{"size=25%"}, ",size="},  // half of the memory is what there is without it
                 {{"nr_inodes=1k"}, "nr_inodes=1024"},
                 {{"nr_blocks=5k"}, "size=20480k"},
                 {{"shared"}, " shared:"},
                 {{"shared", "unbindable"}, " unbindable "}};
    for (const auto& [options, has] : cases) {
        const std::string said = mounted(options);
        EXPECT_NE(said.find(has), std::string::npos) << options.front() << ": " << said;
    }
    const std::pair<const char*, const char*> wrong[] = {{"huge=always", "huge"},
                                                         {"fast", "fast"},
                                                         {"bind", "bind"},
                                                         {"sync=1", "sync"},
                                                         {"", ""},
                                                         {"=", ""},
                                                         {"uid=abc", "uid=abc"},
                                                         {"uid=", "uid="},
                                                         {"uid", "uid"},
                                                         {"mpol=", "mpol="},
                                                         {"mpol=A", "mpol=A"},
                                                         {"size=%", "size=%"},
                                                         {"nr_inodes=k", "nr_inodes=k"}};
    for (const auto& [option, named] : wrong) {
        mount.tmpfs_options = {option};
        LaunchRequest r = request("bad", {"true"});
        r.mounts = {mount};
        EXPECT_EQ(refusal(r), std::string("invalid tmpfs option \"") + named + "\"");
    }
}

}  // namespace kedge::runtime

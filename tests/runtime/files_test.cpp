// The files of containers: runtime/container_files.h.
#include "base/piped.h"
#include "base/tar/tar_reader.h"
#include "tests/runtime/outside_fixture.h"

#include <filesystem>
#include <future>
#include <map>

using namespace kedge;
using namespace kedge::runtime;

namespace {

struct Files : test::OutsideFixture {
    ContainerFiles& files() { return engine->files(); }

    std::string bytes(const FileArchive& archive) {
        std::string text;
        archive.write(
            [&](std::string_view piece) {
                text += piece;
                return true;
            },
            {});
        return text;
    }
    /// Names and contents; of folders and links the kind and target.
    static std::map<std::string, std::string> content(const std::string& tar) {
        std::map<std::string, std::string> all;
        bool given = false;
        TarReader reader([&] { return std::exchange(given, true) ? std::string_view() : std::string_view(tar); });
        TarEntry entry;
        while (reader.next(entry)) {
            std::string& text = all[entry.path];
            if (entry.type == TarEntry::Type::folder) text = "folder";
            if (entry.type == TarEntry::Type::symlink) text = ">" + entry.link;
            std::string_view piece;
            int64_t offset = 0;
            while (reader.data(piece, offset)) text += piece;
        }
        return all;
    }
    std::map<std::string, std::string> read(const std::string& id, const std::string& path) {
        return content(bytes(files().read(id, path)));
    }
    void write(const std::string& id, const std::string& path, const std::string& tar, ExtractOptions how = {}) {
        Fd file = test::memory_file(tar);
        files().write(
            id, path, [&] { return file.get(); }, how);
    }
    static std::string one_file(const std::string& name, const std::string& data, unsigned uid = 0) {
        test::TarWriter tar;
        tar.file(name, data, 0644, uid, uid);
        return tar.finish();
    }
    bool host_sees_mounts() const {
        std::string mounts = read_file_at(AT_FDCWD, "/proc/self/mountinfo");
        return mounts.find(instance) != std::string::npos;
    }
};

using Content = std::map<std::string, std::string>;

}  // namespace

TEST_F(Files, OfAContainerAreThereBeforeDuringAndAfterItsRun) {
    ContainerSpec spec = shell("echo up; while ! test -e /tmp/end; do sleep 0.05; done; rm /tmp/end");
    spec.mounts = {volume("data", "/data")};
    std::string id = containers().create(spec);
    auto try_all = [&](const std::string& name) {
        write(id, "/data", one_file(name, name));
        write(id, "/root", one_file(name, name));
        EXPECT_EQ(read(id, "/data/" + name), (Content{{name, name}}));
        EXPECT_EQ(read(id, "/root")["root/" + name], name);
        EXPECT_EQ(files().stat(id, "/root/" + name).size, static_cast<int64_t>(name.size()));
        EXPECT_FALSE(host_sees_mounts());
    };
    try_all("before");
    containers().start(id);
    ASSERT_TRUE(wait_for_log(id, "up"));
    EXPECT_EQ(exec(id, "cat /data/before /root/before").output, "beforebefore");
    try_all("during");
    EXPECT_EQ(exec(id, "cat /data/during /root/during").output, "duringduring");
    write(id, "/tmp", one_file("end", ""));
    EXPECT_EQ(containers().wait(id), 0);
    try_all("after");
    EXPECT_EQ(entries(engine->volumes().inspect("data").mountpoint),
              (std::vector<std::string>{"after", "before", "during"}));
}

TEST_F(Files, AreSeenAsARunningContainerHasMountedThem) {
    ContainerSpec spec = shell("mount -t tmpfs none /root && echo own > /root/mounted; echo up; sleep 1000");
    spec.cap_add = {"SYS_ADMIN"};
    spec.security_opt = {"seccomp=unconfined"};
    Mount tmpfs;
    tmpfs.type = Mount::Type::tmpfs;
    tmpfs.target = "/data";
    spec.mounts = {tmpfs};
    std::string id = run(spec);
    ASSERT_TRUE(wait_for_log(id, "up"));
    EXPECT_EQ(read(id, "/root/mounted")["mounted"], "own\n");
    write(id, "/data", one_file("file", "x"));
    EXPECT_EQ(exec(id, "cat /data/file").output, "x");
}

TEST_F(Files, AreNamedAsDockerNamesThem) {
    import("links", test::busybox_tar([](test::TarWriter& tar) {
               tar.file("data/one", "1");
    tar.folder("data/sub");
    tar.file("data/sub/two", "2");
    tar.link("data/link", "sub");
    tar.link("data/absolute", "/data/sub");
    tar.link("data/dangling", "../nosuch");
}));
ContainerSpec spec = shell("true");
spec.image = "links";
std::string id = containers().create(spec);
EXPECT_EQ(read(id, "/data/sub"), (Content{{"sub/", "folder"}, {"sub/two", "2"}}));
EXPECT_EQ(read(id, "data/sub/"), (Content{{"sub/", "folder"}, {"sub/two", "2"}}));
EXPECT_EQ(read(id, "/data/sub/."), (Content{{"./", "folder"}, {"./two", "2"}}));
EXPECT_EQ(read(id, "/data/link"), (Content{{"link", ">sub"}}));
EXPECT_EQ(read(id, "/data/link/"), (Content{{"link/", "folder"}, {"link/two", "2"}}));
EXPECT_TRUE(read(id, "/").contains("/data/one"));
EXPECT_EQ(files().stat(id, "/data/absolute").link_target, "/data/sub");
EXPECT_EQ(files().stat(id, "/data/dangling").link_target, "/nosuch");
EXPECT_EQ(files().stat(id, "/data/link/").link_target, "");
EXPECT_EQ(files().stat(id, "/").name, "/");
for (const char* missing : {"/nosuch", "/data/nosuch/x", "/data/dangling/"}) {
    Code code = Code::internal;
    EXPECT_EQ(refusal([&] { files().read(id, missing); }, &code),
              std::string("Could not find the file ") + missing + " in container " + id);
    EXPECT_EQ(code, Code::not_found);
}
EXPECT_EQ(code_of([&] { write(id, "/nosuch", one_file("x", "")); }), Code::not_found);
EXPECT_EQ(refusal([&] { write(id, "/data/one", one_file("x", "")); }), "extraction point is not a directory");
EXPECT_EQ(code_of([&] { files().stat(id, ""); }), Code::invalid_argument);
EXPECT_EQ(code_of([&] { files().read("nosuch", "/"); }), Code::not_found);
}

TEST_F(Files, AreNotWrittenWhereTheContainerMayNotWrite) {
    ContainerSpec spec = shell("sleep 1000");
    spec.read_only = true;
    make_folders(AT_FDCWD, folder + "/source");
    Mount writable = volume("open", "/data");
    spec.mounts = {bind(folder + "/source", "/var", true), writable};
    std::string id = containers().create(spec);
    for (bool running : {false, true}) {
        if (running) containers().start(id);
        Code code = Code::internal;
        EXPECT_EQ(refusal([&] { write(id, "/root", one_file("x", "")); }, &code),
                  "container rootfs is marked read-only");
        EXPECT_EQ(code, Code::permission_denied);
        EXPECT_EQ(refusal([&] { write(id, "/var", one_file("x", "")); }), "mounted volume is marked read-only");
        write(id, "/data", one_file("x", "1"));
        EXPECT_EQ(read(id, "/data/x")["x"], "1");
    }
    EXPECT_EQ(entries(folder + "/source"), std::vector<std::string>{});
}

TEST_F(Files, OfTheKernelAreNoFiles) {
    std::string id = run(shell("sleep 1000"));
    for (const char* path : {"/proc", "/proc/version", "/sys", "/sys/kernel/.", "/dev/pts"}) {
        EXPECT_NE(refusal([&] { files().read(id, path); }).find("it can't be copied"), std::string::npos) << path;
    }
    EXPECT_NE(refusal([&] { write(id, "/proc", one_file("x", "")); }).find("it can't be copied"), std::string::npos);
    EXPECT_NE(refusal([&] { write(id, "/", one_file("proc/sys/kernel/hostname", "x")); }).find("can be copied there"),
              std::string::npos);
    auto all = read(id, "/");
    EXPECT_EQ(all["/proc/"], "folder");
    EXPECT_FALSE(all.contains("/proc/version"));
    EXPECT_TRUE(all.contains("/dev/null"));
}

TEST_F(Files, BehindLinksAreThoseInsideTheContainer) {
    std::string id =
        run(shell("ln -s " + outside + " /data/out; ln -s ../../../../../../../.." + outside +
                  " /data/up; ln -s /proc/self/root /data/magic; ln -s /proc/1/cwd /data/cwd; ln -s " + outside +
                  "/secret /data/file; mkdir /data/sub; ln -s " + outside + " /data/sub/deep; echo ready; sleep 1000"));
    ASSERT_TRUE(wait_for_log(id, "ready"));
    auto attempt = [&] {
        for (const char* path : {"/data/out/secret", "/data/up/secret", "/data/out/", "/data/up/.", "/data/file/"}) {
            EXPECT_EQ(code_of([&] { files().read(id, path); }), Code::not_found) << path;
        }
        for (const char* path : {"/data/magic/", "/data/cwd/", "/data/magic/etc/passwd"})
            EXPECT_NE(refusal([&] { files().read(id, path); }), "") << path;
        for (const auto& [name, text] : read(id, "/data"))
            EXPECT_EQ(text.find("of the host"), std::string::npos) << name;
        for (const char* path : {"/data/out", "/data/up", "/data/magic", "/data/cwd", "/data/file"})
            EXPECT_NE(refusal([&] { write(id, path, one_file("made", "x")); }), "") << path;
        for (const char* name : {"out/made", "up/made", "magic/made", "sub/deep/made"})
            EXPECT_NE(refusal([&] { write(id, "/data", one_file(name, "x")); }), "") << name;
        write(id, "/data", one_file("file", "x"));
        EXPECT_EQ(read(id, "/data/file")["file"], "x");
    };
    attempt();
    EXPECT_EQ(exec(id, "rm /data/file; ln -s " + outside + "/secret /data/file").exit_code, 0);
    containers().kill(id);
    containers().wait(id);
    attempt();
}

TEST_F(Files, ThatAreSwappedForLinksWhileTheyAreCopiedLeadNowhereElse) {
    // The same name is in turn a folder, a link to a folder of the host's and one that climbs.
    std::string id =
        run(shell("mkdir -p /data/x /data/real; echo mine > /data/real/secret; echo mine > /data/x/secret; "
                  "echo ready; cd /data; while :; do mv x y 2>/dev/null; ln -s " +
                  outside + " x; rm x; ln -s ../../../../../../.." + outside + " x; rm x; mv y x; done"));
    ASSERT_TRUE(wait_for_log(id, "ready"));
    int copied = 0;
    for (int round = 0; round < 100; ++round) {
        for (const char* path : {"/data/x/secret", "/data/x/", "/data"}) {
            try {
                for (const auto& [name, text] : read(id, path)) {
                    copied += text == "mine\n";
                    ASSERT_EQ(text.find("of the host"), std::string::npos) << path << ": " << name;
                }
            } catch (const Error&) {
                // at that moment there was nothing to copy
            }
        }
        for (const auto& [path, name] : {std::pair{"/data/x", "made"}, std::pair{"/data", "x/made"}}) {
            try {
                write(id, path, one_file(name, "x"));
            } catch (const Error&) {
                // nor a place
            }
        }
    }
    EXPECT_GT(copied, 0);
}

TEST_F(Files, ThatComeFromATarBelongToWhomTheTarSaysOrToTheContainersUser) {
    ContainerSpec spec = shell("sleep 1000");
    spec.user = "user";
    std::string id = run(spec);
    write(id, "/tmp", one_file("given", "x", 4242));
    write(id, "/tmp", one_file("own", "x", 4242), {.as_own_user = true});
    EXPECT_EQ(exec(id, "stat -c %u:%g /tmp/given /tmp/own").output, "4242:4242\n1000:1000\n");
    ContainerSpec unknown = shell("true");
    unknown.user = "nobody-knows";
    std::string other = containers().create(unknown);
    EXPECT_NE(refusal([&] { write(other, "/tmp", one_file("x", ""), {.as_own_user = true}); }).find("nobody-knows"),
              std::string::npos);
}

TEST_F(Files, ASlowReaderKeepsNobodyFromStartingOrRemovingTheContainer) {
    std::string id = containers().create(shell("sleep 1000"));
    FileArchive archive = files().read(id, "/bin/busybox");
    size_t taken = 0;
    archive.write(
        [&](std::string_view piece) {
            if (taken == 0) {
                containers().start(id);
                containers().remove(id, {.force = true});
            }
            taken += piece.size();
            return true;
        },
        {});
    EXPECT_GT(taken, 100'000u);
    EXPECT_EQ(code_of([&] { files().read(id, "/"); }), Code::not_found);
}

TEST_F(Files, NobodyStartsAContainerInTheMiddleOfACopyIntoIt) {
    std::string id = containers().create(shell("cat /data/file"));
    std::promise<void> started;
    std::jthread start;
    auto fill = [&](const Piped::Write& write) {
        start = std::jthread([&] {
            containers().start(id);
            started.set_value();
        });
        (void)started.get_future().wait_for(std::chrono::milliseconds(300));  // time to do what it must not
        write(one_file("file", "whole"));
    };
    std::optional<Piped> archive;
    files().write(id, "/data", [&] { return archive.emplace(fill).read_end(); }, {});
    archive->finish();
    start.join();
    EXPECT_EQ(containers().wait(id), 0);
    EXPECT_EQ(log_of(id), "whole");
}

TEST_F(Files, AGivenUpCopyIsCancelled) {
    std::string id = containers().create(shell("true"));
    EXPECT_EQ(code_of([&] { files().export_root(id).write([](std::string_view) { return false; }, {}); }),
              Code::cancelled);
    std::stop_source stop;
    stop.request_stop();
    EXPECT_EQ(code_of([&] { files().export_root(id).write([](std::string_view) { return true; }, stop.get_token()); }),
              Code::cancelled);
}

TEST_F(Files, AnExportHasTheRootWithoutWhatIsMountedThere) {
    ContainerSpec spec = shell("echo own > /root/own; echo in > /data/in; echo up; sleep 1000");
    spec.mounts = {volume("data", "/data")};
    std::string id = run(spec);
    ASSERT_TRUE(wait_for_log(id, "up"));
    for (bool running : {true, false}) {
        auto all = content(bytes(files().export_root(id)));
        EXPECT_EQ(all["root/own"], "own\n");
        EXPECT_EQ(all["data/"], "folder");
        EXPECT_FALSE(all.contains("data/in"));
        EXPECT_FALSE(all.contains("dev/null"));
        EXPECT_FALSE(all.contains("/"));
        if (running) {
            containers().kill(id);
            containers().wait(id);
        }
    }
    // Which is a root file system again.
    import("exported", bytes(files().export_root(id)), {"CMD [\"cat\", \"/root/own\"]"});
    ContainerSpec again;
    again.image = "exported";
    std::string output;
    EXPECT_EQ(run_to_end(again, &output), 0);
    EXPECT_EQ(output, "own\n");
}

namespace {

CommitOptions named(const std::string& reference, std::vector<std::string> changes = {}) {
    CommitOptions options;
    options.reference = reference;
    options.changes = std::move(changes);
    return options;
}

std::string listed(const std::vector<FileChange>& changes) {
    std::string text;
    for (const FileChange& change : changes)
        text += std::string(1, "CAD"[static_cast<int>(change.kind)]) + " " + change.path + "\n";
    return text;
}

}  // namespace

TEST_F(Files, ChangesAreWhatDiffersFromTheImage) {
    import("base", test::busybox_tar([](test::TarWriter& tar) {
               tar.file("data/one", "1");
    tar.file("data/two", "2");
    tar.folder("data/sub");
    tar.file("data/sub/old", "o");
    tar.file("data/sub/kept", "k");
    tar.folder("gone");
    tar.file("gone/deep", "d");
    tar.link("turned", "data");
}));
ContainerSpec spec = shell(
    "rm -r /data/sub; mkdir /data/sub; echo n > /data/sub/new; echo k > /data/sub/kept; rm /data/one; "
    "touch /data/two; chmod 700 /root; mkdir -p /tmp/a/b; rm -r /gone; rm /turned; mkdir /turned; touch /turned/in; "
    "touch /etc/passwd; touch /var");
spec.image = "base";
spec.mounts = {volume("vol", "/srv")};
std::string id = containers().create(spec);
EXPECT_EQ(listed(files().changes(id)), "");
containers().start(id);
EXPECT_EQ(containers().wait(id), 0);
EXPECT_EQ(listed(files().changes(id)),
          "C /data\nD /data/one\nC /data/sub\nC /data/sub/kept\nA /data/sub/new\nD /data/sub/old\nC /data/two\n"
          "C /etc\nC /etc/passwd\nD /gone\nC /root\nA /srv\nC /tmp\nA /tmp/a\nA /tmp/a/b\nC /turned\n"
          "A /turned/in\n");
EXPECT_EQ(code_of([&] { files().changes("nosuch"); }), Code::not_found);
}

TEST_F(Files, ACommitIsAnImageThatGoesOnFromThere) {
    import("base", test::busybox_tar([](test::TarWriter& tar) {
               tar.file("data/old", "o");
    tar.folder("data/replaced");
    tar.file("data/replaced/hidden", "h");
}),
           {"ENV FROM=image", "WORKDIR /tmp", "EXPOSE 80", "CMD [\"sh\"]", "LABEL a=b"});
ContainerSpec spec = shell(
    "rm /data/old; rm -r /data/replaced; mkdir /data/replaced; echo n > /data/new; echo v > /srv/in; "
    "ln /data/new /data/second; chown 5:6 /data/second; echo up; sleep 1000");
spec.image = "base";
spec.environment = {"OWN=1", "FROM=container"};
spec.mounts = {volume("vol", "/srv")};
std::string id = run(spec);
ASSERT_TRUE(wait_for_log(id, "up"));
CommitOptions wanted = named(
    "made:1", {"CMD [\"ls\", \"/data\", \"/srv\", \"/data/replaced\"]", "ENV MORE=x", "EXPOSE 81/udp", "LABEL c=d"});
wanted.author = "me";
wanted.message = "why";
ImageInfo image = files().commit(id, wanted);
EXPECT_EQ(image.tags, std::vector<std::string>{"made:1"});
EXPECT_EQ(image.diff_ids.size(), 2u);
EXPECT_EQ(image.config.environment, (std::vector<std::string>{"OWN=1", "FROM=container", "MORE=x"}));
EXPECT_EQ(image.config.working_dir, "/tmp");
EXPECT_EQ(image.config.exposed_ports, (std::vector<std::string>{"80/tcp", "81/udp"}));
EXPECT_EQ(image.config.labels, (std::map<std::string, std::string>{{"a", "b"}, {"c", "d"}}));
EXPECT_NE(image.config_json.find("\"author\":\"me\""), std::string::npos);
EXPECT_NE(image.config_json.find("\"comment\":\"why\""), std::string::npos);
ContainerSpec again;
again.image = "made:1";
std::string output;
EXPECT_EQ(run_to_end(again, &output), 0);
EXPECT_EQ(output, "/data:\nnew\nreplaced\nsecond\n\n/data/replaced:\n\n/srv:\n");
ContainerSpec look = shell("stat -c %u:%g:%h /data/new");
look.image = "made:1";
EXPECT_EQ(run_to_end(look, &output), 0);
EXPECT_EQ(output, "5:6:2\n");
EXPECT_EQ(containers().inspect(id).status, Status::running);
}

TEST_F(Files, ARunningContainerStandsStillDuringACommitUnlessItMayNot) {
    std::string id = run(shell("while true; do sleep 0.01; done"));
    auto actions = [&](bool pause) {
        CommitOptions wanted;
        wanted.pause = pause;
        uint64_t from = engine->events().next();
        (void)files().commit(id, wanted);
        std::string seen;
        engine->events().read(
            from,
            [&](const Event& event) {
                if (event.type == "container") seen += event.action + " ";
            },
            {}, std::chrono::steady_clock::now());
        return seen;
    };
    EXPECT_EQ(actions(true), "pause unpause commit ");
    EXPECT_EQ(containers().inspect(id).status, Status::running);
    EXPECT_EQ(actions(false), "commit ");
    containers().pause(id);
    EXPECT_EQ(actions(true), "commit ");
    EXPECT_EQ(containers().inspect(id).status, Status::paused) << "it was somebody else who paused it";
    containers().unpause(id);
    CommitOptions bad;
    bad.changes = {"RUN x"};
    EXPECT_THROW((void)files().commit(id, bad), Error);
    EXPECT_EQ(containers().inspect(id).status, Status::running);
}

TEST_F(Files, ACommitOfNothingAddsNoLayer) {
    std::string id = run(shell("true"));
    containers().wait(id);
    ImageInfo image = files().commit(id, CommitOptions{});
    EXPECT_EQ(image.diff_ids, engine->images().get("busybox").diff_ids);
    EXPECT_NE(image.id, engine->images().get("busybox").id);
    EXPECT_EQ(image.tags, std::vector<std::string>{});
    EXPECT_NE(image.config_json.find("\"empty_layer\":true"), std::string::npos);
    EXPECT_EQ(image.config.command, (std::vector<std::string>{"sh", "-c", "true"}));
}

TEST_F(Files, ACommitThatCanNotBeLeavesNothing) {
    std::string id = run(shell("touch /data/x"));
    containers().wait(id);
    size_t before = engine->images().list().size();
    std::vector<std::string> blobs = entries(options.root + "/images/blobs/sha256");
    EXPECT_EQ(code_of([&] { files().commit(id, named("Not A Name")); }), Code::invalid_argument);
    EXPECT_EQ(code_of([&] { files().commit(id, named("x:1", {"RUN true"})); }), Code::invalid_argument);
    EXPECT_EQ(code_of([&] { files().commit("nosuch", CommitOptions{}); }), Code::not_found);
    write_file_durably(AT_FDCWD, options.root + "/containers/" + id + "/upper/.wh.own", "x");
    EXPECT_NE(refusal([&] { files().commit(id, CommitOptions{}); }).find(".wh.own can't be part of a layer"),
              std::string::npos);
    EXPECT_EQ(engine->images().list().size(), before);
    EXPECT_EQ(entries(options.root + "/images/blobs/sha256"), blobs);
}

TEST_F(Files, ABindThatIsGoneFromTheHostKeepsNobodyFromTheRest) {
    make_folders(AT_FDCWD, folder + "/gone", 0755);
    ContainerSpec spec = shell("true");
    spec.mounts = {bind(folder + "/gone", "/mnt"), volume("vol", "/srv")};
    const std::string id = containers().create(spec);
    remove_tree(AT_FDCWD, folder + "/gone");
    EXPECT_EQ(engine->files().stat(id, "/etc/passwd").name, "passwd");
    EXPECT_EQ(engine->files().stat(id, "/srv").name, "srv");
    EXPECT_NE(refusal([&] { containers().start(id); }).find("bind source path does not exist"), std::string::npos);
}

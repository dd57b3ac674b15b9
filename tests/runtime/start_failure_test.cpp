#include "tests/runtime/engine_fixture.h"

#include <netinet/in.h>

using namespace kedge;
using namespace kedge::runtime;

namespace {

struct StartFailure : test::EngineFixture {
    /// Starts what can't be started and checks that only the container is left of it, as it was.
    std::string failure(const ContainerSpec& spec, int exit_code, Code expected = Code::invalid_argument) {
        std::string id = containers().create(spec);
        Code code = Code::internal;
        std::string what = refusal([&] { containers().start(id); }, &code);
        EXPECT_EQ(code, expected) << what;
        ContainerInfo info = containers().inspect(id);
        EXPECT_EQ(info.status, Status::created);
        EXPECT_EQ(info.exit_code, exit_code) << what;
        EXPECT_EQ(info.error, what);
        EXPECT_EQ(info.pid, 0);
        EXPECT_EQ(info.started, WallTime{});
        EXPECT_TRUE(info.ports.empty());
        for (const auto& endpoint : info.endpoints) EXPECT_EQ(endpoint.ip, "");
        EXPECT_TRUE(entries(options.run + "/containers").empty()) << "a run folder is left";
        EXPECT_TRUE(children().empty()) << "a process is left";
        EXPECT_EQ(containers().wait(id), exit_code) << "nothing to wait for";
        containers().remove(id);
        return what;
    }

    ContainerSpec command(std::vector<std::string> arguments) {
        ContainerSpec spec;
        spec.image = "busybox";
        spec.command = std::move(arguments);
        return spec;
    }
};

/// A listening socket on a free port of every address.
struct Listener {
    Listener() : socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) throw_errno("bind");
        if (::listen(socket.get(), 1) != 0) throw_errno("listen");
        socklen_t size = sizeof address;
        (void)::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
        port = ntohs(address.sin_port);
    }
    Fd socket;
    uint16_t port = 0;
};

}  // namespace

TEST_F(StartFailure, ACommandThatIsNotThereHasDockersWordsAndCode) {
    EXPECT_EQ(failure(command({"nosuch"}), 127), "exec: \"nosuch\": executable file not found in $PATH");
    EXPECT_EQ(failure(command({"/no/such"}), 127), "exec: \"/no/such\": no such file or directory");
    EXPECT_EQ(failure(command({"/etc/passwd"}), 126), "exec: \"/etc/passwd\": permission denied");
    EXPECT_EQ(failure(command({"/etc"}), 126), "exec: \"/etc\": is a directory: permission denied");
}

TEST_F(StartFailure, AnInterpreterThatIsNotThereIsToldWithTheScriptsName) {
    import("scripts", test::busybox_tar([](test::TarWriter& tar) {
               tar.file("bin/broken", "#!/no/interpreter\n", 0755);
    tar.file("bin/plain", "echo no magic\n", 0755);
    tar.file("bin/empty", "", 0755);
}));
ContainerSpec spec = command({"/bin/broken"});
spec.image = "scripts";
EXPECT_EQ(failure(spec, 127), "exec: \"/bin/broken\": no such file or directory");
spec.command = std::vector<std::string>{"/bin/plain"};
EXPECT_EQ(failure(spec, 126), "exec: \"/bin/plain\": exec format error");
spec.command = std::vector<std::string>{"empty"};
EXPECT_EQ(failure(spec, 126), "exec: \"empty\": exec format error");
}

TEST_F(StartFailure, AUserThatIsNotThereIsTold) {
    ContainerSpec spec = shell("true");
    spec.user = "nobodyhere";
    EXPECT_EQ(failure(spec, 128), "unable to find user nobodyhere: no matching entries in passwd file");
    spec.user = "root:nogroup";
    EXPECT_EQ(failure(spec, 128), "unable to find group nogroup: no matching entries in group file");
}

TEST_F(StartFailure, AWorkingDirectoryThatIsNotThereIsMade) {
    ContainerSpec spec = shell("pwd; stat -c %a .");
    spec.working_dir = "/deep/in/nowhere";
    std::string output;
    EXPECT_EQ(run_to_end(spec, &output), 0);
    EXPECT_EQ(output, "/deep/in/nowhere\n755\n");
    spec.working_dir = "/etc/passwd";
    EXPECT_EQ(failure(spec, 128), "chdir to cwd (\"/etc/passwd\") set in config.json failed: not a directory");
}

TEST_F(StartFailure, ABindSourceThatWentAwayIsTold) {
    make_folders(AT_FDCWD, folder + "/source");
    ContainerSpec spec = shell("cat /mnt/file");
    spec.mounts = {bind(folder + "/source", "/mnt")};
    std::string id = containers().create(spec);
    remove_tree(AT_FDCWD, folder + "/source");
    Code code = Code::internal;
    EXPECT_EQ(refusal([&] { containers().start(id); }, &code),
              "invalid mount config for type \"bind\": bind source path does not exist: " + folder + "/source");
    EXPECT_EQ(code, Code::invalid_argument);
    EXPECT_EQ(::access((folder + "/source").c_str(), F_OK), -1) << "it must not be made";
    make_folders(AT_FDCWD, folder + "/source");
    write_file_durably(AT_FDCWD, folder + "/source/file", "back\n");
    containers().start(id);
    EXPECT_EQ(containers().wait(id), 0);
    EXPECT_EQ(log_of(id), "back\n");
    EXPECT_EQ(containers().inspect(id).error, "") << "a start that went well forgets the one that didn't";
}

TEST_F(StartFailure, ABindSourceThatMayBeMadeIsMadeAgainByEveryStart) {
    ContainerSpec spec = shell("echo x > /mnt/file");
    spec.mounts = {bind(folder + "/made/here", "/mnt")};
    spec.mounts[0].create_host_path = true;
    std::string id = containers().create(spec);
    remove_tree(AT_FDCWD, folder + "/made");  // such as one below /run, after a reboot
    containers().start(id);
    EXPECT_EQ(containers().wait(id), 0);
    EXPECT_EQ(read_file_at(AT_FDCWD, folder + "/made/here/file"), "x\n");
}

TEST_F(StartFailure, APortInUseIsAConflictAndLeavesNothingBehind) {
    make_network("front");
    Listener listener;
    ContainerSpec spec = shell("sleep 100");
    spec.networks = {on("front")};
    PortBinding port;
    port.host_port = listener.port;
    port.container_port = 80;
    spec.ports = {port};
    std::string what = failure(spec, 128, Code::conflict);
    EXPECT_NE(what.find("driver failed programming external connectivity on endpoint"), std::string::npos) << what;
    EXPECT_NE(what.find("port is already allocated"), std::string::npos) << what;
    EXPECT_TRUE(engine->networks().inspect("front").containers.empty()) << "its address is still held";
    listener.socket.reset();
    std::string id = run(spec);
    EXPECT_EQ(containers().inspect(id).ports.size(), 2u) << "over both families";
    std::string second = containers().create(spec);
    EXPECT_EQ(code_of([&] { containers().start(second); }), Code::conflict) << "another container has it";
    EXPECT_EQ(containers().inspect(id).status, Status::running);
    containers().remove(id, {.force = true});
    EXPECT_NO_THROW(containers().start(second));
}

TEST_F(StartFailure, AFixedAddressInUseIsToldAndGivenBack) {
    make_network("front");
    ContainerSpec spec = shell("sleep 100");
    NetworkAttachment fixed = on("front");
    fixed.ip = "172.28.0.77";
    spec.networks = {fixed};
    std::string first = run(spec);
    EXPECT_EQ(containers().inspect(first).endpoints.at(0).ip, "172.28.0.77");
    std::string second = containers().create(spec);
    EXPECT_NE(refusal([&] { containers().start(second); }).find("172.28.0.77"), std::string::npos);
    containers().remove(first, {.force = true});
    EXPECT_NO_THROW(containers().start(second));
    containers().remove(second, {.force = true});
    fixed.ip = "10.9.8.7";
    spec.networks = {fixed};
    EXPECT_NE(refusal([&] { (void)containers().create(spec); }).find("10.9.8.7"), std::string::npos);
}

TEST_F(StartFailure, ANetworkThatWentAwayIsTold) {
    make_network("front");
    ContainerSpec spec = shell("true");
    spec.networks = {on("front")};
    std::string id = containers().create(spec);
    engine->networks().remove("front");
    Code code = Code::internal;
    EXPECT_EQ(refusal([&] { containers().start(id); }, &code), "network front not found");
    EXPECT_EQ(code, Code::not_found);
    make_network("front");
    containers().start(id);
    EXPECT_EQ(containers().wait(id), 0);
}

TEST_F(StartFailure, WhatRanBeforeStaysExitedWithTheNewError) {
    ContainerSpec spec = shell("exit 3");
    make_folders(AT_FDCWD, folder + "/source");
    spec.mounts = {bind(folder + "/source", "/mnt")};
    std::string id = run(spec);
    EXPECT_EQ(containers().wait(id), 3);
    remove_tree(AT_FDCWD, folder + "/source");
    EXPECT_THROW(containers().start(id), Error);
    ContainerInfo info = containers().inspect(id);
    EXPECT_EQ(info.status, Status::exited);
    EXPECT_EQ(info.exit_code, 128);
    EXPECT_NE(info.error, "");
}

TEST_F(StartFailure, AContainerThatRemovesItselfIsGoneWhenItCantStart) {
    ContainerSpec spec = command({"nosuch"});
    spec.auto_remove = true;
    std::string id = containers().create(spec);
    EXPECT_THROW(containers().start(id), Error);
    EXPECT_EQ(code_of([&] { containers().inspect(id); }), Code::not_found);
}

TEST_F(StartFailure, AFailedStartIsNotRepeatedByItsPolicy) {
    ContainerSpec spec = command({"nosuch"});
    spec.restart.name = RestartPolicy::Name::always;
    EXPECT_NE(failure(spec, 127), "");
}

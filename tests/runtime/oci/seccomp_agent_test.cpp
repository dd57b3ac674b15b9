#include "tests/runtime/oci/oci_fixture.h"
#include "tests/support/passed_descriptor.h"

#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <thread>

namespace kedge::oci {
namespace {

/// Decides about calls for the processes that it is told of: each fails with EXDEV.
class SeccompAgent {
public:
    explicit SeccompAgent(const std::string& path) : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::snprintf(address.sun_path, sizeof address.sun_path, "%s", path.c_str());
        EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        EXPECT_EQ(::listen(listener_.get(), 1), 0);
    }

    /// Serves one process, of which it is told `told`, for so many calls; in the end `decided` are.
    void serve(int calls) {
        Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        const test::PassedDescriptor passed = test::receive_descriptor(socket.get());
        told = Json::parse(passed.text, nullptr, false);
        const Fd& notifications = passed.fd;
        ASSERT_TRUE(notifications);
        for (; calls > 0; --calls) {
            pollfd ready{notifications.get(), POLLIN, 0};
            if (::poll(&ready, 1, 10000) != 1 || !(ready.revents & POLLIN)) return;
            seccomp_notif call{};
            if (::ioctl(notifications.get(), SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) return;
            seccomp_notif_resp answer{};
            answer.id = call.id;
            answer.error = -EXDEV;
            if (::ioctl(notifications.get(), SECCOMP_IOCTL_NOTIF_SEND, &answer) == 0) ++decided;
        }
    }

    Json told;
    int decided = 0;

private:
    Fd listener_;
};

Json notifying(const std::string& path) {
    return {{"defaultAction", "SCMP_ACT_ALLOW"},
            {"listenerPath", path},
            {"listenerMetadata", "of the test"},
            {"flags", {"SECCOMP_FILTER_FLAG_TSYNC"}},
            {"syscalls", {{{"names", {"mkdir", "mkdirat"}}, {"action", "SCMP_ACT_NOTIFY"}}}}};
}

}  // namespace

TEST_F(OciTest, AnAgentDecidesAboutCallsOfTheProcess) {
    const std::string path = folder_ + "/agent";
    SeccompAgent agent(path);
    config_["linux"]["seccomp"] = notifying(path);
    config_["annotations"] = {{"a", "b"}};
    script("mkdir /data/one 2>&1; mkdir /data/two 2>&1; echo went on");
    std::jthread serving([&] { agent.serve(2); });
    const test::Finished finished = run();
    serving.join();
    EXPECT_EQ(finished.out,
              "mkdir: can't create directory '/data/one': Invalid cross-device link\n"
              "mkdir: can't create directory '/data/two': Invalid cross-device link\nwent on\n");
    EXPECT_EQ(agent.decided, 2);
    EXPECT_EQ(agent.told["fds"], Json({"seccompFd"}));
    EXPECT_EQ(agent.told["metadata"], "of the test");
    EXPECT_EQ(agent.told["state"]["id"], "c");
    EXPECT_EQ(agent.told["state"]["annotations"]["a"], "b");
    EXPECT_GT(agent.told["pid"].get<int>(), 1);
}

TEST_F(OciTest, AnAgentIsToldOfWhatIsExecuted) {
    const std::string path = folder_ + "/agent";
    SeccompAgent agent(path);
    config_["linux"]["seccomp"] = notifying(path);
    write_config();
    {
        std::jthread serving([&] { agent.serve(0); });
        ASSERT_EQ(oci({"create", "--bundle", bundle(), "c"}).code, 0);
        start();
    }
    std::jthread serving([&] { agent.serve(1); });
    const test::Finished finished = oci({"exec", "c", "mkdir", "/data/one"});
    serving.join();
    EXPECT_EQ(finished.out, "mkdir: can't create directory '/data/one': Invalid cross-device link\n");
    EXPECT_EQ(agent.told["state"]["status"], "running");
    EXPECT_NE(agent.told["pid"], agent.told["state"]["pid"]);
}

TEST_F(OciTest, WithoutAnAgentNothingExecutes) {
    config_["linux"]["seccomp"] = notifying(folder_ + "/nobody");
    script("echo executed");
    const test::Finished finished = run();
    EXPECT_NE(finished.code, 0);
    EXPECT_NE(finished.out.find("linux.seccomp.listenerPath: "), std::string::npos) << finished.out;
    EXPECT_EQ(finished.out.find("executed"), std::string::npos) << finished.out;
    EXPECT_EQ(ids(), std::vector<std::string>());
}

TEST_F(OciTest, WhatAnAgentCantBeToldOfIsRefused) {
    auto refused = [&](const std::function<void(Json&)>& change) {
        Json& seccomp = config_["linux"]["seccomp"] = notifying(folder_ + "/agent");
        change(seccomp);
        write_config();
        const test::Finished finished = oci({"create", "--bundle", bundle(), "c"});
        EXPECT_NE(finished.code, 0);
        return finished.out;
    };
    EXPECT_NE(refused([](Json& s) { s.erase("listenerPath"), s.erase("listenerMetadata"); }).find("listenerPath"),
              std::string::npos);
    EXPECT_NE(refused([](Json& s) { s["defaultAction"] = "SCMP_ACT_NOTIFY"; }).find("can't be the default"),
              std::string::npos);
    EXPECT_NE(refused([](Json& s) { s["syscalls"][0]["names"] = {"sendmsg"}; }).find("can't be for sendmsg"),
              std::string::npos);
    EXPECT_NE(refused([](Json& s) {
                  s["syscalls"][0]["action"] = "SCMP_ACT_LOG";
                  s["flags"] = {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"};
              }).find("no SCMP_ACT_NOTIFY"),
              std::string::npos);
}

}  // namespace kedge::oci

#pragma once

#include "base/digest.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "tests/agent/agent_api.h"
#include "tests/runtime/test_image.h"
#include "tests/support/leftovers.h"
#include "tests/support/loopback.h"
#include "tests/support/network_namespace.h"
#include "tests/support/process.h"
#include "tests/support/test_repository.h"

#include <gtest/gtest.h>

#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace kedge::test {

/// A whole agent as users have it: the program kedged with a root, a run folder, an instance name and a repository of
/// its own, in a network namespace that all tests of the process share. It is spoken to through its socket. At the end
/// everything is removed, and what is left behind fails the test.
class AgentFixture : public testing::Test, public Leftovers, public AgentApi {
public:
    static void SetUpTestSuite() { enter_network_namespace(); }

    void SetUp() override {
        static std::atomic<int> count;
        instance = "ka" + std::to_string(::getpid()) + "x" + std::to_string(count++);
        folder = "/tmp/" + instance;
        socket = folder + "/run/kedge.sock";
        make_folders(AT_FDCWD, folder);
        repository = std::make_unique<TestRepository>(folder + "/fleet.git");
        source = "url: file://" + folder + "/fleet.git";
    }

    void TearDown() override {
        if (!running()) start();
        expect_settled();
        (void)post("/kedge/v1/projects/demo/hold", {{"reason", "the test ends"}});
        for (const json& c : containers())
            (void)call("DELETE", "/containers/" + c.at("Id").get<std::string>() + "?force=1&v=1");
        for (const json& n : json::parse(call("GET", "/networks").body)) {
            (void)call("DELETE", "/networks/" + n.at("Id").get<std::string>());
        }
        stop();
        expect_nothing_left();
        if (HasFailure()) std::cerr << "the agent said:\n" << read_file_at(AT_FDCWD, folder + "/agent.log");
        repository.reset();
        remove_tree(AT_FDCWD, folder);
    }

    // --- the agent

    std::string config() const {
        return "name: device\nroot: " + folder + "/root\nrun: " + folder + "/run\ninstance: " + instance +
               "\nsources:\n  - name: fleet\n    " + source + "\n    poll: 1h\npolicy: {monitor: 300ms}\n" +
               more_config;
    }

    /// Starts it and waits until it answers; false if it ended instead (as a fault point makes it).
    bool start(const std::string& fault = {}) {
        write_file_durably(AT_FDCWD, folder + "/agent.yaml", config());
        Fd log = open_at(AT_FDCWD, folder + "/agent.log", O_WRONLY | O_CREAT | O_APPEND, 0600);
        agent = std::make_unique<Process>(
            std::vector<std::string>{KEDGE_BUILD "/bin/kedged", "--config", folder + "/agent.yaml"},
            Process::Options{{{"KEDGE_FAULT", fault}}, -1, log.get(), log.get()});
        return until([&] { return !running() || call("GET", "/_ping").status == 200; }) && running();
    }
    bool running() { return agent && !agent->wait(std::chrono::milliseconds(0)); }
    void kill_agent() {
        agent->signal(SIGKILL);
        ASSERT_TRUE(agent->wait(std::chrono::seconds(10)));
    }
    void stop() {
        agent->signal(SIGTERM);
        auto status = agent->wait(std::chrono::seconds(20));
        ASSERT_TRUE(status) << "the agent does not stop";
        EXPECT_TRUE(WIFEXITED(*status) && WEXITSTATUS(*status) == 0) << *status;
        agent.reset();
    }

    /// Seen from outside there is no event to wait for, as the agent may be dead: looks again and again for a minute.
    static bool until(const std::function<bool()>& holds, std::chrono::seconds patience = std::chrono::seconds(60)) {
        auto deadline = std::chrono::steady_clock::now() + patience;
        while (!holds()) {
            if (std::chrono::steady_clock::now() > deadline) return false;
            (void)::poll(nullptr, 0, 15);
        }
        return true;
    }

    /// Wakes the poll and waits until that commit's release is in this state.
    bool reaches(const std::string& commit, const std::string& state) {
        wake();
        return until([&] { return state_of(commit) == state || !running(); }) && running();
    }
    std::string import(const std::string& reference, const std::vector<std::string>& changes = {}) const {
        std::string path = "/images/create?fromSrc=-&repo=" + reference.substr(0, reference.find(':')) +
                           "&tag=" + reference.substr(reference.find(':') + 1);
        for (const std::string& change : changes) path += "&changes=" + httplib::detail::encode_query_param(change);
        return call("POST", path, rootfs(), "application/x-tar").body;
    }

    /// A root file system of busybox alone.
    static const std::string& rootfs() {
        static const std::string tar = busybox_tar([](TarWriter& more) { more.file("data/seed", "from the image\n"); });
        return tar;
    }

    // --- what may be there

    /// Everything that exists belongs to a container that is known: nothing half-done is left. What a release that has
    /// just ended leaves to be cleared away may still be on its way.
    void expect_settled() {
        std::string unsettled;
        EXPECT_TRUE(until([&] { return (unsettled = what_is_unsettled()).empty(); }, std::chrono::seconds(10)))
            << unsettled;
    }

    std::string what_is_unsettled() const {
        std::set<std::string> known, live;
        for (const json& c : containers()) {
            known.insert(c.at("Id"));
            if (c.value("State", "") == "running") live.insert(c.at("Id"));
        }
        if (names_of(entries(folder + "/root/containers")) != known) return "folders of containers that are not known";
        if (names_of(entries(folder + "/run/containers")) != live) return "run folders of containers that do not run";
        if (names_of(groups(instance)) != live) return "control groups of containers that do not run";
        for (const char* place :
             {"/root/layers", "/root/images/blobs/sha256", "/root/sources/fleet/trees", "/root/volumes"}) {
            for (const std::string& name : entries(folder + place)) {
                bool temporary =
                    name.starts_with(".tmp") || name.ends_with(".partial") || name.find(".tmp-") != std::string::npos;
                if (temporary) return std::string(place) + "/" + name;
            }
        }
        return mounts() == 0 ? "" : "mounts of containers are seen by the host";
    }

    void expect_nothing_left() {
        EXPECT_EQ(remove_groups(instance), std::vector<std::string>{});
        EXPECT_EQ(entries(folder + "/run/containers"), std::vector<std::string>{});
        EXPECT_EQ(entries(folder + "/root/containers"), std::vector<std::string>{});
        EXPECT_EQ(mounts(), 0);
        for (const std::string& process : processes()) ADD_FAILURE() << "still runs: " << process;
        EXPECT_EQ(wait_for_no_links(), std::vector<std::string>{});
    }

    static std::set<std::string> names_of(const std::vector<std::string>& paths) {
        std::set<std::string> names;
        for (const std::string& path : paths) names.insert(std::filesystem::path(path).filename());
        return names;
    }
    int mounts() const {
        std::ifstream table("/proc/self/mountinfo");
        int count = 0;
        for (std::string line; std::getline(table, line);) count += line.find(folder) != std::string::npos;
        return count;
    }
    /// Command lines that name this test's folder.
    std::vector<std::string> processes() const {
        std::vector<std::string> found;
        for (const std::string& pid : entries("/proc")) {
            if (pid.find_first_not_of("0123456789") != std::string::npos || pid == std::to_string(::getpid())) continue;
            std::ifstream file("/proc/" + pid + "/cmdline");
            std::string line((std::istreambuf_iterator<char>(file)), {});
            std::replace(line.begin(), line.end(), '\0', ' ');
            if (line.find(folder) != std::string::npos) found.push_back(line);
        }
        return found;
    }

    std::string instance, folder, source, more_config;
    std::unique_ptr<TestRepository> repository;
    std::unique_ptr<Process> agent;
};

}  // namespace kedge::test

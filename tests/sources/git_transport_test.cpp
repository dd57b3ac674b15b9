#include "base/clock.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "sources/git_source.h"
#include "tests/support/git_http_server.h"
#include "tests/support/loopback.h"
#include "tests/support/process.h"
#include "tests/support/test_repository.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <functional>

using namespace kedge;
using namespace kedge::sources;
using kedge::test::GitHttpServer;
using kedge::test::Process;
using kedge::test::TestRepository;

namespace {

struct Transport : testing::Test {
    std::string folder = "/tmp/kedge-transport-XXXXXX";
    std::unique_ptr<TestRepository> repository;
    std::string pushed;

    void SetUp() override {
        ASSERT_NE(::mkdtemp(folder.data()), nullptr);
        repository = std::make_unique<TestRepository>(folder + "/fleet.git");
        pushed = repository->push({{"compose.yaml", {"services: {}"}}});
    }
    void TearDown() override {
        repository.reset();
        remove_tree(AT_FDCWD, folder);
    }

    std::string file(const std::string& name, const std::string& content, unsigned mode = 0600) {
        write_file_durably(AT_FDCWD, folder + "/" + name, content, mode);
        return folder + "/" + name;
    }
    static GitSettings at(const std::string& url) {
        GitSettings settings;
        settings.name = "test";
        settings.url = url;
        return settings;
    }
    /// The commit's id, or the error's code name and message.
    std::string fetch(const GitSettings& settings) {
        try {
            GitSource source(settings, folder + "/clone" + std::to_string(++clones_));
            Commit commit = source.fetch();
            EXPECT_EQ(read_file_at(AT_FDCWD, source.checkout(commit.id) + "/compose.yaml"), "services: {}");
            return commit.id;
        } catch (const Error& e) {
            return std::string(to_string(e.code())) + ": " + e.what();
        }
    }
    void command(std::vector<std::string> arguments) {
        auto finished = test::run(std::move(arguments));
        ASSERT_EQ(finished.code, 0) << finished.out;
    }

private:
    int clones_ = 0;
};

/// A server with Debian's sshd on a loopback port, which knows one key of a client.
struct Ssh : Transport {
    std::unique_ptr<Process> server;
    uint16_t port = 0;
    bool made_run_folder = false;

    void SetUp() override {
        Transport::SetUp();
        made_run_folder = ::mkdir("/run/sshd", 0755) == 0;
        for (const char* name : {"host", "client", "stranger"}) {
            command({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder + "/" + name});
        }
        file("authorized_keys", read_file_at(AT_FDCWD, folder + "/client.pub"));
        port = test::free_port();
        std::string config =
            file("sshd_config", "ListenAddress 127.0.0.1:" + std::to_string(port) + "\nHostKey " + folder +
                                    "/host\nAuthorizedKeysFile " + folder +
                                    "/authorized_keys\nStrictModes no\nPidFile none\nUsePAM no\nPermitRootLogin yes\n");
        Fd log = open_at(AT_FDCWD, folder + "/sshd.log", O_WRONLY | O_CREAT, 0600);
        server = std::make_unique<Process>(std::vector<std::string>{"/usr/sbin/sshd", "-D", "-e", "-f", config},
                                           Process::Options{{}, -1, log.get(), log.get()});
        ASSERT_TRUE(test::wait_for_port(port)) << read_file_at(AT_FDCWD, folder + "/sshd.log");
    }
    void TearDown() override {
        server.reset();
        if (made_run_folder) (void)::rmdir("/run/sshd");
        Transport::TearDown();
    }
    GitSettings settings() {
        GitSettings made = at("ssh://root@127.0.0.1:" + std::to_string(port) + folder + "/fleet.git");
        made.auth.ssh_key_file = folder + "/client";
        made.auth.known_hosts_file = file("known_hosts", known("127.0.0.1", "host"));
        return made;
    }
    std::string known(const std::string& host, const std::string& key) {
        return "[" + host + "]:" + std::to_string(port) + " " + read_file_at(AT_FDCWD, folder + "/" + key + ".pub");
    }
};

}  // namespace

TEST_F(Transport, ARepositoryIsFetchedOverHttpFromTheLoopback) {
    GitHttpServer server(folder);
    EXPECT_EQ(fetch(at("http://127.0.0.1:" + std::to_string(server.port()) + "/fleet.git")), pushed);
}

TEST_F(Transport, HttpsNeedsATrustedCertificateAndTheRightPassword) {
    command({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost", "-keyout", folder + "/key.pem", "-out", folder + "/cert.pem"});
    // "device:secret"
    GitHttpServer server(folder, folder + "/cert.pem", folder + "/key.pem", "Basic ZGV2aWNlOnNlY3JldA==");
    GitSettings settings = at("https://localhost:" + std::to_string(server.port()) + "/fleet.git");
    settings.auth.username = "device";
    settings.auth.password_file = file("password", "secret\n");
    std::string untrusted = fetch(settings);
    EXPECT_TRUE(untrusted.starts_with("permission_denied")) << untrusted;

    settings.auth.ca_file = folder + "/cert.pem";
    EXPECT_EQ(fetch(settings), pushed);

    settings.auth.password_file = file("open", "secret\n", 0644);
    std::string readable = fetch(settings);
    EXPECT_TRUE(readable.starts_with("permission_denied") && readable.find("others may read") != std::string::npos)
        << readable;

    settings.auth.password_file = file("wrong", "guess\n");
    std::string refused = fetch(settings);
    EXPECT_TRUE(refused.starts_with("unauthenticated")) << refused;
    EXPECT_EQ(refused.find("guess"), std::string::npos);

    settings.auth.password_file.clear();
    std::string missing = fetch(settings);
    EXPECT_TRUE(missing.starts_with("unauthenticated")) << missing;
}

TEST_F(Transport, ARepositoryThatIsNotThereIsNotFoundAndAnUnreachableOneIsTransient) {
    GitHttpServer server(folder);
    std::string missing = fetch(at("http://127.0.0.1:" + std::to_string(server.port()) + "/other.git"));
    EXPECT_TRUE(missing.starts_with("not_found")) << missing;
    std::string unreachable = fetch(at("http://127.0.0.1:" + std::to_string(test::free_port()) + "/fleet.git"));
    EXPECT_TRUE(unreachable.starts_with("unavailable")) << unreachable;
}

TEST_F(Ssh, ARepositoryIsFetchedWithAKeyFromAKnownHost) {
    EXPECT_EQ(fetch(settings()), pushed) << read_file_at(AT_FDCWD, folder + "/sshd.log");
}

TEST_F(Ssh, AnUnknownHostAndAChangedHostKeyAreRefused) {
    GitSettings made = settings();
    made.auth.known_hosts_file = file("known_hosts", known("127.0.0.2", "host"));
    std::string unknown = fetch(made);
    EXPECT_TRUE(unknown.starts_with("permission_denied") && unknown.find("known_hosts") != std::string::npos)
        << unknown;
    made.auth.known_hosts_file = file("known_hosts", known("127.0.0.1", "stranger"));
    std::string changed = fetch(made);
    EXPECT_TRUE(changed.starts_with("permission_denied")) << changed;
    made.auth.known_hosts_file.clear();
    std::string unset = fetch(made);
    EXPECT_TRUE(unset.starts_with("invalid_argument")) << unset;
}

TEST_F(Ssh, AKeyThatTheServerDoesNotKnowIsUnauthenticated) {
    GitSettings made = settings();
    made.auth.ssh_key_file = folder + "/stranger";
    std::string refused = fetch(made);
    EXPECT_TRUE(refused.starts_with("unauthenticated")) << refused;
}

TEST_F(Ssh, AKeyThatOthersMayReadIsNotUsed) {
    GitSettings made = settings();
    ASSERT_EQ(::chmod(made.auth.ssh_key_file.c_str(), 0604), 0);
    std::string readable = fetch(made);
    EXPECT_TRUE(readable.starts_with("permission_denied") && readable.find("others may read") != std::string::npos)
        << readable;
}

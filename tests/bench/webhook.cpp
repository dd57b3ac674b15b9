#include "base/fd.h"
#include "tests/bench/figures.h"
#include "tests/bench/http_client.h"

#include <httplib.h>

#include <nlohmann/json.hpp>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <fmt/format.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <fstream>

namespace kedge::bench {

namespace {

using nlohmann::json;

std::string signature(const std::string& secret, const std::string& body) {
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    ::HMAC(::EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
           reinterpret_cast<const unsigned char*>(body.data()), body.size(), bytes, &size);
    std::string text;
    for (unsigned i = 0; i < size; ++i) text += fmt::format("{:02x}", bytes[i]);
    return text;
}

/// Tells when the container of a round has made its file.
class Witness {
public:
    explicit Witness(std::string folder) : folder_(std::move(folder)), inotify_(::inotify_init1(IN_CLOEXEC)) {
        if (!inotify_ || ::inotify_add_watch(inotify_.get(), folder_.c_str(), IN_CREATE) < 0)
            fail("inotify: " + folder_);
    }
    void await(const std::string& name) {
        std::string path = folder_ + "/" + name;
        while (::access(path.c_str(), F_OK) != 0) {
            pollfd wait{inotify_.get(), POLLIN, 0};
            if (::poll(&wait, 1, 60000) != 1) fail("the container of round " + name + " did not start");
            alignas(8) char events[4096];
            if (::read(inotify_.get(), events, sizeof events) < 0) fail("inotify");
        }
    }

private:
    std::string folder_;
    Fd inotify_;
};

/// A service that ends at once when it is asked to, as a good one does. Its first instruction makes the round's file.
std::string compose(const WebhookSetting& setting, int round) {
    return fmt::format(
        "name: bench\nservices:\n  app:\n    image: {}\n    command: [sh, -c, ': > /seen/$$ROUND; trap exit TERM; "
        "sleep 1000000 & wait']\n"
        "    environment: {{ROUND: \"{}\"}}\n    volumes: [\"{}:/seen\"]\n",
        setting.image, round, setting.seen);
}

void commit(const WebhookSetting& setting, int round) {
    std::ofstream(setting.work + "/compose.yaml") << compose(setting, round);
    std::string git = "git -C " + setting.work;
    Command::from(git + " add -A").run();
    Command::from(git + " commit -q -m round-" + std::to_string(round)).run();
    Command::from(git + " push -q origin HEAD:main").run();
}

/// The release of this round is over, so that the next webhook meets an idle agent.
void settle(HttpClient& agent, const std::string& subject) {
    wait_for("the release of " + subject, std::chrono::seconds(60), [&] {
        json projects = agent.get("/kedge/v1/projects");
        if (projects.empty() || !projects[0].contains("good")) return false;
        return projects[0]["good"].value("subject", "") == subject &&
               projects[0]["current"].value("state", "") == "good";
    });
}

}  // namespace

Figure webhook_figure(const WebhookSetting& setting, int rounds) {
    Figure figure{.name = "webhook",
                  .what = "a signed webhook until the first instruction of the new container, image local",
                  .unit = "ms"};
    figure.show_p99 = true;
    Witness witness(setting.seen);
    HttpClient agent(setting.socket);
    httplib::Client hooks("http://" + setting.address);
    hooks.set_keep_alive(false);
    std::string body = json{{"ref", "refs/heads/main"}, {"repository", {{"clone_url", setting.repository_url}}}}.dump();
    int round = 0;
    figure.sides.push_back({"kedge", [&] {
                                commit(setting, ++round);
                                httplib::Headers headers{
                                    {"X-GitHub-Event", "push"},
                                    {"X-Hub-Signature-256", "sha256=" + signature(setting.secret, body)}};
                                double time = timed([&] {
                                    auto answer = hooks.Post("/webhook", headers, body, "application/json");
                                    if (!answer || answer->status != 202) fail("the webhook was refused");
                                    witness.await(std::to_string(round));
                                });
                                settle(agent, "round-" + std::to_string(round));
                                return time;
                            }});
    interleave(figure.sides, rounds);
    figure.goals.push_back({"p99 at most 250 ms", quantile(figure.sides[0].values, 0.99), 250});
    return figure;
}

}  // namespace kedge::bench

#include "controller_fixture.h"

#include "base/fd.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <future>
#include <thread>

using namespace kedge;
using namespace kedge::reconciler;
using kedge::test::ControllerFixture;

namespace {

/// Takes connections and never says a word.
class SilentServer {
public:
    SilentServer() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
        EXPECT_EQ(::listen(socket_.get(), 8), 0);
        EXPECT_EQ(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
        port_ = ntohs(address.sin_port);
    }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/shop.git"; }

private:
    Fd socket_;
    int port_ = 0;
};

}  // namespace

class SourceTest : public ControllerFixture {};

TEST_F(SourceTest, ARepositoryThatDoesNotAnswerHoldsUpNothingButItsOwnNews) {
    ASSERT_EQ(push(compose("sleep 1000", "    restart: always\n")).state, ReleaseState::good);
    controller.reset();
    containers().remove("shop-web-1", {.force = true});
    SilentServer server;
    settings.git.url = server.url();
    open_controller();
    auto runs = [&] {
        auto list = containers().list();
        return list.size() == 1 && list[0].status == runtime::Status::running;
    };
    EXPECT_TRUE(wait_for(runs)) << "the release that is known is not kept up";
    ASSERT_TRUE(wait_for([&] { return controller->sources()[0].polling; }));
    containers().remove("shop-web-1", {.force = true});
    EXPECT_TRUE(wait_for(runs)) << "drift is not reverted meanwhile";
    controller->hold("shop", "meanwhile");
    EXPECT_TRUE(controller->status("shop").held);
    EXPECT_TRUE(controller->sources()[0].polling) << "the test has shown nothing";
}

TEST_F(SourceTest, AReaderOfProgressThatStopsReadingHoldsUpNobody) {
    ASSERT_EQ(push(compose("sleep 1000")).state, ReleaseState::good);
    repository->commit({{"compose.yaml", compose("sleep 2000")}});
    std::promise<void> first_line, go_on;
    std::vector<std::string> heard;
    std::jthread reader([&] {
        Release release = controller->sync("shop",
                                           [&](const std::string& line) {
                                               if (heard.empty()) {
                                                   first_line.set_value();
                                                   go_on.get_future().wait();
                                               }
                                               heard.push_back(line);
                                           },
                                           {});
        EXPECT_EQ(release.state, ReleaseState::good);
    });
    ASSERT_EQ(first_line.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
    EXPECT_TRUE(wait_for([&] {
        return controller->history("shop").front().number == 2 &&
               controller->history("shop").front().state == ReleaseState::good;
    })) << "the release waits for its reader";
    controller->hold("shop", "another's request is answered as well");
    go_on.set_value();
    reader.join();
    EXPECT_NE(std::find(heard.begin(), heard.end(), "release 2 is good"), heard.end())
        << "what was not read at once is read later";
}

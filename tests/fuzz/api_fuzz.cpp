// The routes of the API over a real engine: whatever a request says, it is done or refused with an Error, and what it
// made can be removed. An input is a method and a target on the first line, and the body.

#include "base/log.h"
#include "tests/api/api_fixture.h"

#include <sys/mount.h>

#include <cstdint>
#include <cstdlib>

namespace kedge::test {
namespace {

class World : public ApiFixture {
public:
    World() {
        SetUpTestSuite();
        // What is written is gone with this process, and never waits for a disk.
        if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            ::mount("fuzz", "/tmp", "tmpfs", 0, nullptr) != 0)
            throw_errno("a /tmp of its own");
        SetUp();
        handler_ = api::make_api(*services);
    }
    ~World() override { TearDown(); }
    void TestBody() override {}

    void serve(const std::string& method, const std::string& target, const std::string& body) {
        if (!containers_has("web")) (void)create("web", "true");
        api::Request request;
        request.method = method;
        read_target(target, request);
        request.headers = {{"content-type", "application/json"}};
        request.read_body = [&](const std::function<bool(std::string_view)>& sink) { (void)sink(body); };
        request.peer = [] { return api::Peer{}; };
        request.watch_client = request.watch_connection = [] { return std::stop_token(); };
        try {
            (void)handler_(request);
        } catch (const Error&) {  // anything else is a defect
        }
        clear();
    }

private:
    /// Without decoding: the fuzzer has each byte at hand anyway.
    static void read_target(const std::string& target, api::Request& request) {
        size_t mark = target.find('?');
        request.path = target.substr(0, mark);
        while (mark != std::string::npos) {
            size_t next = target.find('&', mark + 1);
            std::string pair = target.substr(mark + 1, next == std::string::npos ? next : next - mark - 1);
            size_t equals = pair.find('=');
            request.query.emplace(pair.substr(0, equals), equals == std::string::npos ? "" : pair.substr(equals + 1));
            mark = next;
        }
    }

    bool containers_has(const std::string& name) {
        auto all = containers().snapshots();
        return std::any_of(all.begin(), all.end(), [&](const auto& info) { return info->name == name; });
    }

    void clear() {
        for (const auto& info : containers().snapshots()) {
            if (info->name != "web") containers().remove(info->id, {.force = true, .volumes = true});
        }
        for (const auto& network : engine->networks().list()) {
            if (!api_predefined(network.spec.name)) engine->networks().remove(network.id);
        }
        for (const auto& volume : engine->volumes().list()) engine->volumes().remove(volume.spec.name);
    }
    static bool api_predefined(const std::string& name) { return name == "bridge" || name == "host" || name == "none"; }

    api::Handler handler_;
};

}  // namespace
}  // namespace kedge::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static auto& world = *new kedge::test::World;
    std::string text(reinterpret_cast<const char*>(data), size);
    size_t line = std::min(text.find('\n'), text.size()), blank = std::min(text.find(' '), line);
    std::string method = text.substr(0, blank),
                target = text.substr(std::min(blank + 1, line), line - std::min(blank + 1, line));
    // Starting and removing is what other tests do; here it would cost more than all the rest.
    if (method == "DELETE" ||
        (target.find("containers/") != std::string::npos && target.find("start") != std::string::npos))
        return 0;
    world.serve(method, target, text.substr(std::min(line + 1, text.size())));
    return 0;
}

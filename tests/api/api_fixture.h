#pragma once

#include "api/audit.h"
#include "api/reply.h"
#include "api/routes.h"
#include "api/services.h"
#include "reconciler/controller.h"
#include "tests/api/raw_client.h"
#include "tests/runtime/engine_fixture.h"

#include <nlohmann/json.hpp>

#include <optional>

namespace kedge::test {

using nlohmann::json;

/// The whole API of a socket over a real engine and a controller without sources.
class ApiFixture : public EngineFixture {
public:
    void SetUp() override {
        EngineFixture::SetUp();
        reconciler::ControllerOptions controller_options;
        controller_options.root = options.root;
        controller_options.device = "edge-1";
        controller = std::make_unique<reconciler::Controller>(controller_options, *engine, *database);
        audit.emplace(options.root);
        services.emplace(api::Services{*engine, *controller, *audit, "edge-1", {"zone=a"}, wall_now()});
        server = std::make_unique<TestServer>(api::make_api(*services));
    }
    void TearDown() override {
        server.reset();
        services.reset();
        audit.reset();
        controller.reset();
        EngineFixture::TearDown();
    }

    struct Reply {
        int status = 0;
        json body;
        std::string text;
        std::string message() const { return body.is_object() ? body.value("message", "") : std::string(); }
    };
    Reply ask(const std::string& method, const std::string& target, const json& body = nullptr) {
        Answer answer =
            server->ask(request(method, target, body.is_null() ? "" : body.dump(), "Connection: close\r\n"));
        EXPECT_TRUE(answer.whole) << method << " " << target;
        return {answer.status, json::parse(answer.body, nullptr, false), answer.body};
    }
    Reply get(const std::string& target) { return ask("GET", target); }
    Reply post(const std::string& target, const json& body = nullptr) { return ask("POST", target, body); }

    /// Creates it by the API; its id.
    std::string create(const std::string& name, const std::string& script, json more = json::object()) {
        more.update({{"Image", "busybox"}, {"Cmd", {"sh", "-c", script}}});
        Reply reply = post("/containers/create?name=" + name, more);
        EXPECT_EQ(reply.status, 201) << reply.text;
        return reply.body.value("Id", "");
    }
    std::string start(const std::string& name, const std::string& script, json more = json::object()) {
        std::string id = create(name, script, std::move(more));
        EXPECT_EQ(post("/containers/" + name + "/start").status, 204);
        return id;
    }

    std::unique_ptr<reconciler::Controller> controller;
    std::optional<api::AuditLog> audit;
    std::optional<api::Services> services;
    std::unique_ptr<TestServer> server;
};

/// The frames of a multiplexed stream as `out:text` and `err:text`, neighbours of one stream together.
inline std::string unframed(const std::string& bytes) {
    std::string text;
    char last = 0;
    for (size_t at = 0; at + 8 <= bytes.size();) {
        size_t size = 0;
        for (size_t i = 4; i < 8; ++i) size = size << 8 | static_cast<unsigned char>(bytes[at + i]);
        if (bytes[at] != last) text += bytes[at] == 1 ? "out:" : bytes[at] == 2 ? "err:" : "code:";
        last = bytes[at];
        text += bytes.substr(at + 8, size);
        at += 8 + size;
    }
    return text;
}

}  // namespace kedge::test

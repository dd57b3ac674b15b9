#pragma once

#include "git_repository.h"

#include "reconciler/controller.h"
#include "reconciler/labels.h"
#include "tests/runtime/engine_fixture.h"

#include <map>
#include <memory>
#include <string>

namespace kedge::test {

/// A controller on an engine of its own, following a repository of its own. The poll interval is an hour: tests ask for
/// what they want.
class ControllerFixture : public EngineFixture {
public:
    void SetUp() override {
        EngineFixture::SetUp();
        repository = std::make_unique<GitRepository>(folder + "/repository.git");
        settings.git.name = "fleet";
        settings.git.url = repository->url();
        settings.poll = std::chrono::hours(1);
        settings.policy.monitor = std::chrono::milliseconds(300);
        settings.policy.dependency_timeout = std::chrono::seconds(20);
    }
    void TearDown() override {
        controller.reset();
        EngineFixture::TearDown();
    }

    void open_controller() {
        reconciler::ControllerOptions controller_options;
        controller_options.root = options.root;
        controller_options.device = "edge-1";
        controller_options.sources = {settings};
        controller = std::make_unique<reconciler::Controller>(controller_options, *engine, *database);
    }

    /// `compose.yaml` of project shop with one service web that runs this script.
    static std::string compose(const std::string& script, const std::string& more = {}) {
        return "name: shop\nservices:\n  web:\n    image: busybox\n    stop_grace_period: 0s\n    command: [\"sh\", "
               "\"-c\", \"" +
               script + "\"]\n" + more;
    }

    /// Commits compose.yaml and makes the controller sync it.
    reconciler::Release push(const std::string& compose_yaml, std::map<std::string, std::string> files = {}) {
        files["compose.yaml"] = compose_yaml;
        commit = repository->commit(files);
        return sync();
    }
    reconciler::Release sync() {
        lines.clear();
        if (!controller) open_controller();
        if (!wait_for_project("shop")) throw Error(Code::not_found, "the project was never seen");
        return controller->sync("shop", [this](const std::string& line) { lines.push_back(line); }, {});
    }

    /// Until the project's status is so, woken by the engine's events; false after twenty seconds.
    bool wait_for(const std::function<bool()>& ready) {
        auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        uint64_t from = engine->events().next();
        while (!ready()) {
            if (std::chrono::steady_clock::now() >= deadline) return false;
            // Not everything that a project becomes is an event, so that this looks now and then.
            auto soon = std::min(deadline, std::chrono::steady_clock::now() + std::chrono::milliseconds(100));
            from = engine->events().read(
                from, [](const runtime::Event&) {}, {}, soon);
        }
        return true;
    }
    bool wait_for_project(const std::string& project) {
        return wait_for([&] {
            for (const auto& status : controller->status()) {
                if (status.project == project) return true;
            }
            return false;
        });
    }

    std::string id_of(const std::string& name) { return containers().inspect(name).id; }
    std::string told() const {
        std::string text;
        for (const std::string& line : lines) text += line + "\n";
        return text;
    }

    reconciler::SourceConfig settings;
    std::unique_ptr<GitRepository> repository;
    std::unique_ptr<reconciler::Controller> controller;
    std::string commit;
    std::vector<std::string> lines;
};

}  // namespace kedge::test

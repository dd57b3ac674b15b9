#include "controller_fixture.h"

#include "base/fd.h"
#include "reconciler/release_store.h"

#include <fcntl.h>

using namespace kedge;
using namespace kedge::reconciler;
using kedge::test::ControllerFixture;

class ControllerTest : public ControllerFixture {};

constexpr const char* kLasting = "sleep 1000";
constexpr const char* kRestartAlways = "    restart: always\n";

TEST_F(ControllerTest, ACommitBecomesAGoodReleaseWhoseContainersRun) {
    Release release = push(compose(kLasting));
    ASSERT_EQ(release.state, ReleaseState::good) << release.error << "\n" << told();
    EXPECT_EQ(release.number, 1);
    EXPECT_EQ(release.commit, commit);
    EXPECT_EQ(release.verdicts.at("web"), "observed");
    auto info = containers().inspect("shop-web-1");
    EXPECT_EQ(info.status, runtime::Status::running);
    EXPECT_EQ(info.spec.labels.at(kCommitLabel), commit);
    EXPECT_EQ(info.spec.image_name, "busybox");
    ProjectStatus status = controller->status("shop");
    ASSERT_EQ(status.services.size(), 1u);
    EXPECT_EQ(status.services[0].running, 1);
    EXPECT_TRUE(controller->diff("shop", true).plan.empty());
    EXPECT_EQ(sync().number, 1) << "a sync without changes makes no release";
}

TEST_F(ControllerTest, ACrashingReleaseGoesBackToTheSameContainersAndIsQuarantined) {
    ASSERT_EQ(push(compose(kLasting)).state, ReleaseState::good);
    std::string old = id_of("shop-web-1"), good_commit = commit;
    Release bad = push(compose("exit 3"));
    EXPECT_EQ(bad.state, ReleaseState::rolled_back) << told();
    EXPECT_NE(bad.error.find("exited with code 3"), std::string::npos) << bad.error;
    EXPECT_EQ(id_of("shop-web-1"), old);
    EXPECT_EQ(containers().inspect(old).status, runtime::Status::running);
    EXPECT_EQ(containers().list().size(), 1u) << "something of the failed release is left";
    ProjectStatus status = controller->status("shop");
    EXPECT_EQ(status.quarantined, std::vector<std::string>{commit});
    EXPECT_EQ(status.good->commit, good_commit);

    EXPECT_EQ(sync().number, bad.number) << "a quarantined commit is not applied again";
    EXPECT_NE(controller->diff("shop", false).note.find("quarantined"), std::string::npos);
    controller->retry("shop");
    Release again = sync();
    EXPECT_GT(again.number, bad.number);
    EXPECT_EQ(again.state, ReleaseState::rolled_back);
    EXPECT_EQ(id_of("shop-web-1"), old);
    EXPECT_EQ(controller->figures().rollbacks_total.at("shop"), 2u);
}

TEST_F(ControllerTest, AFirstReleaseThatFailsLeavesNothingButItsVolumes) {
    Release bad = push(compose("exit 3", "    volumes: [\"data:/data\"]\nvolumes: {data: {}}\n"));
    EXPECT_EQ(bad.state, ReleaseState::rolled_back);
    EXPECT_TRUE(containers().list().empty());
    EXPECT_TRUE(engine->networks().list().empty());
    EXPECT_EQ(engine->volumes().list().size(), 1u);
    engine->volumes().remove("shop_data");
}

TEST_F(ControllerTest, AnUnhealthyReleaseGoesBackWithItsProbesLastWords) {
    std::string check = "    healthcheck: {test: [CMD, \"true\"], interval: 1s}\n";
    runtime::Health healthy, unhealthy;
    healthy.status = runtime::Health::Status::healthy;
    unhealthy.status = runtime::Health::Status::unhealthy;
    unhealthy.failing_streak = 3;
    unhealthy.log.push_back({{}, {}, 1, "database is gone"});
    // Stands in for the monitor: says so as soon as there is a new container.
    std::stop_source stop;
    std::jthread monitor([&](std::stop_token) {
        uint64_t from = 0;
        while (!stop.stop_requested()) {
            from = engine->events().read(
                from,
                [&](const runtime::Event& event) {
                    if (event.type != "container" || event.action != "start") return;
                    bool bad = containers().inspect(event.id).spec.labels.contains("bad");
                    containers().set_health(event.id, bad ? unhealthy : healthy);
                },
                stop.get_token());
        }
    });
    Release good = push(compose(kLasting, check));
    EXPECT_EQ(good.state, ReleaseState::good) << good.error;
    EXPECT_EQ(good.verdicts["web"], "healthy");
    std::string old = id_of("shop-web-1");
    Release bad = push(compose(kLasting, check + "    labels: {bad: \"1\"}\n"));
    stop.request_stop();
    EXPECT_EQ(bad.state, ReleaseState::rolled_back);
    EXPECT_NE(bad.error.find("database is gone"), std::string::npos) << bad.error;
    EXPECT_EQ(id_of("shop-web-1"), old);
}

TEST_F(ControllerTest, ANewerCommitPreemptsTheOneThatSoaks) {
    ASSERT_EQ(push(compose(kLasting)).state, ReleaseState::good);
    std::string slow = compose("sleep 2000", "    deploy: {update_config: {monitor: 1h}}\n");
    repository->commit({{"compose.yaml", slow}});
    controller->wake("fleet");
    ASSERT_TRUE(wait_for([&] { return controller->history("shop").front().state == ReleaseState::soaking; }));
    Release newest = push(compose("sleep 3000"));
    EXPECT_EQ(newest.state, ReleaseState::good) << newest.error;
    EXPECT_EQ(newest.number, 3);
    EXPECT_EQ(controller->release("shop", 2).state, ReleaseState::superseded);
    ASSERT_TRUE(wait_for([&] { return containers().list().size() == 1; })) << "containers of before are left";
    EXPECT_EQ(containers().list()[0].spec.command->back(), "sleep 3000");
}

TEST_F(ControllerTest, DriftIsRevertedAsSoonAsItHappens) {
    ASSERT_EQ(push(compose(kLasting, kRestartAlways)).state, ReleaseState::good);
    std::string id = id_of("shop-web-1");
    containers().stop(id);
    EXPECT_TRUE(wait_until(id, [](const auto& info) { return info.status == runtime::Status::running; }));
    containers().rename(id, "mine");
    EXPECT_TRUE(wait_until(id, [](const auto& info) { return info.name == "shop-web-1"; }));
    containers().remove(id, {.force = true});
    EXPECT_TRUE(wait_for([&] {
        auto list = containers().list();
        return list.size() == 1 && list[0].name == "shop-web-1" && list[0].status == runtime::Status::running;
    }));
    EXPECT_EQ(controller->history("shop").size(), 1u) << "repairs keep the release";
    EXPECT_GE(controller->figures().drift_total.at("shop"), 3u);
}

TEST_F(ControllerTest, DriftIsOnlyReportedIfThePolicySaysSo) {
    settings.policy.drift = Policy::Drift::report;
    ASSERT_EQ(push(compose(kLasting)).state, ReleaseState::good);
    containers().stop("shop-web-1");
    ASSERT_TRUE(wait_for([&] { return !controller->status("shop").drift.empty(); }));
    EXPECT_EQ(controller->status("shop").drift.front(), "start container shop-web-1: was stopped by hand");
    EXPECT_EQ(containers().inspect("shop-web-1").status, runtime::Status::exited);
}

TEST_F(ControllerTest, AHeldProjectWaitsUntilItIsResumed) {
    ASSERT_EQ(push(compose(kLasting)).state, ReleaseState::good);
    std::string old = id_of("shop-web-1");
    controller->hold("shop", "season");
    Release held = push(compose("sleep 2000"));
    EXPECT_EQ(held.state, ReleaseState::held);
    EXPECT_EQ(id_of("shop-web-1"), old);
    EXPECT_EQ(controller->status("shop").hold_reason, "season");
    controller->resume("shop");
    EXPECT_EQ(sync().state, ReleaseState::good);
    EXPECT_NE(id_of("shop-web-1"), old);
}

TEST_F(ControllerTest, ARollbackAppliesTheReleaseBeforeAndQuarantinesTheOneThatIsLeft) {
    ASSERT_EQ(push(compose(kLasting)).state, ReleaseState::good);
    std::string first = commit;
    ASSERT_EQ(push(compose("sleep 2000")).state, ReleaseState::good);
    Release back = controller->rollback("shop", 0, [](const std::string&) {}, {});
    EXPECT_EQ(back.state, ReleaseState::good) << back.error;
    EXPECT_EQ(back.cause, "rollback to 1");
    EXPECT_EQ(back.commit, first);
    EXPECT_EQ(containers().inspect("shop-web-1").spec.command->back(), kLasting);
    EXPECT_EQ(sync().number, back.number) << "the commit that was left came back";
    EXPECT_THROW(controller->rollback("shop", 77, [](const std::string&) {}, {}), Error);
}

TEST_F(ControllerTest, AProjectThatVanishesIsRemovedButItsVolumes) {
    std::string app =
        "services:\n  web: {image: busybox, command: [sleep, \"1000\"], stop_grace_period: 0s, volumes: "
        "[\"data:/data\"]}\nvolumes: {data: {}}\n";
    std::string other = "services:\n  web: {image: busybox, command: [sleep, \"1000\"], stop_grace_period: 0s}\n";
    repository->commit({{"apps/shop/compose.yaml", app}, {"apps/other/compose.yaml", other}});
    EXPECT_EQ(sync().state, ReleaseState::good);
    EXPECT_EQ(controller->sync("other", {}, {}).state, ReleaseState::good);
    repository->commit({{"apps/other/compose.yaml", other}});
    EXPECT_EQ(sync().state, ReleaseState::good);
    ASSERT_TRUE(wait_for([&] { return containers().list().size() == 1; }));
    EXPECT_EQ(containers().list()[0].name, "other-web-1");
    EXPECT_EQ(engine->volumes().list().size(), 1u);
    engine->volumes().remove("shop_data");
}

TEST_F(ControllerTest, MountedFilesOfTheRepositoryAndSecretsChangeTheServiceWithTheirContent) {
    std::string yaml = compose(kLasting,
                               "    volumes: [\"./conf:/conf:ro\"]\n    secrets: [{source: key, target: /key, mode: "
                               "0400}]\nsecrets: {key: {file: ./key}}\n");
    ASSERT_EQ(push(yaml, {{"conf/a", "one"}, {"key", "k1"}}).state, ReleaseState::good) << told();
    std::string first = id_of("shop-web-1");
    auto read = [&](const std::string& path) {
        return containers()
            .exec("shop-web-1", {.arguments = {"cat", path}, .environment = {}, .user = {}, .working_dir = {}},
                  std::chrono::seconds(5), 100)
            .output;
    };
    EXPECT_EQ(read("/conf/a"), "one");
    EXPECT_EQ(read("/key"), "k1");
    push(yaml, {{"conf/a", "one"}, {"key", "k1"}, {"README", "x"}});
    EXPECT_EQ(id_of("shop-web-1"), first) << "a commit that changes nothing of it";
    ASSERT_EQ(push(yaml, {{"conf/a", "two"}, {"key", "k2"}}).state, ReleaseState::good);
    EXPECT_EQ(read("/conf/a"), "two");
    EXPECT_EQ(read("/key"), "k2");
    controller->rollback("shop", 0, [](const std::string&) {}, {});
    EXPECT_EQ(read("/conf/a"), "one");
    EXPECT_EQ(read("/key"), "k1");
}

TEST_F(ControllerTest, AContainerCanNotWriteToWhatTheCommitHasAndItsDataFolderTakesTheRest) {
    std::string yaml =
        compose(kLasting, "    volumes: [\"./conf:/conf\", \"./compose.yaml:/compose.yaml\", \"./state:/state\"]\n");
    ASSERT_EQ(push(yaml, {{"conf/a", "one"}}).state, ReleaseState::good) << told();
    auto sh = [&](const std::string& script) {
        return containers().exec("shop-web-1",
                                 {.arguments = {"sh", "-c", script}, .environment = {}, .user = {}, .working_dir = {}},
                                 std::chrono::seconds(5), 1000);
    };
    for (const char* script : {"echo two > /conf/a", "echo x > /conf/new", "rm /conf/a", "echo x >> /compose.yaml"}) {
        runtime::ExecResult result = sh(script);
        EXPECT_NE(result.exit_code, 0) << script;
        EXPECT_NE(result.output.find("Read-only file system"), std::string::npos) << script << ": " << result.output;
    }
    EXPECT_EQ(sh("echo kept > /state/a").exit_code, 0);
    EXPECT_EQ(read_file_at(AT_FDCWD, options.root + "/sources/fleet/data/shop/state/a"), "kept\n");
}

TEST_F(ControllerTest, WhatCanNotBeDoneIsRefusedWithoutTouchingWhatRuns) {
    settings.policy.allowed_binds = {folder};
    ASSERT_EQ(push(compose(kLasting)).state, ReleaseState::good);
    std::string old = id_of("shop-web-1");
    WallTime started = containers().inspect(old).started;
    for (const auto& [more, words] : std::map<std::string, std::string>{
             {"    privileged: true\n", "services.web.privileged: privileged containers are not allowed"},
             {"    volumes: [\"/etc:/host\"]\n", "mounting /etc of the host is not allowed"},
             {"    network_mode: host\n", "the host's network is not allowed"},
             {"    cpus: 90000\n", "services.web: range of CPUs is from 0.01"},
             {"    volumes: [{type: bind, source: " + folder +
                  "/nosuch, target: /x, bind: {create_host_path: false}}]\n",
              "bind source path does not exist"},
             {"    image: nosuch:1\n    pull_policy: never\n", "is not on this device"}}) {
        Release refused =
            push(compose("sleep 5", more.starts_with("    image")
                                        ? "    pull_policy: never\n  two: {image: \"nosuch:1\", pull_policy: never}\n"
                                        : more));
        EXPECT_EQ(refused.state, ReleaseState::rolled_back) << more;
        EXPECT_NE(refused.error.find(words), std::string::npos) << refused.error;
        EXPECT_EQ(id_of("shop-web-1"), old);
        EXPECT_EQ(containers().inspect(old).started, started) << more << " was found out too late";
    }
    commit = repository->commit({{"compose.yaml", "name: shop\nservices: [\n"}});
    EXPECT_THROW(sync(), Error);
    EXPECT_EQ(controller->history("shop").front().state, ReleaseState::rolled_back);
    EXPECT_EQ(id_of("shop-web-1"), old);
}

TEST_F(ControllerTest, AForeignContainerWithOurNameIsNamedAndLeftAlone) {
    std::string foreign = run(shell("sleep 1000", "shop-web-1"));
    Release release = push(compose(kLasting));
    EXPECT_EQ(release.state, ReleaseState::rolled_back);
    EXPECT_NE(release.error.find("in use by container " + foreign.substr(0, 12)), std::string::npos) << release.error;
    EXPECT_EQ(containers().inspect(foreign).status, runtime::Status::running);
}

TEST_F(ControllerTest, ARegistryThatIsAwayBlocksTheReleaseAndLeavesWhatRuns) {
    ASSERT_EQ(push(compose(kLasting)).state, ReleaseState::good);
    std::string old = id_of("shop-web-1");
    Release blocked = push(compose(kLasting, "  other: {image: \"127.0.0.1:1/nothing:1\"}\n"));
    EXPECT_EQ(blocked.state, ReleaseState::blocked) << blocked.error;
    EXPECT_TRUE(blocked.next_retry.has_value());
    EXPECT_FALSE(blocked.error.empty());
    EXPECT_TRUE(controller->status("shop").quarantined.empty());
    EXPECT_EQ(containers().inspect(old).status, runtime::Status::running);
    Release next = push(compose("sleep 2000"));
    EXPECT_EQ(next.state, ReleaseState::good) << "a newer commit takes over from a blocked one";
    EXPECT_EQ(controller->release("shop", blocked.number).state, ReleaseState::superseded);
}

TEST_F(ControllerTest, AServiceStartsOnceWhatItDependsOnHasCompleted) {
    std::string yaml = compose(
        kLasting,
        "    depends_on: {job: {condition: service_completed_successfully}}\n"
        "  job: {image: busybox, command: [sh, -c, \"sleep 0.2; touch /data/done\"], volumes: [\"data:/data\"]}\n"
        "volumes: {data: {}}\n");
    Release release = push(yaml);
    EXPECT_EQ(release.state, ReleaseState::good) << release.error << told();
    EXPECT_EQ(release.verdicts["job"], "completed");
    auto job = containers().inspect("shop-job-1"), web = containers().inspect("shop-web-1");
    EXPECT_LE(job.finished, web.started);
    EXPECT_TRUE(controller->diff("shop", false).plan.empty()) << "a job that is done is not run again";
    std::string failing = yaml;
    failing.replace(failing.find("touch /data/done"), 16, "exit 4");
    Release bad = push(failing);
    EXPECT_EQ(bad.state, ReleaseState::rolled_back);
    EXPECT_NE(bad.error.find("exited with code 4"), std::string::npos) << bad.error;
    EXPECT_EQ(id_of("shop-web-1"), web.id);
    controller.reset();
    for (const char* name : {"shop-web-1", "shop-job-1"}) containers().remove(name, {.force = true});
    engine->volumes().remove("shop_data");
}

TEST_F(ControllerTest, AContainerThatAnotherToolMadeForTheProjectIsAdopted) {
    commit = repository->commit({{"compose.yaml", compose(kLasting)}});
    runtime::NetworkSpec network;
    network.name = "shop_default";
    network.labels = {{kProjectLabel, "shop"}};
    engine->networks().create(network);
    auto spec = shell(kLasting, "shop-web-1");
    spec.labels = {
        {kProjectLabel, "shop"}, {kServiceLabel, "web"}, {kNumberLabel, "1"}, {kConfigHashLabel, "anothers"}};
    spec.networks = {{"shop_default", {"web"}, ""}};
    spec.stop_timeout = 0;
    std::string id = run(spec);
    Release release = sync();
    EXPECT_EQ(release.state, ReleaseState::good) << release.error;
    EXPECT_EQ(id_of("shop-web-1"), id) << told();
}

TEST_F(ControllerTest, TwoSourcesCanNotHaveTheSameProject) {
    repository->commit({{"compose.yaml", compose(kLasting)}});
    test::GitRepository other(folder + "/other.git");
    other.commit({{"compose.yaml", compose("sleep 7")}});
    ControllerOptions two;
    two.root = options.root;
    two.sources = {settings, settings};
    two.sources[1].git.name = "second";
    two.sources[1].git.url = other.url();
    controller = std::make_unique<Controller>(two, *engine, *database);
    ASSERT_TRUE(wait_for_project("shop"));
    ASSERT_TRUE(wait_for([&] {
        auto sources = controller->sources();
        return !sources[0].error.empty() || !sources[1].error.empty();
    }));
    std::string error = controller->sources()[0].error + controller->sources()[1].error;
    EXPECT_NE(error.find("project shop belongs to source"), std::string::npos) << error;
    ASSERT_TRUE(wait_for([&] { return controller->history("shop").front().state == ReleaseState::good; }));
    EXPECT_EQ(controller->history("shop").size(), 1u);
}

TEST_F(ControllerTest, ASourceThatCanNotBeReachedSaysSoAndWhatRunsIsKeptRight) {
    ASSERT_EQ(push(compose(kLasting, kRestartAlways)).state, ReleaseState::good);
    controller.reset();
    ASSERT_EQ(::rename((folder + "/repository.git").c_str(), (folder + "/moved.git").c_str()), 0);
    containers().remove("shop-web-1", {.force = true});
    open_controller();
    EXPECT_TRUE(wait_for([&] {
        return containers().list().size() == 1 && containers().list()[0].status == runtime::Status::running;
    })) << "the last commit is known without the repository";
    EXPECT_THROW(controller->sync("shop", {}, {}), Error);
    EXPECT_FALSE(controller->sources()[0].error.empty());
    EXPECT_EQ(controller->history("shop").size(), 1u);
}

TEST_F(ControllerTest, WhatAReleaseNeedsCanNotBeRemovedAndWhatNoneNeedsIsCollected) {
    settings.policy.kept_releases = 1;
    auto using_image = [&](const std::string& tag) {
        return "name: shop\nservices:\n  web: {image: \"" + tag +
               "\", command: [sleep, \"1000\"], stop_grace_period: 0s}\n";
    };
    std::vector<std::string> ids;
    for (const std::string tag : {"v:1", "v:2", "v:3"}) {
        import(tag, test::busybox_tar([&](auto& tar) { tar.file("version", tag);
    }));
    ids.push_back(engine->images().get(tag).id.str());
    ASSERT_EQ(push(using_image(tag)).state, ReleaseState::good);
    if (ids.size() < 2) continue;
    EXPECT_THROW(engine->images().remove(ids[ids.size() - 2], true), Error) << "the release before is kept";
}
EXPECT_NO_THROW(engine->images().remove("v:1", true)) << "two releases ago";
EXPECT_THROW(engine->images().remove(ids[1], true), Error);
Release back = controller->rollback("shop", 2, {}, {});
EXPECT_EQ(back.state, ReleaseState::good) << back.error;
EXPECT_EQ(containers().inspect("shop-web-1").image_id.str(), ids[1]);
EXPECT_THROW(controller->rollback("shop", 1, {}, {}), Error) << "its image is gone, and so is the release";
}

TEST_F(ControllerTest, ImagesThatOnlyForgottenReleasesPulledGoAndThoseThatPeopleBroughtStay) {
    settings.policy.kept_releases = 1;
    auto using_image = [&](const std::string& tag) {
        return "name: shop\nservices:\n  web: {image: \"" + tag +
               "\", command: [sleep, \"1000\"], stop_grace_period: 0s}\n";
    };
    ReleaseStore store(*database);
    auto has = [&](const std::string& tag) {
        auto list = engine->images().list();
        return std::any_of(list.begin(), list.end(),
                           [&](const auto& i) { return std::find(i.tags.begin(), i.tags.end(), tag) != i.tags.end(); });
    };
    for (const std::string tag : {"v:1", "v:2", "mine:1", "v:3", "v:4"}) {
        import(tag, test::busybox_tar([&](auto& tar) { tar.file("version", tag);
    }));
    // As fetching notes it of what it pulled.
    if (tag != "mine:1") store.add_pulled("shop", "docker.io/library/" + tag, engine->images().get(tag).id, false);
    if (tag == "v:2")
        containers().create([&] {
            auto spec = shell("true", "uses-v2");
            spec.image = tag;
            return spec;
        }());
    ASSERT_EQ(push(using_image(tag)).state, ReleaseState::good);
}
EXPECT_FALSE(has("v:1")) << "nothing ever frees the disk";
EXPECT_TRUE(has("v:2")) << "a container of somebody else uses it";
EXPECT_TRUE(has("mine:1")) << "a person brought it";
EXPECT_TRUE(has("v:3") && has("v:4") && has("busybox:latest"));
containers().remove("uses-v2", {.force = true});
settings.policy.prune = false;
controller.reset();
ASSERT_EQ(push(using_image("busybox")).state, ReleaseState::good);
EXPECT_TRUE(has("v:2") && has("v:3")) << "the policy says that nothing is removed";
settings.policy.prune = true;
controller.reset();
ASSERT_EQ(push(using_image("mine:1")).state, ReleaseState::good);
EXPECT_FALSE(has("v:2"));
EXPECT_FALSE(has("v:3"));
}

TEST_F(ControllerTest, AReleaseThatFailsIsPausedOrKeptIfItsServiceSaysSo) {
    ASSERT_EQ(push(compose(kLasting)).state, ReleaseState::good);
    auto failing = [](const std::string& action) {
        return compose("exit 3", "    deploy: {update_config: {failure_action: " + action + "}}\n");
    };
    Release paused = push(failing("pause"));
    EXPECT_EQ(paused.state, ReleaseState::held);
    EXPECT_NE(paused.error.find("paused: "), std::string::npos) << paused.error;
    EXPECT_EQ(containers().list().size(), 2u) << "the one before stays for going back";
    Release kept = push(failing("continue"));
    EXPECT_EQ(kept.state, ReleaseState::good) << kept.error;
    EXPECT_EQ(kept.verdicts["web"], "crashed");
    EXPECT_EQ(controller->release("shop", paused.number).state, ReleaseState::superseded);
    EXPECT_EQ(controller->status("shop").services.at(0).health, "crashed");
}

TEST_F(ControllerTest, ADiffNamesWhatASyncWouldDoAndChangesNothing) {
    ASSERT_EQ(push(compose(kLasting)).state, ReleaseState::good);
    controller->hold("shop", "look first");
    commit = repository->commit({{"compose.yaml", compose("sleep 2000")}});
    Controller::Diff diff = controller->diff("shop", true);
    EXPECT_EQ(diff.commit, commit);
    EXPECT_EQ(diff.note, "held: look first");
    ASSERT_EQ(diff.plan.steps.size(), 3u);
    EXPECT_EQ(diff.plan.steps[1].reason,
              "command changed from [\"sh\",\"-c\",\"sleep 1000\"] to [\"sh\",\"-c\",\"sleep 2000\"]");
    EXPECT_EQ(containers().inspect("shop-web-1").spec.command->back(), kLasting);
}

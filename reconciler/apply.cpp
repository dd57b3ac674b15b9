#include "reconciler/apply.h"

#include "base/error.h"
#include "health/health.h"
#include "reconciler/labels.h"
#include "reconciler/release_store.h"
#include "runtime/engine.h"

#include <algorithm>

namespace kedge::reconciler {

namespace {

std::string label(const std::map<std::string, std::string>& labels, const char* key) {
    auto found = labels.find(key);
    return found == labels.end() ? std::string() : found->second;
}

/// Runs it; that it is done already is fine.
template <typename Work>
void unless(std::initializer_list<Code> fine, Work&& work) {
    try {
        work();
    } catch (const Error& e) {
        if (std::find(fine.begin(), fine.end(), e.code()) == fine.end()) throw;
    }
}

bool is_anonymous(runtime::Engine& engine, const runtime::Mount& mount) {
    bool anonymous = false;
    if (mount.type != runtime::Mount::Type::volume || mount.source.empty()) return false;
    unless({Code::not_found}, [&] { anonymous = engine.volumes().inspect(mount.source).anonymous; });
    return anonymous;
}

/// Anonymous volumes of the container that had this place before, by where they are mounted: data that a new container
/// goes on with.
void take_over_anonymous_volumes(runtime::Engine& engine, runtime::ContainerSpec& spec) {
    std::string project = label(spec.labels, kProjectLabel), service = label(spec.labels, kServiceLabel);
    for (const runtime::ContainerInfo& old : engine.containers().list()) {  // newest first
        const auto& labels = old.spec.labels;
        if (label(labels, kProjectLabel) != project || label(labels, kServiceLabel) != service) continue;
        if (label(labels, kNumberLabel) != label(spec.labels, kNumberLabel)) continue;
        for (const runtime::Mount& mount : old.mounts) {
            if (!is_anonymous(engine, mount)) continue;
            auto same = std::find_if(spec.mounts.begin(), spec.mounts.end(),
                                     [&](const auto& m) { return m.target == mount.target; });
            bool taken =
                same != spec.mounts.end() && !(same->type == runtime::Mount::Type::volume && same->source.empty());
            if (taken) continue;
            if (same != spec.mounts.end()) spec.mounts.erase(same);
            spec.mounts.push_back(mount);
        }
        return;
    }
}

struct CarryOut {
    runtime::Engine& engine;
    ReleaseStore& store;
    const std::string& project;

    runtime::Containers& containers() const { return engine.containers(); }

    void operator()(const CreateNetwork& a) const {
        try {
            engine.networks().create(a.spec);
        } catch (const Error& e) {
            if (e.code() != Code::conflict) throw;
            bool there = false;
            unless({Code::not_found}, [&] {
                there = label(engine.networks().inspect(a.spec.name).spec.labels, kConfigHashLabel) ==
                        label(a.spec.labels, kConfigHashLabel);
            });
            if (!there) throw;
        }
    }
    void operator()(const RemoveNetwork& a) const {
        unless({Code::not_found}, [&] { engine.networks().remove(a.name); });
    }
    void operator()(const CreateVolume& a) const { engine.volumes().create(a.spec); }

    void operator()(const CreateContainer& a) const {
        runtime::ContainerSpec spec = a.spec;
        constexpr std::string_view kContainer = "container:";
        if (spec.network_mode.starts_with(kContainer)) {  // of this very container, so that a replaced one shows
            spec.network_mode =
                std::string(kContainer) + containers().inspect(spec.network_mode.substr(kContainer.size())).id;
        }
        try {
            runtime::ContainerInfo there = containers().inspect(spec.name);
            bool done = there.name == spec.name;
            for (const char* key : {kProjectLabel, kServiceLabel, kNumberLabel, kConfigHashLabel, kReleaseLabel}) {
                done = done && label(there.spec.labels, key) == label(spec.labels, key);
            }
            if (done) return;
        } catch (const Error& e) {
            if (e.code() != Code::not_found && e.code() != Code::invalid_argument)
                throw;  // the latter: a prefix of several ids
        }
        take_over_anonymous_volumes(engine, spec);
        containers().create(spec);
    }
    void operator()(const StartContainer& a) const {
        unless({Code::not_modified}, [&] { containers().start(a.name, {.publish_ports = a.publish_ports}); });
    }
    void operator()(const RetireContainer& a) const {
        unless({Code::not_found}, [&] {
            std::string name = containers().inspect(a.id).name;
            store.add_retired(project, a.id, name);
            if (name != a.new_name) containers().rename(a.id, a.new_name);
            if (a.stop) unless({Code::not_modified}, [&] { containers().stop(a.id); });
        });
    }
    void operator()(const RestoreContainer& a) const {
        if (containers().inspect(a.id).name != a.name) containers().rename(a.id, a.name);
    }
    void operator()(const MovePorts& a) const {
        runtime::ContainerInfo from = containers().inspect(a.from);
        runtime::ContainerInfo to = containers().inspect(a.to_name);
        if (!from.ports.empty() && to.ports.empty()) containers().take_over_ports(from.id, to.id);
    }
    void operator()(const StopContainer& a) const {
        store.add_stopped(project, a.id);
        unless({Code::not_modified, Code::not_found}, [&] { containers().stop(a.id); });
    }
    void operator()(const ResumeContainer& a) const {
        unless({Code::conflict, Code::not_found}, [&] { containers().unpause(a.id); });  // it isn't paused any more
    }
    void operator()(const UpdateContainer& a) const {
        runtime::ContainerUpdate update{a.resources, {}, a.restart, true};
        unless({Code::not_found}, [&] { (void)containers().update(a.id, update); });
    }
    void operator()(const RemoveContainer& a) const {
        std::vector<std::string> volumes;
        unless({Code::not_found}, [&] {
            for (const runtime::Mount& mount : containers().inspect(a.id).mounts) {
                if (is_anonymous(engine, mount)) volumes.push_back(mount.source);
            }
        });
        unless({Code::not_found}, [&] { containers().remove(a.id, {.force = true, .volumes = false}); });
        // Nobody could ever find them again. What another container took over is in use, and stays.
        for (const std::string& volume : volumes)
            unless({Code::not_found, Code::conflict}, [&] { engine.volumes().remove(volume); });
    }
    void operator()(const WaitFor&) const { throw Error(Code::internal, "waiting is no step to carry out"); }
};

WaitResult check_one(const std::string& condition, const runtime::ContainerInfo& info) {
    using runtime::Status;
    bool ended = info.status == Status::exited || info.status == Status::dead;
    bool comes_back = info.spec.restart.name != runtime::RestartPolicy::Name::no && !info.stopped_by_hand;
    std::string exited = "container " + info.name + " exited with code " + std::to_string(info.exit_code);
    if (condition == "service_completed_successfully") {
        if (ended && info.exit_code == 0) return {WaitState::met, {}};
        bool given_up = ended && (!comes_back || info.spec.restart.name == runtime::RestartPolicy::Name::on_failure);
        return given_up ? WaitResult{WaitState::failed, exited} : WaitResult{};
    }
    if (ended && condition == "ready" && info.exit_code == 0 && !comes_back) return {WaitState::met, {}};
    if (ended) return comes_back ? WaitResult{} : WaitResult{WaitState::failed, exited};
    if (info.status != Status::running) return {};
    if (!is_probed(info)) {
        if (condition == "ready") return {WaitState::met, {}};
        return {WaitState::failed, "container " + info.name + " has no healthcheck configured"};
    }
    if (info.health.status == runtime::Health::Status::healthy) return {WaitState::met, {}};
    if (info.health.status != runtime::Health::Status::unhealthy) return {};
    std::string output = info.health.log.empty() ? std::string() : ": " + info.health.log.back().output;
    return {WaitState::failed, "container " + info.name + " is unhealthy" + output};
}

}  // namespace

void carry_out(runtime::Engine& engine, ReleaseStore& store, const std::string& project, const Action& action) {
    std::visit(CarryOut{engine, store, project}, action);
}

WaitResult check_wait(const WaitFor& wait, const Observed& observed) {
    WaitResult result{WaitState::met, {}};
    for (const ObservedContainer& container : observed.containers) {
        if (container.retired || container.service != wait.service) continue;
        if (wait.number != 0 && container.number != wait.number) continue;
        WaitResult one = check_one(wait.condition, container.info);
        if (one.state == WaitState::failed) return one;
        if (one.state == WaitState::pending) result = one;
    }
    return result;
}

bool is_probed(const runtime::ContainerInfo& info) {
    return health::is_probed(info);
}

}  // namespace kedge::reconciler

#include "base/error.h"
#include "base/fault.h"
#include "reconciler/fetch_images.h"
#include "reconciler/files.h"
#include "reconciler/load_projects.h"
#include "reconciler/privileges.h"
#include "reconciler/render.h"
#include "reconciler/work.h"
#include "runtime/engine.h"

namespace kedge::reconciler {

namespace {

/// What this device can't run (more CPUs than it has, a folder that isn't there) must not be found out when the
/// containers of before are gone. The rest of what the engine refuses is known when the files are read.
void check_specs(runtime::Engine& engine, const Target& target, const std::map<std::string, std::string>& hashes) {
    for (const auto& [name, service] : target.project.services) {
        for (int number = 1; number <= service.replicas; ++number) {
            runtime::ContainerSpec spec = render(target, service, number, hashes.at(name));
            try {
                engine.containers().check(spec);
            } catch (const Error& e) {
                throw e.with_context("services." + name);
            }
        }
    }
}

/// All that can be found out without touching what runs, or the network.
void check_target(Context& context, Work& work) {
    const Target& target = work.active->target;
    std::vector<std::string> own = {data_folder(context.folder, target.project.name), target.files};
    if (!target.commit.empty()) own.push_back(context.folder + "/trees/" + target.commit);
    check_privileges(target.project, own, context.config.policy);
    work.hashes = config_hashes(target);
    write_files(target);
    check_specs(context.engine, target, work.hashes);
}

void start_job(Context& context, Work& work) {
    std::promise<std::map<std::string, Digest>> promise;
    work.job.emplace();
    work.job->images = promise.get_future();
    auto project = std::make_shared<const sources::Project>(work.active->target.project);
    auto pulled = [&store = context.store, name = work.record.project](const std::string& reference,
                                                                       const Digest& image, bool was_there) {
        store.add_pulled(name, reference, image, was_there);
    };
    work.job->thread = std::jthread([&images = context.engine.images(), project, pulled, promise = std::move(promise),
                                     wake = context.wake](std::stop_token stop) mutable {
        try {
            promise.set_value(fetch_images(images, *project, pulled, stop));
        } catch (...) {
            promise.set_exception(std::current_exception());
        }
        wake();
    });
}

Turn fetched(Context& context, Work& work, std::map<std::string, Digest> images) {
    Release& release = *work.active;
    release.target.images = std::move(images);
    pin_images(context, work, &release.target);  // before anything depends on it
    work.failures = 0;
    release.error.clear();
    fault_point("release.fetched.before_commit");
    bool held = work.record.held && !release.cause.starts_with("rollback");  // who asks for a rollback means now
    record(context, work, held ? ReleaseState::held : ReleaseState::applying);
    fault_point("release.fetched.after_commit");
    return {!held, kNever};
}

/// A release that is applied once more has the very images that it had.
std::optional<std::map<std::string, Digest>> known_images(Context& context, const Release& release) {
    if (release.target.images.size() != release.target.project.services.size()) return {};
    for (const auto& [service, id] : release.target.images) {
        try {
            (void)context.engine.images().get(id.str());
        } catch (const Error& e) {
            if (e.code() != Code::not_found) throw;
            return {};
        }
    }
    return release.target.images;
}

Turn blocked(Context& context, Work& work, const Error& error) {
    auto wait = backoff(++work.failures);
    work.not_before = std::chrono::steady_clock::now() + wait;
    work.active->error = error.what();
    work.active->next_retry = wall_now() + wait;
    record(context, work, ReleaseState::blocked);
    return {false, work.not_before};
}

}  // namespace

Turn fetch(Context& context, Work& work) {
    try {
        if (!work.job) {
            check_target(context, work);
            if (auto images = known_images(context, *work.active)) return fetched(context, work, std::move(*images));
            if (auto images = local_images(context.engine.images(), work.active->target.project)) {
                return fetched(context, work, std::move(*images));
            }
            record(context, work, ReleaseState::fetching);
            start_job(context, work);
            return {};
        }
        if (work.job->images.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return {};
        std::map<std::string, Digest> images;
        try {
            images = work.job->images.get();
        } catch (...) {
            work.job.reset();
            throw;
        }
        work.job.reset();
        return fetched(context, work, std::move(images));
    } catch (const Error& e) {
        if (e.code() == Code::cancelled) return {};  // the agent is going down; the next start fetches again
        if (e.transient()) return blocked(context, work, e);
        return fail(context, work, e.what());
    }
}

}  // namespace kedge::reconciler

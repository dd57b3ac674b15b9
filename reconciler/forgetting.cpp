#include "base/error.h"
#include "base/log.h"
#include "reconciler/fetch_images.h"
#include "reconciler/work.h"
#include "runtime/engine.h"

namespace kedge::reconciler {

namespace {

/// What kept releases of all projects use: one that is in progress may know its images by name only.
struct Needed {
    std::set<std::string> names;
    std::set<Digest> images;
};

Needed needed_images(const ReleaseStore& store) {
    Needed needed;
    for (const ProjectRecord& record : store.projects()) {
        for (const Target& target : store.kept_targets(record.project)) {
            for (const auto& [name, service] : target.project.services) needed.names.insert(full_name(service.image));
            for (const auto& [service, id] : target.images) needed.images.insert(id);
        }
    }
    return needed;
}

/// Images that kedge pulled for releases that are forgotten by now. Those that people brought are theirs to remove.
void remove_images(Context& context, Work& work) {
    const std::map<std::string, Digest> pulled = context.store.pulled(work.record.project);
    if (pulled.empty()) return;
    const Needed needed = needed_images(context.store);
    runtime::Images& images = context.engine.images();
    for (const auto& [name, id] : pulled) {
        if (needed.names.contains(name) || needed.images.contains(id)) continue;
        try {
            if (images.get(name).id == id) {  // else somebody gave the name to another one
                (void)images.remove(name, false);
                tell(context, work, "removed image " + name + ", which no kept release needs");
            }
        } catch (const Error& e) {
            if (e.code() == Code::conflict) continue;  // a container uses it: after the next release
            if (e.code() != Code::not_found) throw;
        }
        context.store.forget_pulled(work.record.project, name);
    }
}

}  // namespace

void pin_images(Context& context, const Work& work, const Target* more) {
    std::set<Digest> pins;
    for (const Target& target : context.store.kept_targets(work.record.project)) {
        for (const auto& [service, id] : target.images) pins.insert(id);
    }
    if (more) {
        for (const auto& [service, id] : more->images) pins.insert(id);
    }
    context.engine.images().pin(work.record.project, pins);
}

void forget_old(Context& context, Work& work) {
    const std::string& project = work.record.project;
    try {
        context.store.forget_old(project, context.config.policy.kept_releases);
        pin_images(context, work);
        context.keep_trees();
        if (context.config.policy.prune) remove_images(context, work);
        context.engine.images().collect();
    } catch (const Error& e) {
        log(LogLevel::warning, project + ": forgetting old releases: " + e.what());
    }
}

}  // namespace kedge::reconciler

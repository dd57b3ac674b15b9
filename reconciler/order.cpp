#include "reconciler/order.h"

#include "base/error.h"

#include <set>

namespace kedge::reconciler {

namespace {

struct Walk {
    const sources::Project& project;
    std::set<std::string> done, entered;
    std::vector<std::string> order;

    void visit(const std::string& name) {
        if (done.contains(name)) return;
        if (!entered.insert(name).second) {
            throw Error(Code::invalid_argument,
                        "services." + name + ".depends_on: the services depend on each other in a circle");
        }
        for (const std::string& other : needed_by(project, project.services.at(name))) visit(other);
        done.insert(name);
        order.push_back(name);
    }
};

}  // namespace

std::vector<std::string> needed_by(const sources::Project& project, const sources::Service& service) {
    std::set<std::string> names;
    for (const sources::Dependency& dependency : service.depends_on) names.insert(dependency.service);
    if (service.network_mode.starts_with("service:")) names.insert(service.network_mode.substr(8));
    std::erase_if(names, [&](const std::string& name) { return !project.services.contains(name); });
    return {names.begin(), names.end()};
}

std::vector<std::string> dependency_order(const sources::Project& project) {
    Walk walk{project, {}, {}, {}};
    for (const auto& [name, service] : project.services) walk.visit(name);
    return walk.order;
}

}  // namespace kedge::reconciler

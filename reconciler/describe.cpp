#include "reconciler/plan.h"

namespace kedge::reconciler {

namespace {

std::string short_id(const std::string& id) {
    return id.substr(0, 12);
}

struct Describe {
    std::string operator()(const CreateNetwork& a) const { return "create network " + a.spec.name; }
    std::string operator()(const RemoveNetwork& a) const { return "remove network " + a.name; }
    std::string operator()(const CreateVolume& a) const { return "create volume " + a.spec.name; }
    std::string operator()(const CreateContainer& a) const { return "create container " + a.spec.name; }
    std::string operator()(const StartContainer& a) const {
        return "start container " + a.name + (a.publish_ports ? "" : " without its ports");
    }
    std::string operator()(const RetireContainer& a) const {
        return (a.stop ? "stop container " : "rename container ") + short_id(a.id) + " of " + a.service +
               " and keep it as " + a.new_name;
    }
    std::string operator()(const RestoreContainer& a) const {
        return "rename container " + short_id(a.id) + " back to " + a.name;
    }
    std::string operator()(const MovePorts& a) const {
        return "move the ports of container " + short_id(a.from) + " to " + a.to_name;
    }
    std::string operator()(const StopContainer& a) const {
        return "stop container " + short_id(a.id) + " of " + a.service;
    }
    std::string operator()(const ResumeContainer& a) const {
        return "unpause container " + short_id(a.id) + " of " + a.service;
    }
    std::string operator()(const UpdateContainer& a) const {
        return "put the limits of container " + short_id(a.id) + " of " + a.service + " back";
    }
    std::string operator()(const RemoveContainer& a) const {
        return "remove container " + short_id(a.id) + (a.service.empty() ? "" : " of " + a.service);
    }
    std::string operator()(const WaitFor& a) const {
        std::string who = a.service + (a.number ? " " + std::to_string(a.number) : "");
        std::string text = "wait until " + who + " is ";
        if (a.condition == "service_healthy")
            text += "healthy";
        else if (a.condition == "service_completed_successfully")
            text += "completed";
        else
            text += "ready";
        if (a.delay.count() > 0) text += ", then " + format_duration(a.delay);
        return text;
    }
};

struct Kind {
    std::string operator()(const CreateNetwork&) const { return "create_network"; }
    std::string operator()(const RemoveNetwork&) const { return "remove_network"; }
    std::string operator()(const CreateVolume&) const { return "create_volume"; }
    std::string operator()(const CreateContainer&) const { return "create_container"; }
    std::string operator()(const StartContainer&) const { return "start_container"; }
    std::string operator()(const RetireContainer&) const { return "retire_container"; }
    std::string operator()(const RestoreContainer&) const { return "restore_container"; }
    std::string operator()(const MovePorts&) const { return "move_ports"; }
    std::string operator()(const StopContainer&) const { return "stop_container"; }
    std::string operator()(const ResumeContainer&) const { return "resume_container"; }
    std::string operator()(const UpdateContainer&) const { return "update_container"; }
    std::string operator()(const RemoveContainer&) const { return "remove_container"; }
    std::string operator()(const WaitFor&) const { return "wait_for"; }
};

}  // namespace

std::string describe(const Action& action) {
    return std::visit(Describe{}, action);
}
std::string kind(const Action& action) {
    return std::visit(Kind{}, action);
}

}  // namespace kedge::reconciler

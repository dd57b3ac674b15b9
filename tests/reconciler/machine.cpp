#include "machine.h"

#include "reconciler/labels.h"
#include "reconciler/render.h"

#include <algorithm>
#include <stdexcept>

namespace kedge::reconciler::test {

using runtime::Status;

Digest image(int number) {
    return Digest::of("image " + std::to_string(number));
}

sources::Service service(const std::string& name, int image_number) {
    sources::Service result;
    result.name = name;
    result.image = "example:" + std::to_string(image_number);
    result.restart = "always";
    result.networks = {{"default", {}, {}, 0}};
    return result;
}

Target target(const std::vector<sources::Service>& services, int64_t release) {
    Target result;
    result.project.name = "shop";
    result.project.directory = "/trees/" + std::to_string(release);
    result.commit = std::to_string(release);
    result.release = release;
    result.files = "/files";
    for (const sources::Service& s : services) {
        result.project.services[s.name] = s;
        result.images[s.name] = image(std::stoi(s.image.substr(s.image.find(':') + 1)));
        for (const sources::NetworkUse& use : s.networks) {
            sources::Network network;
            network.key = use.network;
            network.name = "shop_" + use.network;
            result.project.networks.emplace(use.network, network);
        }
    }
    return result;
}

std::map<std::string, std::string> hashes(const Target& target) {
    std::map<std::string, std::string> result;
    for (const auto& [name, s] : target.project.services) {
        std::string text = s.image + s.network_mode + s.container_name + s.restart;
        for (const auto& [key, value] : s.environment) text += key + value;
        for (const auto& port : s.ports) text += std::to_string(port.published) + ":" + std::to_string(port.target);
        for (const auto& use : s.networks) text += use.network + use.ipv4_address;
        for (const auto& volume : s.volumes) text += volume.source + volume.target + volume.content_digest;
        result[name] = Digest::of(text).hex();
    }
    return result;
}

namespace {

[[noreturn]] void refuse(const std::string& what) {
    throw std::logic_error(what);
}

struct Apply {
    Machine& m;

    ObservedContainer& get(const std::string& id) {
        auto found = m.containers.find(id);
        if (found == m.containers.end()) refuse("no such container: " + id);
        m.changed.insert(id);
        return found->second;
    }

    void check_name(const std::string& name) {
        for (auto& [id, c] : m.containers) {
            if (c.info.name == name) refuse("the name " + name + " is in use by " + id);
        }
    }

    void check_port(const runtime::PortBinding& port) {
        for (auto& [id, c] : m.containers) {
            for (const runtime::PortBinding& held : c.info.ports) {
                if (held.host_port == port.host_port && held.protocol == port.protocol)
                    refuse("port is in use by " + c.info.name);
            }
        }
    }

    void publish(ObservedContainer& c) {
        c.info.ports = c.info.spec.ports;
        for (runtime::PortBinding& port : c.info.ports) {
            if (port.host_port == 0) port.host_port = static_cast<uint16_t>(30000 + m.made++);
        }
    }

    void stop(ObservedContainer& c) {
        if (c.info.status != Status::running && c.info.status != Status::paused) return;
        c.info.status = Status::exited;
        c.info.stopped_by_hand = true;
        c.info.ports.clear();
        c.info.health.status = runtime::Health::Status::none;
    }

    void operator()(const CreateNetwork& a) {
        if (m.networks.contains(a.spec.name)) refuse("network " + a.spec.name + " exists");
        runtime::NetworkInfo info;
        info.id = "network" + std::to_string(m.made++);
        info.spec = a.spec;
        if (info.spec.subnet.empty()) info.spec.subnet = "172.29." + std::to_string(m.made) + ".0/24";
        m.networks[a.spec.name] = info;
    }
    void operator()(const RemoveNetwork& a) {
        if (!m.networks.contains(a.name)) refuse("no network " + a.name);
        for (auto& [id, c] : m.containers) {
            for (auto& attachment : c.info.spec.networks) {
                if (attachment.network == a.name && c.info.status == Status::running)
                    refuse("network " + a.name + " is in use by " + c.info.name);
            }
        }
        m.networks.erase(a.name);
    }
    void operator()(const CreateVolume& a) {
        if (m.volumes.contains(a.spec.name)) refuse("volume exists");
        m.volumes[a.spec.name].spec = a.spec;
    }
    void operator()(const CreateContainer& a) {
        check_name(a.spec.name);
        ObservedContainer c;
        c.info.id = Digest::of("container " + std::to_string(m.made++)).hex();
        c.info.name = a.spec.name;
        c.info.spec = a.spec;
        c.info.networks = a.spec.networks;
        if (a.spec.network_mode.starts_with("container:")) {
            c.info.spec.network_mode = "container:" + m.named(a.spec.network_mode.substr(10)).info.id;
        }
        c.info.image_id = a.spec.image.starts_with("sha256:") ? Digest::parse(a.spec.image) : Digest();
        c.info.created = WallTime(Nanoseconds(m.made));
        c.info.healthcheck = a.spec.healthcheck;
        c.service = a.service;
        c.number = a.number;
        c.config_hash = a.spec.labels.at(kConfigHashLabel);
        m.changed.insert(c.info.id);
        m.containers[c.info.id] = c;
    }
    void operator()(const StartContainer& a) {
        ObservedContainer& c = m.named(a.name);
        if (c.service != a.service || c.number != a.number) refuse(a.name + " is another container");
        if (c.info.status == Status::running || c.info.status == Status::paused) refuse(a.name + " runs already");
        for (auto& attachment : c.info.spec.networks) {
            if (!m.networks.contains(attachment.network)) refuse("no network " + attachment.network);
        }
        const std::string& mode = c.info.spec.network_mode;
        if (mode.starts_with("container:") && get(mode.substr(10)).info.status != Status::running)
            refuse("the network's owner doesn't run");
        if (a.publish_ports) {
            for (const runtime::PortBinding& port : c.info.spec.ports) {
                if (port.host_port) check_port(port);
            }
            publish(c);
        }
        m.changed.insert(c.info.id);
        c.info.status = Status::running;
        c.info.stopped_by_hand = false;
        if (c.info.spec.restart.name == runtime::RestartPolicy::Name::no) {  // a job: it is done at once
            c.info.status = Status::exited;
            c.info.ports.clear();
        } else if (c.info.healthcheck) {
            c.info.health.status = runtime::Health::Status::starting;
        }
    }
    void operator()(const RetireContainer& a) {
        ObservedContainer& c = get(a.id);
        if (!m.retired_names.contains(a.id)) m.retired_names[a.id] = c.info.name;
        if (c.info.name != a.new_name) check_name(a.new_name);
        c.info.name = a.new_name;
        if (a.stop) stop(c);
    }
    void operator()(const RestoreContainer& a) {
        ObservedContainer& c = get(a.id);
        check_name(a.name);
        c.info.name = a.name;
    }
    void operator()(const MovePorts& a) {
        ObservedContainer& from = get(a.from);
        ObservedContainer& to = m.named(a.to_name);
        if (to.info.status != Status::running || from.info.ports.empty() || !to.info.ports.empty())
            refuse("these ports can't be moved");
        if (from.info.spec.ports != to.info.spec.ports) refuse("these are other ports");
        to.info.ports = std::exchange(from.info.ports, {});
        m.changed.insert(to.info.id);
    }
    void operator()(const StopContainer& a) {
        m.stopped.insert(a.id);
        stop(get(a.id));
    }
    void operator()(const ResumeContainer& a) {
        ObservedContainer& c = get(a.id);
        if (c.info.status != Status::paused) refuse(c.info.name + " is not paused");
        c.info.status = Status::running;
    }
    void operator()(const UpdateContainer& a) {
        ObservedContainer& c = get(a.id);
        if (c.info.spec.resources == a.resources && c.info.spec.restart == a.restart) refuse("nothing to update");
        c.info.spec.resources = a.resources;
        c.info.spec.restart = a.restart;
    }
    void operator()(const RemoveContainer& a) {
        get(a.id);
        m.containers.erase(a.id);
    }
    void operator()(const WaitFor& a) {
        for (auto& [id, c] : m.containers) {
            if (c.service != a.service || (a.number && c.number != a.number) || m.observe_retired(c)) continue;
            bool completed = c.info.status == Status::exited && c.info.exit_code == 0 && !c.info.stopped_by_hand;
            if (a.condition == "service_completed_successfully") {
                if (!completed) refuse("waits for ever for " + c.info.name + " to complete");
            } else if (c.info.status == Status::running && c.info.healthcheck) {
                c.info.health.status = runtime::Health::Status::healthy;
            } else if (a.condition == "ready" && !completed && c.info.status != Status::running) {
                refuse("waits for ever for " + c.info.name);
            }
        }
    }
};

}  // namespace

void Machine::apply(const Step& step) {
    log.push_back(describe(step.action) + " (" + step.reason + ")");
    if (step.reason.empty()) refuse("no reason: " + log.back());
    std::visit(Apply{*this}, step.action);
}

bool Machine::observe_retired(const ObservedContainer& c) const {
    auto name = retired_names.find(c.info.id);
    return name != retired_names.end() && name->second != c.info.name;
}

Observed Machine::observe() const {
    Observed result;
    for (const auto& [id, c] : containers) {
        result.containers.push_back(c);
        result.containers.back().retired = observe_retired(c);
    }
    for (const auto& [name, network] : networks) {
        result.networks.push_back(network);
        for (const auto& [id, c] : containers) {
            for (const auto& attachment : c.info.spec.networks) {
                if (attachment.network == name && c.info.status == Status::running)
                    result.networks.back().containers.push_back(id);
            }
        }
    }
    for (const auto& [name, volume] : volumes) result.volumes.push_back(volume);
    return result;
}

History Machine::history(bool going_back) const {
    History result;
    result.going_back = going_back;
    result.retired_names = retired_names;
    result.stopped = stopped;
    return result;
}

std::map<std::string, std::string> Machine::live() const {
    std::map<std::string, std::string> result;
    for (const auto& [id, c] : containers) {
        if (!observe_retired(c))
            result[c.info.name] = id.substr(0, 8) + " " + std::string(to_string(c.info.status)) +
                                  (c.info.ports.empty() ? "" : " published");
    }
    return result;
}

ObservedContainer& Machine::named(const std::string& name) {
    for (auto& [id, c] : containers) {
        if (c.info.name == name) return c;
    }
    refuse("no such container: " + name);
}

Plan Machine::plan_for(const Target& wanted, bool going_back, const Policy& policy) const {
    return plan(wanted, hashes(wanted), observe(), history(going_back), policy);
}

void Machine::settle(const Target& wanted) {
    apply(plan_for(wanted));
    apply(cleanup(wanted, observe(), history()));
    forget_release();
}

void Machine::forget_release() {
    retired_names.clear();
    stopped.clear();
}

std::vector<std::string> lines(const Plan& plan) {
    std::vector<std::string> result;
    for (const Step& step : plan.steps) result.push_back(describe(step.action));
    return result;
}

}  // namespace kedge::reconciler::test

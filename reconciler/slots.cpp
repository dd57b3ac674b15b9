#include "reconciler/slots.h"

#include "base/error.h"
#include "reconciler/difference.h"
#include "reconciler/labels.h"
#include "reconciler/render.h"

#include <algorithm>
#include <charconv>
#include <tuple>

namespace kedge::reconciler {

using runtime::Status;

namespace {

const std::string& label(const ObservedContainer& container, const char* key) {
    static const std::string none;
    auto found = container.info.spec.labels.find(key);
    return found == container.info.spec.labels.end() ? none : found->second;
}

struct Matching {
    const Target& target;
    const std::map<std::string, std::string>& hashes;
    std::map<std::pair<std::string, int>, std::vector<const ObservedContainer*>> candidates;
    std::map<std::string, const ObservedContainer*>
        first_kept;  ///< by service: number 1, whose network others may share
};

/// Whether the container shares the network of the very container that will be there.
bool joins_the_right_network(const Matching& m, const ObservedContainer& container, const sources::Service& service) {
    constexpr std::string_view kService = "service:", kContainer = "container:";
    if (!service.network_mode.starts_with(kService)) return true;
    auto other = m.first_kept.find(service.network_mode.substr(kService.size()));
    if (other == m.first_kept.end()) return false;
    const std::string& mode = container.info.spec.network_mode;
    if (!mode.starts_with(kContainer)) return false;
    std::string joined = mode.substr(kContainer.size());
    return joined == other->second->info.id || joined == other->second->info.name;
}

/// A network that it was made for and somebody disconnected it from; empty: there is none. What it was connected to
/// besides is nobody's loss.
std::string left_network(const ObservedContainer& container) {
    const auto& joined = container.info.networks;
    for (const runtime::NetworkAttachment& asked : container.info.spec.networks) {
        auto same = [&](const runtime::NetworkAttachment& a) { return a.network == asked.network; };
        if (std::none_of(joined.begin(), joined.end(), same)) return asked.network;
    }
    return {};
}

bool fits(const Matching& m, const ObservedContainer& container, const sources::Service& service, int number) {
    if (container.info.status == Status::removing || container.info.status == Status::dead) return false;
    auto image = m.target.images.find(service.name);
    if (image != m.target.images.end() && container.info.image_id != image->second) return false;
    if (!joins_the_right_network(m, container, service) || !left_network(container).empty()) return false;
    auto hash = m.hashes.find(service.name);
    if (hash == m.hashes.end()) return false;
    if (container.config_hash == hash->second) return true;
    bool comparable = made_by_kedge(container) && same_hash_version(container.config_hash, hash->second);
    return !comparable && same_container(container.info.spec, render(m.target, service, number, hash->second));
}

/// Of several that fit: a live one before a retired one, the right name, a running one, the newest.
auto preference(const ObservedContainer& container, const std::string& name) {
    return std::tuple(!container.retired, container.info.name == name, is_up(container), container.info.created,
                      container.info.id);
}

std::string why_replaced(const Matching& m, const ObservedContainer& old, const Slot& slot) {
    if (old.info.status == Status::dead || old.info.status == Status::removing) return "its container is dead";
    auto image = m.target.images.find(slot.service);
    auto hash = m.hashes.find(slot.service);
    std::string text =
        difference(old, render(m.target, *slot.wanted, slot.number, hash == m.hashes.end() ? "" : hash->second),
                   image == m.target.images.end() ? Digest() : image->second);
    if (!text.empty()) return text;
    if (!joins_the_right_network(m, old, *slot.wanted)) return "the container whose network it shares is another one";
    if (std::string network = left_network(old); !network.empty()) return "it was disconnected from network " + network;
    return "its configuration changed";
}

void fill(Matching& m, Slot& slot) {
    auto found = m.candidates.find({slot.service, slot.number});
    if (found == m.candidates.end()) {
        slot.reason = "is missing";
        return;
    }
    for (const ObservedContainer* c : found->second) {
        if (!fits(m, *c, *slot.wanted, slot.number)) continue;
        if (!slot.keep || preference(*c, slot.name) > preference(*slot.keep, slot.name)) slot.keep = c;
    }
    for (const ObservedContainer* c : found->second) {
        if (c == slot.keep || (c->retired && !is_up(*c))) continue;
        slot.leaving.push_back(c);
        slot.reason = slot.keep ? "another container has its place" : why_replaced(m, *c, slot);
    }
    if (slot.reason.empty()) slot.reason = "is missing";
    if (slot.keep && slot.number == 1) m.first_kept[slot.service] = slot.keep;
    m.candidates.erase(found);
}

void check_names(const std::vector<Slot>& slots, const Target& target, const Observed& observed) {
    std::map<std::string, const ObservedContainer*> foreign;
    for (const ObservedContainer& c : observed.containers) {
        if (!belongs(c, target)) foreign[c.info.name] = &c;
    }
    for (const Slot& slot : slots) {
        auto found = foreign.find(slot.name);
        if (found == foreign.end()) continue;
        throw Error(Code::conflict,
                    "container name \"" + slot.name + "\" is in use by container " +
                        found->second->info.id.substr(0, 12) + ", which is not part of project " + target.project.name,
                    "rename or remove that container");
    }
}

}  // namespace

int64_t release_of(const ObservedContainer& container) {
    const std::string& text = label(container, kReleaseLabel);
    int64_t number = 0;
    (void)std::from_chars(text.data(), text.data() + text.size(), number);  // 0 when it is no number
    return number;
}

bool made_by_kedge(const ObservedContainer& container) {
    return container.info.spec.labels.contains(kReleaseLabel);
}

bool belongs(const ObservedContainer& container, const Target& target) {
    if (label(container, kOneoffLabel) == "True") return false;
    return label(container, kProjectLabel) == target.project.name;
}

bool is_up(const ObservedContainer& container) {
    Status status = container.info.status;
    return status == Status::running || status == Status::restarting || status == Status::paused;
}

bool is_completed(const ObservedContainer& container) {
    using Name = runtime::RestartPolicy::Name;
    const runtime::ContainerInfo& info = container.info;
    bool may_end = info.spec.restart.name == Name::no || info.spec.restart.name == Name::on_failure;
    return info.status == Status::exited && info.exit_code == 0 && may_end && !info.stopped_by_hand &&
           info.error.empty();
}

std::vector<Slot> match_slots(const Target& target, const std::vector<std::string>& order,
                              const std::map<std::string, std::string>& hashes, const Observed& observed) {
    Matching m{target, hashes, {}, {}};
    for (const ObservedContainer& c : observed.containers) {
        if (belongs(c, target)) m.candidates[{c.service, c.number}].push_back(&c);
    }
    std::vector<Slot> slots;
    for (const std::string& name : order) {
        const sources::Service& service = target.project.services.at(name);
        for (int number = 1; number <= service.replicas; ++number) {
            Slot slot;
            slot.service = name;
            slot.number = number;
            slot.name = container_name(target.project, service, number);
            slot.wanted = &service;
            fill(m, slot);
            slots.push_back(std::move(slot));
        }
    }
    for (const auto& [place, containers] : m.candidates) {
        Slot slot;
        slot.service = place.first;
        slot.number = place.second;
        slot.leaving = containers;
        auto service = target.project.services.find(place.first);
        slot.reason = service == target.project.services.end()
                          ? "removed from the project"
                          : "scaled down to " + std::to_string(service->second.replicas);
        slots.push_back(std::move(slot));
    }
    check_names(slots, target, observed);
    return slots;
}

}  // namespace kedge::reconciler

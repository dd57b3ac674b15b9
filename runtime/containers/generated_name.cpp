#include "runtime/containers/generated_name.h"

#include <array>
#include <random>

namespace kedge::runtime {

namespace {

// Weather and temper at sea.
constexpr std::array kAdjectives = {
    "able",   "airy",   "amber",   "ample", "bold",   "brave",  "bright",  "brisk",  "calm",   "candid",
    "clear",  "clever", "coastal", "cool",  "crisp",  "dapper", "deft",    "eager",  "early",  "easy",
    "even",   "fair",   "fleet",   "frank", "fresh",  "gentle", "glad",    "golden", "grand",  "hardy",
    "hearty", "humble", "jolly",   "keen",  "kind",   "level",  "light",   "lively", "lucid",  "mellow",
    "merry",  "mild",   "modest",  "neat",  "nimble", "noble",  "patient", "placid", "plucky", "polite",
    "prompt", "quiet",  "ready",   "salty", "serene", "silver", "snug",    "steady", "sturdy", "sunny",
    "swift",  "tidal",  "tidy",    "true",  "upbeat", "vivid",  "warm",    "wise",
};

// Navigators, shipwrights, makers of charts and clocks, and people who studied the sea.
constexpr std::array kSurnames = {
    "agnesi",    "amundsen",     "baffin",        "banks",    "baret",   "barents",  "beaufort", "bering",
    "bligh",     "bougainville", "bowditch",      "brunel",   "cabot",   "carson",   "cook",     "cousteau",
    "dampier",   "davis",        "drake",         "earle",    "ericson", "fitzroy",  "flinders", "franklin",
    "frobisher", "froude",       "gerritsz",      "gilbert",  "halley",  "harrison", "hudson",   "humboldt",
    "joliet",    "kelvin",       "laperouse",     "magellan", "magnus",  "maury",    "mercator", "nansen",
    "ortelius",  "parry",        "piccard",       "plimsoll", "polo",    "pytheas",  "rennell",  "ross",
    "sarmiento", "scoresby",     "shackleton",    "slocum",   "sumner",  "tasman",   "tharp",    "torres",
    "vancouver", "vespucci",     "waldseemuller", "wegener",  "zheng",
};

}  // namespace

std::string generated_name(bool with_number) {
    static thread_local std::mt19937 random{std::random_device{}()};
    auto pick = [](const auto& words) { return std::string(words[random() % words.size()]); };
    std::string name = pick(kAdjectives) + "_" + pick(kSurnames);
    if (with_number) name += std::to_string(random() % 10);
    return name;
}

}  // namespace kedge::runtime

#include "base/error.h"
#include "cli/format.h"
#include "cli/session.h"

#include <nlohmann/json.hpp>

namespace kedge::cli {

using nlohmann::json;

namespace {

struct PruneOptions {
    bool force = false, all = false, volumes = false;
    std::vector<std::string> filters;
};

/// What each kind of clean-up says, and where the agent's answer has what is gone.
struct Kind {
    const char* path;
    const char* warning;
    const char* heading;
    const char* member;
};

constexpr Kind kContainers = {"/containers/prune", "all stopped containers",
                              "Deleted Containers:", "ContainersDeleted"};
constexpr Kind kNetworks = {"/networks/prune", "all networks not used by at least one container",
                            "Deleted Networks:", "NetworksDeleted"};
constexpr Kind kVolumes = {"/volumes/prune", "anonymous volumes not used by at least one container",
                           "Deleted Volumes:", "VolumesDeleted"};
constexpr Kind kCache = {"/build/prune", "unused build cache", "Deleted build cache objects:", "CachesDeleted"};
constexpr Kind kImages = {"/images/prune", "all dangling images", "Deleted Images:", "ImagesDeleted"};

/// Cleans up one kind and prints what is gone; the bytes that it freed.
int64_t clean_up(const Client& client, const Kind& kind, const std::vector<std::string>& filters) {
    json answer = client.post(std::string(kind.path) + query({{"filters", filters_parameter(filters)}}));
    json gone = answer.value(kind.member, json::array());
    if (gone.is_array() && !gone.empty()) {
        std::string text = std::string(kind.heading) + "\n";
        for (const json& item : gone) {
            if (item.is_string())
                text += item.get<std::string>() + "\n";
            else if (item.contains("Untagged"))
                text += "untagged: " + text_of(item, "Untagged") + "\n";
            else
                text += "deleted: " + text_of(item, "Deleted") + "\n";
        }
        print(text + "\n");
    }
    return number_of(answer, "SpaceReclaimed");
}

bool agreed(const PruneOptions& options, const std::string& what) {
    return options.force || confirmed("WARNING! This will remove " + what + ".\nAre you sure you want to continue?");
}

constexpr const char* kFilters = "label=NAME[=value], label!=NAME[=value], until=TIME (24h, 2026-01-02)";

void print_freed(int64_t bytes) {
    print("Total reclaimed space: " + human_size(bytes, kDigitsOfSums) + "\n");
}

std::shared_ptr<PruneOptions> prune_options(CommandLine line, const char* filters) {
    auto options = std::make_shared<PruneOptions>();
    line.add_flag("-f,--force", options->force, "Don't ask");
    line.add_list("--filter", options->filters, filters);
    return options;
}

void set_up_container_prune(CommandLine line, const std::shared_ptr<Session>& session) {
    auto options = prune_options(line, kFilters);
    line.callback([=] {
        if (agreed(*options, kContainers.warning))
            print_freed(clean_up(session->client(), kContainers, options->filters));
    });
}

void set_up_network_prune(CommandLine line, const std::shared_ptr<Session>& session) {
    auto options = prune_options(line, kFilters);
    line.callback([=] {
        if (agreed(*options, kNetworks.warning)) (void)clean_up(session->client(), kNetworks, options->filters);
    });
}

void set_up_volume_prune(CommandLine line, const std::shared_ptr<Session>& session) {
    auto options = prune_options(line, "label=NAME[=value], label!=NAME[=value]");
    line.add_flag("-a,--all", options->all, "Also those with a name");
    line.callback([=] {
        std::string what = options->all ? "all volumes not used by at least one container" : kVolumes.warning;
        if (!agreed(*options, what)) return;
        std::vector<std::string> filters = options->filters;
        if (options->all) filters.push_back("all=true");
        print_freed(clean_up(session->client(), kVolumes, filters));
    });
}

std::vector<std::string> image_filters(const PruneOptions& options) {
    std::vector<std::string> filters = options.filters;
    if (options.all) filters.push_back("dangling=false");
    return filters;
}

void set_up_image_prune(CommandLine line, const std::shared_ptr<Session>& session) {
    auto options = prune_options(line, kFilters);
    line.add_flag("-a,--all", options->all, "Every image that no container and no kept release uses");
    line.callback([=] {
        if (!agreed(*options,
                    options->all ? "all images without at least one container associated to them" : kImages.warning))
            return;
        print_freed(clean_up(session->client(), kImages, image_filters(*options)));
    });
}

void set_up_system_prune(CommandLine line, const std::shared_ptr<Session>& session) {
    auto options = prune_options(line, kFilters);
    line.add_flag("-a,--all", options->all, "Every image that no container and no kept release uses");
    line.add_flag("--volumes", options->volumes, "Also anonymous volumes");
    line.callback([=] {
        for (const std::string& filter : options->filters) {
            if (options->volumes && filter.starts_with("until="))
                throw Error(Code::invalid_argument, "the \"until\" filter is not supported with \"--volumes\"");
        }
        std::string what = std::string(":\n  - ") + kContainers.warning + "\n  - " + kNetworks.warning + "\n";
        if (options->volumes) what += std::string("  - ") + kVolumes.warning + "\n";
        what += std::string("  - ") +
                (options->all ? "all images without at least one container associated to them" : kImages.warning) +
                "\n";
        if (options->filters.empty()) what += std::string("  - ") + kCache.warning + "\n";
        if (!options->force && !confirmed("WARNING! This will remove" + what + "\nAre you sure you want to continue?"))
            return;
        Client client = session->client();
        int64_t freed = clean_up(client, kContainers, options->filters);
        (void)clean_up(client, kNetworks, options->filters);
        if (options->volumes) freed += clean_up(client, kVolumes, options->filters);
        freed += clean_up(client, kImages, image_filters(*options));
        if (options->filters.empty()) freed += clean_up(client, kCache, {});
        print_freed(freed);
    });
}

}  // namespace

std::vector<Command> prune_commands() {
    return {{"container", "Remove stopped containers", "  kedge container prune -f", set_up_container_prune},
            {"image", "Remove images that have no name", "  kedge image prune\n  kedge image prune -a -f",
             set_up_image_prune},
            {"volume", "Remove anonymous volumes that no container uses", "  kedge volume prune", set_up_volume_prune},
            {"network", "Remove networks that no container uses", "  kedge network prune", set_up_network_prune},
            {"system", "Remove what is not used", "  kedge system prune -f\n  kedge system prune -a --volumes",
             set_up_system_prune}};
}

}  // namespace kedge::cli

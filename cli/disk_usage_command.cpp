#include "base/clock.h"
#include "base/error.h"
#include "cli/format.h"
#include "cli/image_list.h"
#include "cli/session.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace kedge::cli {

using nlohmann::json;

namespace {

/// How much of a kind there is, and how much of it could go.
struct Sum {
    int64_t total = 0, active = 0, size = 0, used = 0;
};

json row_of(const char* type, const Sum& sum, bool with_share) {
    const int64_t rest = std::max<int64_t>(sum.size - sum.used, 0);
    std::string reclaimable = human_size(rest, kDigitsOfSums);
    if (with_share && sum.size > 0) reclaimable += fmt::format(" ({}%)", rest * 100 / sum.size);
    return {{"Type", type},
            {"TotalCount", std::to_string(sum.total)},
            {"Active", std::to_string(sum.active)},
            {"Size", human_size(sum.size, kDigitsOfSums)},
            {"Reclaimable", reclaimable}};
}

Sum sum_of_images(const json& usage) {
    Sum sum;
    sum.size = number_of(usage, "LayersSize");
    for (const json& image : usage.value("Images", json::array())) {
        ++sum.total;
        if (number_of(image, "Containers") <= 0) continue;
        ++sum.active;
        sum.used += number_of(image, "Size") - number_of(image, "SharedSize");
    }
    // What images in use share with each other is used as well.
    bool all = sum.active == sum.total;
    if (all) sum.used = sum.size;
    return sum;
}

Sum sum_of_containers(const json& usage) {
    Sum sum;
    for (const json& container : usage.value("Containers", json::array())) {
        const std::string state = text_of(container, "State");
        const bool active = state == "running" || state == "paused" || state == "restarting";
        ++sum.total;
        sum.size += number_of(container, "SizeRw");
        if (!active) continue;
        ++sum.active;
        sum.used += number_of(container, "SizeRw");
    }
    return sum;
}

Sum sum_of_volumes(const json& usage) {
    Sum sum;
    for (const json& volume : usage.value("Volumes", json::array())) {
        const json data = volume.value("UsageData", json::object());
        ++sum.total;
        sum.size += number_of(data, "Size");
        if (number_of(data, "RefCount") == 0) continue;
        ++sum.active;
        sum.used += number_of(data, "Size");
    }
    return sum;
}

Sum sum_of_cache(const json& usage) {
    Sum sum;
    for (const json& record : usage.value("BuildCache", json::array())) {
        ++sum.total;
        const bool in_use = record.value("InUse", false);
        if (in_use) ++sum.active;
        if (record.value("Shared", false)) continue;
        sum.size += number_of(record, "Size");
        if (in_use) sum.used += number_of(record, "Size");
    }
    return sum;
}

json image_usage(const json& usage) {
    json rows = json::array();
    for (const json& image : usage.value("Images", json::array())) {
        const int64_t size = number_of(image, "Size"), shared = number_of(image, "SharedSize");
        for (json row : image_rows(json::array({image}), false, false)) {
            row["SharedSize"] = human_size(shared, kDigitsOfSums);
            row["UniqueSize"] = human_size(size - shared, kDigitsOfSums);
            rows.push_back(std::move(row));
        }
    }
    return rows;
}

json container_usage(const json& usage) {
    json rows = json::array();
    for (const json& container : usage.value("Containers", json::array())) {
        int64_t volumes = 0;
        for (const json& mount : container.value("Mounts", json::array()))
            volumes += text_of(mount, "Type") == "volume";
        const WallTime created{std::chrono::seconds(number_of(container, "Created"))};
        rows.push_back({{"ID", short_id(text_of(container, "Id"))},
                        {"Image", text_of(container, "Image")},
                        {"Command", "\"" + truncated(text_of(container, "Command"), 20) + "\""},
                        {"LocalVolumes", std::to_string(volumes)},
                        {"Size", human_size(number_of(container, "SizeRw"))},
                        {"RunningFor", human_duration(wall_now() - created) + " ago"},
                        {"Status", text_of(container, "Status")},
                        {"Names", container_names(container)}});
    }
    return rows;
}

json volume_usage(const json& usage) {
    json rows = json::array();
    for (const json& volume : usage.value("Volumes", json::array())) {
        const json data = volume.value("UsageData", json::object());
        rows.push_back({{"Name", text_of(volume, "Name")},
                        {"Links", std::to_string(number_of(data, "RefCount"))},
                        {"Size", human_size(number_of(data, "Size"), kDigitsOfSums)}});
    }
    return rows;
}

void print_details(const json& usage) {
    const ListStyle table;
    print("Images space usage:\n\n");
    print_rows(table,
               {{"REPOSITORY", "Repository"},
                {"TAG", "Tag"},
                {"IMAGE ID", "ID"},
                {"CREATED", "CreatedSince"},
                {"SIZE", "Size"},
                {"SHARED SIZE", "SharedSize"},
                {"UNIQUE SIZE", "UniqueSize"},
                {"CONTAINERS", "Containers"}},
               image_usage(usage), "ID");
    print("\nContainers space usage:\n\n");
    print_rows(table,
               {{"CONTAINER ID", "ID"},
                {"IMAGE", "Image"},
                {"COMMAND", "Command"},
                {"LOCAL VOLUMES", "LocalVolumes"},
                {"SIZE", "Size"},
                {"CREATED", "RunningFor"},
                {"STATUS", "Status"},
                {"NAMES", "Names"}},
               container_usage(usage), "ID");
    print("\nLocal Volumes space usage:\n\n");
    print_rows(table, {{"VOLUME NAME", "Name"}, {"LINKS", "Links"}, {"SIZE", "Size"}}, volume_usage(usage), "Name");
    print("\nBuild cache usage: " + human_size(sum_of_cache(usage).size, kDigitsOfSums) + "\n\n");
}

void set_up_df(CommandLine line, const std::shared_ptr<Session>& session) {
    struct Options {
        ListStyle style;
        bool verbose = false;
    };
    auto options = std::make_shared<Options>();
    line.add_option("--format", options->style.format, "table, json, or a template such as '{{.Type}} {{.Size}}'");
    line.add_flag("-v,--verbose", options->verbose, "Every image, container and volume");
    line.callback([=] {
        if (options->verbose && options->style.format != "table")
            throw Error(Code::invalid_argument, "--format and --verbose can't be given together");
        const json usage = session->client().get("/system/df");
        if (options->verbose) return print_details(usage);
        json rows = json::array(
            {row_of("Images", sum_of_images(usage), true), row_of("Containers", sum_of_containers(usage), true),
             row_of("Local Volumes", sum_of_volumes(usage), true), row_of("Build Cache", sum_of_cache(usage), false)});
        print_rows(options->style,
                   {{"TYPE", "Type"},
                    {"TOTAL", "TotalCount"},
                    {"ACTIVE", "Active"},
                    {"SIZE", "Size"},
                    {"RECLAIMABLE", "Reclaimable"}},
                   rows, "Type");
    });
}

}  // namespace

Command disk_usage_command() {
    return {"df", "What images, containers and volumes take on disk", "  kedge system df\n  kedge system df -v",
            set_up_df};
}

}  // namespace kedge::cli

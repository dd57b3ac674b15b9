#include "base/clock.h"
#include "base/error.h"
#include "cli/format.h"
#include "cli/image_list.h"
#include "cli/image_name.h"
#include "cli/session.h"

#include <nlohmann/json.hpp>

namespace kedge::cli {

using nlohmann::json;

namespace {

constexpr const char* kNone = "<none>";

/// The digest that an image is known by in this repository; empty if it did not come from there.
std::string digest_in(const json& image, const std::string& repository) {
    for (const json& digest : image.value("RepoDigests", json::array())) {
        ImageName name = ImageName::parse(digest.get<std::string>());
        if (name.repository == repository) return name.digest;
    }
    return {};
}

struct ImagesOptions {
    ListStyle style;
    std::string name;
    std::vector<std::string> filters;
    bool digests = false, all = false;
};

void list_images(const Session& session, const ImagesOptions& options) {
    std::vector<std::string> filters = options.filters;
    if (!options.name.empty()) filters.push_back("reference=" + options.name);
    json images = session.client().get(
        "/images/json" + query({{"all", options.all ? "1" : ""}, {"filters", filters_parameter(filters)}}));
    std::vector<Column> columns = {{"REPOSITORY", "Repository"},
                                   {"TAG", "Tag"},
                                   {"IMAGE ID", "ID"},
                                   {"CREATED", "CreatedSince"},
                                   {"SIZE", "Size"}};
    if (options.digests) columns.insert(columns.begin() + 2, {"DIGEST", "Digest"});
    json rows = image_rows(images, options.style.no_trunc, options.digests);
    print_rows(options.style, columns, rows, "ID");
}

void set_up_images(CommandLine line, const std::shared_ptr<Session>& session) {
    auto options = std::make_shared<ImagesOptions>();
    add_list_options(line, options->style);
    line.add_option("name", options->name, "Only REPOSITORY[:TAG]; * stands for anything");
    line.add_flag("-a,--all", options->all, "All of them, which is what there is");
    line.add_flag("--digests", options->digests, "With the digests that registries know them by");
    line.add_list("-f,--filter", options->filters, "name=value: dangling, label, reference, before, since, until");
    line.refuse_options({"--tree"});
    line.callback([=] { list_images(*session, *options); });
}

void set_up_rmi(CommandLine line, const std::shared_ptr<Session>& session) {
    struct Options {
        std::vector<std::string> names;
        bool force = false, no_prune = false;
    };
    auto options = std::make_shared<Options>();
    line.add_option("images", options->names, "Names or ids").required();
    line.add_flag("-f,--force", options->force, "All names of an id; what is not there is no failure");
    line.add_flag("--no-prune", options->no_prune, "As always: kedge keeps no untagged parents of images");
    line.refuse_options({"--platform"});
    line.callback([=] {
        Client client = session->client();
        for_each_name(options->names, *session, [&](const std::string& name) {
            json removed;
            try {
                removed = client.remove(
                    "/images/" + escape(name) +
                    query({{"force", options->force ? "1" : ""}, {"noprune", options->no_prune ? "1" : ""}}));
            } catch (const Error& error) {
                if (!options->force || error.code() != Code::not_found) throw;
                return print_error(error);  // as Docker: said, but no failure
            }
            for (const json& item : removed) {
                for (const auto& [what, which] : item.items()) print(what + ": " + which.get<std::string>() + "\n");
            }
        });
    });
}

void set_up_tag(CommandLine line, const std::shared_ptr<Session>& session) {
    auto source = std::make_shared<std::string>(), target = std::make_shared<std::string>();
    line.add_option("image", *source, "The image, by name or id").required();
    line.add_option("name", *target, "Its further name, REPOSITORY[:TAG]").required();
    line.callback([=] {
        (void)session->client().post("/images/" + escape(*source) + "/tag" + query({{"repo", *target}}));
    });
}

json history_row(const json& line, bool no_trunc, bool human) {
    WallTime created{std::chrono::seconds(number_of(line, "Created"))};
    std::string id = text_of(line, "Id"), by = text_of(line, "CreatedBy");
    int64_t size = number_of(line, "Size");
    bool known = number_of(line, "Created") > 0;
    return {{"ID", no_trunc || id.starts_with("<") ? id : short_id(id)},
            {"CreatedAt", known ? local_seconds(created) : ""},
            {"CreatedSince", !known  ? "N/A"
                             : human ? human_duration(wall_now() - created) + " ago"
                                     : local_seconds(created)},
            {"CreatedBy", no_trunc ? by : truncated(by, 45)},
            {"Size", human ? human_size(size) : std::to_string(size)},
            {"Comment", text_of(line, "Comment")}};
}

}  // namespace

void show_image_history(const Client& client, const std::string& image, const ListStyle& style, bool human) {
    json rows = json::array();
    for (const json& line : client.get("/images/" + escape(image) + "/history"))
        rows.push_back(history_row(line, style.no_trunc, human));
    print_rows(style,
               {{"IMAGE", "ID"},
                {"CREATED", "CreatedSince"},
                {"CREATED BY", "CreatedBy"},
                {"SIZE", "Size"},
                {"COMMENT", "Comment"}},
               rows, "ID");
}

namespace {

void set_up_history(CommandLine line, const std::shared_ptr<Session>& session) {
    struct Options {
        ListStyle style;
        std::string image;
        bool human = true;
    };
    auto options = std::make_shared<Options>();
    line.no_short_help();
    add_list_options(line, options->style);
    line.add_option("image", options->image, "The image").required();
    line.add_flag("-H,--human", options->human, "Sizes and times for people (true)");
    line.refuse_options({"--platform"});
    line.callback([=] { show_image_history(session->client(), options->image, options->style, options->human); });
}

}  // namespace

json image_rows(const json& images, bool no_trunc, bool digests) {
    json rows = json::array();
    for (const json& image : images) {
        WallTime created{std::chrono::seconds(number_of(image, "Created"))};
        std::string id = text_of(image, "Id"), size = human_size(number_of(image, "Size"));
        int64_t containers = number_of(image, "Containers");
        json row = {{"Repository", kNone},
                    {"Tag", kNone},
                    {"Digest", kNone},
                    {"ID", no_trunc ? id : short_id(id)},
                    {"CreatedAt", go_time(created)},
                    {"CreatedSince", human_duration(wall_now() - created) + " ago"},
                    {"Size", size},
                    {"VirtualSize", human_size(number_of(image, "Size"), kDigitsOfSums)},
                    {"SharedSize", "N/A"},
                    {"UniqueSize", "N/A"},
                    {"Containers", containers < 0 ? "N/A" : std::to_string(containers)}};
        json tags = image.value("RepoTags", json::array());
        for (const json& tag : tags) {
            ImageName name = ImageName::parse(tag.get<std::string>());
            std::string digest = digest_in(image, name.repository);
            row.update({{"Repository", name.repository},
                        {"Tag", name.tag},
                        {"Digest", digests && !digest.empty() ? digest : kNone}});
            rows.push_back(row);
        }
        if (!tags.empty()) continue;
        json repo_digests = image.value("RepoDigests", json::array());
        if (!repo_digests.empty()) {
            ImageName name = ImageName::parse(repo_digests[0].get<std::string>());
            row.update({{"Repository", name.repository}, {"Digest", digests ? name.digest : kNone}});
        }
        rows.push_back(row);
    }
    return rows;
}

std::vector<Command> image_commands() {
    return {{"images", "List images",
             "  kedge images\n  kedge images --filter dangling=true -q\n  kedge images 'shop/*'", set_up_images},
            {"rmi", "Remove images", "  kedge rmi shop/web:1\n  kedge rmi -f 4f1d2c3b5a69", set_up_rmi},
            {"tag", "Give an image another name", "  kedge tag shop/web:2 shop/web:stable", set_up_tag}};
}

Command image_history_command() {
    return {"history", "How an image was made, newest step first", "  kedge image history shop/web:2", set_up_history};
}

}  // namespace kedge::cli

#include "base/error.h"
#include "cli/session.h"
#include "cli/template.h"

#include <nlohmann/json.hpp>

namespace kedge::cli {

using nlohmann::json;

namespace {

struct InspectOptions {
    std::vector<std::string> names;
    std::string format, kind;
    bool size = false;
};

/// A container, else an image, a network or a volume of that name, as Docker looks for it.
json find_object(const Client& client, const std::string& name, const std::string& kind, bool size) {
    const std::pair<const char*, std::string> places[] = {
        {"container", "/containers/" + escape(name) + "/json" + (size ? "?size=1" : "")},
        {"image", "/images/" + escape(name) + "/json"},
        {"network", "/networks/" + escape(name)},
        {"volume", "/volumes/" + escape(name)}};
    for (const auto& [its_kind, path] : places) {
        if (!kind.empty() && kind != its_kind) continue;
        try {
            return client.get(path);
        } catch (const Error& error) {
            if (error.code() != Code::not_found || kind == its_kind) throw;
        }
    }
    throw Error(Code::not_found, "No such object: " + name);
}

void inspect(Session& session, const InspectOptions& options) {
    Client client = session.client();
    json found = json::array();
    for_each_name(options.names, session, [&](const std::string& name) {
        found.push_back(find_object(client, name, options.kind, options.size));
    });
    if (options.format.empty()) return print_json(found);
    if (options.format == "json") return print(found.dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
    for (const json& object : found) print(render_template(options.format, object) + "\n");
}

}  // namespace

void set_up_inspect(CommandLine line, const std::shared_ptr<Session>& session, const char* kind) {
    auto options = std::make_shared<InspectOptions>();
    line.add_option("names", options->names,
                    kind ? "Names or ids" : "Names or ids of containers, images, networks or volumes")
        .required();
    line.add_option("-f,--format", options->format, "json, or a template such as '{{.Name}}'");
    if (!kind || std::string_view(kind) == "container")
        line.add_flag("-s,--size", options->size, "Of containers, also what they take on disk");
    line.refuse_options({"-v,--verbose", "--platform"});
    if (kind)
        options->kind = kind;
    else
        line.add_option("--type", options->kind, "Only this kind").one_of({"container", "image", "network", "volume"});
    line.callback([=] { inspect(*session, *options); });
}

}  // namespace kedge::cli

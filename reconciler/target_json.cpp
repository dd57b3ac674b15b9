#include "base/error.h"
#include "reconciler/release_store.h"

#include <nlohmann/json.hpp>

namespace kedge::reconciler {

using nlohmann::json;

std::string to_json_text(const Target& target) {
    json images = json::object();
    for (const auto& [service, digest] : target.images) images[service] = digest.str();
    json text = {{"project", sources::to_json_text(target.project)},
                 {"images", images},
                 {"commit", target.commit},
                 {"release", target.release},
                 {"files", target.files}};
    return text.dump(-1, ' ', false, json::error_handler_t::replace);
}

Target target_from_json(const std::string& text) {
    try {
        json j = json::parse(text);
        Target target;
        target.project = sources::project_from_json(j.at("project").get<std::string>());
        for (const auto& [service, digest] : j.at("images").items()) {
            target.images[service] = Digest::parse(digest.get<std::string>());
        }
        target.commit = j.at("commit").get<std::string>();
        target.release = j.at("release").get<int64_t>();
        target.files = j.at("files").get<std::string>();
        return target;
    } catch (const json::exception& e) {
        throw Error(Code::internal, std::string("release target: ") + e.what());
    }
}

}  // namespace kedge::reconciler

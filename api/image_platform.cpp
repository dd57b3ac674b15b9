#include "api/image_platform.h"

#include "api/json_body.h"
#include "base/error.h"

namespace kedge::api {

std::vector<runtime::Platform> asked_platforms(const Request& request, const char* parameter, int since) {
    std::vector<runtime::Platform> platforms;
    if (request.api < since) return platforms;
    auto [first, last] = request.query.equal_range(parameter);
    for (auto asked = first; asked != last; ++asked) {
        if (asked->second.empty()) continue;
        const nlohmann::json text = parse_json(asked->second);
        const Fields fields(text, parameter);
        fields.refuse_others({"os", "architecture", "variant"});
        runtime::Platform platform{fields.text("os"), fields.text("architecture"), fields.text("variant")};
        if (platform.os.empty() || platform.architecture.empty()) {
            throw Error(Code::invalid_argument, std::string(parameter) + ": both OS and Architecture must be provided");
        }
        platforms.push_back(platform);
    }
    if (platforms.size() > 1)
        throw Error(Code::invalid_argument, std::string(parameter) + ": multiple platforms are not supported");
    return platforms;
}

void expect_platform(const runtime::ImageInfo& info, const std::string& name, const runtime::Platform& asked) {
    const runtime::Platform& found = info.platform;
    const bool same_variant = asked.variant.empty() || found.variant.empty() || asked.variant == found.variant;
    if (asked.os == found.os && asked.architecture == found.architecture && same_variant) return;
    throw Error(Code::not_found, "image with reference " + name + " was found but its platform (" + found.str() +
                                     ") does not match the specified platform (" + asked.str() + ")");
}

runtime::ImageInfo image_of_platform(const runtime::Images& images, const Request& request, const char* parameter,
                                     int since) {
    const std::string& name = request.captures.at("name");
    const std::vector<runtime::Platform> asked = asked_platforms(request, parameter, since);
    runtime::ImageInfo info = images.get(name);
    for (const runtime::Platform& platform : asked) expect_platform(info, name, platform);
    return info;
}

}  // namespace kedge::api

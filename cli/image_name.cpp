#include "cli/image_name.h"

namespace kedge::cli {

ImageName ImageName::parse(const std::string& text) {
    ImageName name;
    name.repository = text;
    if (size_t at = text.find('@'); at != std::string::npos) {
        name.digest = text.substr(at + 1);
        name.repository.resize(at);
    }
    size_t colon = name.repository.rfind(':'), slash = name.repository.rfind('/');
    // A colon before the last slash is that of a registry's port.
    if (colon != std::string::npos && (slash == std::string::npos || colon > slash)) {
        name.tag = name.repository.substr(colon + 1);
        name.repository.resize(colon);
    }
    return name;
}

std::string ImageName::with_tag() const {
    std::string text = repository;
    if (!tag.empty()) text += ":" + tag;
    if (!digest.empty()) text += "@" + digest;
    return has_tag() ? text : text + ":latest";
}

std::string ImageName::full() const {
    std::string first = repository.substr(0, repository.find('/'));
    bool has_registry = first != repository && (first.find_first_of(".:") != std::string::npos || first == "localhost");
    if (has_registry) return with_tag();
    return (first == repository ? "docker.io/library/" : "docker.io/") + with_tag();
}

}  // namespace kedge::cli

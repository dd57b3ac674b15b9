#include "cli/copy_paths.h"

#include "base/error.h"

#include <algorithm>
#include <vector>

namespace kedge::cli {

namespace {

std::string last_part(const std::string& path) {
    std::string text = path;
    while (text.size() > 1 && text.ends_with('/')) text.pop_back();
    size_t slash = text.rfind('/');
    return slash == std::string::npos || text == "/" ? text : text.substr(slash + 1);
}

bool ends_with_dot(const std::string& path) {
    return last_part(path) == ".";
}

}  // namespace

CopyArgument CopyArgument::parse(const std::string& text) {
    size_t colon = text.find(':');
    if (text.starts_with('/') || text.starts_with('.') || colon == std::string::npos) return {{}, text};
    return {text.substr(0, colon), text.substr(colon + 1)};
}

std::string clean_words(const std::string& path) {
    bool rooted = path.starts_with('/');
    std::vector<std::string> parts;
    for (size_t start = 0; start < path.size();) {
        size_t end = std::min(path.find('/', start), path.size());
        std::string part = path.substr(start, end - start);
        start = end + 1;
        if (part.empty() || part == ".") continue;
        if (part != "..")
            parts.push_back(part);
        else if (!parts.empty() && parts.back() != "..")
            parts.pop_back();
        else if (!rooted)
            parts.push_back(part);
    }
    std::string result = rooted ? "/" : "";
    for (size_t i = 0; i < parts.size(); ++i) result += (i ? "/" : "") + parts[i];
    return result.empty() ? "." : result;
}

SplitPath::SplitPath(const std::string& path) {
    std::string clean = clean_words(path);
    if (ends_with_dot(path)) clean += clean.ends_with('/') ? "." : "/.";
    size_t slash = clean.rfind('/');
    name = clean == "/" ? "/" : clean.substr(slash == std::string::npos ? 0 : slash + 1);
    folder = slash == std::string::npos ? "." : slash == 0 ? "/" : clean.substr(0, slash);
}

bool names_folder(const std::string& path) {
    return path.ends_with('/') || ends_with_dot(path);
}

std::string absolute(const std::string& folder, const std::string& path) {
    std::string clean = clean_words(path.starts_with('/') ? path : folder + "/" + path);
    if (ends_with_dot(path)) return clean + (clean.ends_with('/') ? "." : "/.");
    return path.ends_with('/') && clean != "/" ? clean + "/" : clean;
}

CopyPlan plan_copy(const CopySide& source, const CopySide& target) {
    if (target.exists && target.is_folder) return {target.path, {}};
    if (target.exists && source.is_folder) throw Error(Code::invalid_argument, "cannot copy directory");
    if (!target.exists && !source.is_folder && names_folder(target.path))
        throw Error(Code::invalid_argument, "no such directory");
    SplitPath split(target.path);
    return {split.folder, split.name};
}

std::string renamed(const std::string& path, const std::string& from, const std::string& to) {
    std::string begin = from == "/" ? "" : from;
    if (!path.starts_with(begin) || (path.size() > begin.size() && path[begin.size()] != '/')) return path;
    return to + path.substr(begin.size());
}

CopySide behind_link(const std::string& link, std::string target) {
    CopySide side;
    if (ends_with_dot(link) && !ends_with_dot(target)) target += "/.";
    if (link.ends_with('/') && !target.ends_with('/')) target += '/';
    if (last_part(link) != last_part(target)) side.shown_as = last_part(link);
    side.path = std::move(target);
    return side;
}

}  // namespace kedge::cli

#include "runtime/log_attributes.h"

#include "base/error.h"
#include "base/text.h"
#include "runtime/containers.h"
#include "runtime/containers/etc_files.h"

#include <re2/re2.h>

#include <functional>
#include <memory>

namespace kedge::runtime {

namespace {

using Texts = std::map<std::string, std::string>;

std::unique_ptr<RE2> parse_expression(const std::string& text) {
    RE2::Options options;
    options.set_log_errors(false);
    auto expression = std::make_unique<RE2>(text, options);
    if (!expression->ok())
        throw Error(Code::invalid_argument, "error parsing regexp: " + expression->error() + ": `" + text + "`");
    return expression;
}

std::string command_of(const ContainerInfo& info) {
    std::string line;
    for (const std::string& argument : info.arguments) line += (line.empty() ? "" : " ") + argument;
    return line;
}

using Field = std::function<std::string(const ContainerInfo&)>;

/// What a tag may name.
const std::map<std::string, Field>& tag_fields() {
    static const std::map<std::string, Field> fields = {
        {"ID", [](const ContainerInfo& i) { return i.id.substr(0, 12); }},
        {"FullID", [](const ContainerInfo& i) { return i.id; }},
        {"Name", [](const ContainerInfo& i) { return i.name; }},
        {"ImageID", [](const ContainerInfo& i) { return i.image_id.str().substr(0, 12); }},
        {"ImageFullID", [](const ContainerInfo& i) { return i.image_id.str(); }},
        {"ImageName",
         [](const ContainerInfo& i) { return i.spec.image_name.empty() ? i.spec.image : i.spec.image_name; }},
        {"DaemonName", [](const ContainerInfo&) { return std::string("kedge"); }},
        {"Command", command_of},
        {"Hostname", [](const ContainerInfo&) { return host_name(); }}};
    return fields;
}

/// The text of a tag with its fields; `value` is asked for each.
std::string expand_tag(const std::string& tag, const std::function<std::string(const Field&)>& value) {
    std::string result;
    for (size_t at = 0; at < tag.size();) {
        const size_t begin = tag.find("{{", at), end = begin == std::string::npos ? begin : tag.find("}}", begin);
        result += tag.substr(at, begin - at);
        if (begin == std::string::npos) break;
        if (end == std::string::npos)
            throw Error(Code::invalid_argument, "log opt tag: \"" + tag + "\": unclosed action");
        std::string name = tag.substr(begin + 2, end - begin - 2);
        while (name.starts_with(' ')) name.erase(0, 1);
        while (name.ends_with(' ')) name.pop_back();
        auto field = tag_fields().find(name.starts_with('.') ? name.substr(1) : std::string());
        if (field == tag_fields().end())
            throw Error(Code::invalid_argument, "log opt tag: \"" + name + "\" is none of the fields that a tag has",
                        "{{.ID}}, {{.FullID}}, {{.Name}}, {{.ImageID}}, {{.ImageFullID}}, {{.ImageName}}, "
                        "{{.DaemonName}}, {{.Command}} and {{.Hostname}}");
        result += value(field->second);
        at = end + 2;
    }
    return result;
}

void take_named(const Texts& from, const std::string& names, Texts& result) {
    for (const std::string& name : split(names, ',')) {
        if (auto found = from.find(name); found != from.end()) result[name] = found->second;
    }
}

void take_matching(const Texts& from, const std::string& text, Texts& result) {
    if (text.empty()) return;
    const std::unique_ptr<RE2> expression = parse_expression(text);
    for (const auto& [name, value] : from)
        if (RE2::PartialMatch(name, *expression)) result[name] = value;
}

}  // namespace

Texts log_attributes(const ContainerInfo& info) {
    const Texts& options = info.spec.log.options;
    auto option = [&](const char* key) {
        auto found = options.find(key);
        return found == options.end() ? std::string() : found->second;
    };
    Texts variables;
    for (const std::string& variable : info.environment) {
        const size_t equals = variable.find('=');
        if (equals != std::string::npos) variables[variable.substr(0, equals)] = variable.substr(equals + 1);
    }
    Texts result;
    take_named(info.labels, option("labels"), result);
    take_matching(info.labels, option("labels-regex"), result);
    take_named(variables, option("env"), result);
    take_matching(variables, option("env-regex"), result);
    if (const std::string tag = option("tag"); !tag.empty())
        result["tag"] = expand_tag(tag, [&](const Field& field) { return field(info); });
    return result;
}

bool check_log_attribute(const std::string& key, const std::string& value) {
    if (key == "labels" || key == "env") return true;
    if (key == "labels-regex" || key == "env-regex") {
        (void)parse_expression(value);
        return true;
    }
    if (key != "tag") return false;
    (void)expand_tag(value, [](const Field&) { return std::string(); });
    return true;
}

}  // namespace kedge::runtime

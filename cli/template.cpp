#include "cli/template.h"

#include "base/error.h"
#include "cli/template_functions.h"
#include "cli/template_parser.h"

#include <cctype>
#include <map>
#include <set>

namespace kedge::cli {

using nlohmann::json;

namespace {

/// What Go prints of a member without a value depends on its type, which JSON doesn't tell: lists are the most.
std::string printed_nothing(const TemplatePipeline& pipeline) {
    static const std::set<std::string> kMaps = {"ExposedPorts", "Labels", "Options", "Ports", "Sysctls", "Volumes"};
    static const std::set<std::string> kPointers = {"Health",           "Healthcheck",    "IPAMConfig", "Init",
                                                    "MemorySwappiness", "OomKillDisable", "PidsLimit",  "Platform",
                                                    "StopTimeout",      "UsageData"};
    const TemplateTerm& term = pipeline.commands.back().front();
    bool is_member = term.kind == TemplateTerm::Kind::member || term.kind == TemplateTerm::Kind::variable;
    if (!is_member || term.path.empty()) return printed(nullptr);
    const std::string& name = term.path.back();
    bool of_event = term.path.size() > 1 && term.path[term.path.size() - 2] == "Attributes";
    return of_event ? printed(nullptr) : kMaps.contains(name) ? "map[]" : kPointers.contains(name) ? "<nil>" : "[]";
}

class Renderer {
public:
    explicit Renderer(const json& whole) : variables_{{"", whole}} {}

    std::string render(const std::vector<TemplateNode>& nodes, const json& dot) {
        std::string text;
        for (const TemplateNode& node : nodes) text += render(node, dot);
        return text;
    }

private:
    std::string render(const TemplateNode& node, const json& dot);
    std::string render_range(const TemplateNode& node, const json& dot);
    json value_of(const TemplatePipeline& pipeline, const json& dot);
    json value_of(const TemplateTerm& term, const json& dot, const std::string& expression);

    std::map<std::string, json> variables_;  ///< the empty name is the whole value
    bool lenient_ = false;                   ///< a condition asks for members that may be absent
};

std::string Renderer::render(const TemplateNode& node, const json& dot) {
    switch (node.kind) {
        case TemplateNode::Kind::text: return node.text;
        case TemplateNode::Kind::print: {
            json value = value_of(node.pipeline, dot);
            return value.is_null() ? printed_nothing(node.pipeline) : printed(value);
        }
        case TemplateNode::Kind::range: return render_range(node, dot);
        case TemplateNode::Kind::condition:
        case TemplateNode::Kind::with: break;
    }
    lenient_ = true;
    json value = value_of(node.pipeline, dot);
    lenient_ = false;
    if (!is_true(value)) return render(node.otherwise, dot);
    return render(node.body, node.kind == TemplateNode::Kind::with ? value : dot);
}

std::string Renderer::render_range(const TemplateNode& node, const json& dot) {
    json list = value_of(node.pipeline, dot);
    if (!list.is_array() && !list.is_object() && !list.is_null()) {
        throw Error(Code::invalid_argument,
                    "template: {{range" + node.pipeline.text + "}}: " + printed(list) + " has no parts");
    }
    if (list.empty()) return render(node.otherwise, dot);
    std::string text;
    int64_t position = 0;
    for (const auto& item : list.items()) {
        if (!node.variables.empty()) variables_[node.variables.back()] = item.value();
        if (node.variables.size() == 2)
            variables_[node.variables.front()] = list.is_array() ? json(position++) : json(item.key());
        text += render(node.body, item.value());
    }
    return text;
}

json Renderer::value_of(const TemplatePipeline& pipeline, const json& dot) {
    json result;
    for (size_t i = 0; i < pipeline.commands.size(); ++i) {
        const std::vector<TemplateTerm>& terms = pipeline.commands[i];
        bool calls = terms.front().kind == TemplateTerm::Kind::function;
        if (!calls && i > 0)
            throw Error(Code::invalid_argument,
                        "template: {{" + pipeline.text + "}}: only functions can stand after a |");
        if (!calls) {
            result = value_of(terms.front(), dot, pipeline.text);
            if (terms.size() > 1) result = call_function("index", {result, value_of(terms[1], dot, pipeline.text)});
            continue;
        }
        std::vector<json> arguments;
        for (size_t a = 1; a < terms.size(); ++a) arguments.push_back(value_of(terms[a], dot, pipeline.text));
        if (i > 0) arguments.push_back(result);
        result = call_function(terms.front().name, arguments);
    }
    return result;
}

json Renderer::value_of(const TemplateTerm& term, const json& dot, const std::string& expression) {
    json value;
    switch (term.kind) {
        case TemplateTerm::Kind::member: value = dot; break;
        case TemplateTerm::Kind::literal: value = term.literal; break;
        case TemplateTerm::Kind::group: value = value_of(*term.group, dot); break;
        case TemplateTerm::Kind::variable: {
            auto found = variables_.find(term.name);
            if (found == variables_.end())
                throw Error(Code::invalid_argument,
                            "template: {{" + expression + "}}: undefined variable \"$" + term.name + "\"");
            value = found->second;
            break;
        }
        case TemplateTerm::Kind::function: return call_function(term.name, {});
    }
    for (size_t i = 0; i < term.path.size(); ++i) {
        const std::string& member = term.path[i];
        bool there = value.is_object() && value.contains(member);
        // What an event tells depends on the event.
        bool may_be_absent = lenient_ || (i > 0 && term.path[i - 1] == "Attributes");
        if (!there && may_be_absent) return nullptr;
        if (!there) throw Error(Code::invalid_argument, "template: {{" + expression + "}}: there is no " + member);
        value = json(value[member]);
    }
    return value;
}

/// `SHARED SIZE` of SharedSize.
std::string heading_from(const std::string& member) {
    std::string words;
    for (size_t i = 0; i < member.size(); ++i) {
        bool begins_word = i > 0 && std::isupper(static_cast<unsigned char>(member[i])) &&
                           std::islower(static_cast<unsigned char>(member[i - 1]));
        if (begins_word) words += ' ';
        words += member[i];
    }
    return printed(call_function("upper", {words}));
}

}  // namespace

std::string render_template(const std::string& text, const json& value) {
    return Renderer(value).render(parse_template(text), value);
}

std::vector<std::string> split_columns(const std::string& text) {
    std::vector<std::string> parts(1);
    for (size_t i = 0; i < text.size(); ++i) {
        bool escaped = text.compare(i, 2, "\\t") == 0;
        if (text[i] != '\t' && !escaped) {
            parts.back() += text[i];
            continue;
        }
        parts.emplace_back();
        if (escaped) ++i;
    }
    return parts;
}

std::string template_heading(const std::string& text,
                             const std::function<std::string(const std::string& member)>& heading_of) {
    for (const TemplateNode& node : parse_template(text)) {
        for (const auto& command : node.pipeline.commands) {
            for (const TemplateTerm& term : command) {
                if (term.path.empty()) continue;
                if (term.path.front() == kLabels && command.size() > 1) return printed(command[1].literal);
                std::string known = heading_of(term.path.front());
                return known.empty() ? heading_from(term.path.back()) : known;
            }
        }
    }
    return text;
}

}  // namespace kedge::cli

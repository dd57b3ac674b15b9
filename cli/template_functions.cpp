#include "cli/template_functions.h"

#include "base/error.h"
#include "cli/format.h"

#include <algorithm>
#include <cstdio>
#include <map>

namespace kedge::cli {

using nlohmann::json;

namespace {

using Arguments = std::vector<json>;

Error wrong(const std::string& message) {
    return Error(Code::invalid_argument, "template: " + message);
}

const std::string& text(const std::string& function, const json& value) {
    if (!value.is_string()) throw wrong(function + ": " + printed(value) + " is not text");
    return value.get_ref<const std::string&>();
}

std::string each_character(const std::string& given, int (*change)(int)) {
    std::string result = given;
    std::transform(result.begin(), result.end(), result.begin(),
                   [&](unsigned char c) { return static_cast<char>(c < 128 ? change(c) : c); });
    return result;
}

json index(const Arguments& a) {
    json at = a[0];
    for (size_t i = 1; i < a.size(); ++i) {
        if (at.is_object() && a[i].is_string()) {
            at = at.value(a[i].get<std::string>(), json(""));  // Go's empty value, which for labels is ""
        } else if (at.is_array() && a[i].is_number_integer()) {
            int64_t position = a[i].get<int64_t>();
            if (position < 0 || position >= static_cast<int64_t>(at.size()))
                throw wrong("index: " + printed(a[i]) + " is out of range");
            at = json(at[static_cast<size_t>(position)]);
        } else {
            throw wrong("index: " + printed(at) + " has no " + printed(a[i]));
        }
    }
    return at;
}

/// From one position on, or up to another: of a text or a list.
json slice(const Arguments& a) {
    const bool of_text = a[0].is_string();
    if (!of_text && !a[0].is_array()) throw wrong("slice: " + printed(a[0]) + " is neither text nor a list");
    const size_t size = of_text ? a[0].get_ref<const std::string&>().size() : a[0].size();
    auto position = [&](size_t argument, size_t absent) {
        if (argument >= a.size()) return absent;
        if (!a[argument].is_number_integer()) throw wrong("slice: " + printed(a[argument]) + " is not a number");
        const int64_t at = a[argument].get<int64_t>();
        if (at < 0 || at > static_cast<int64_t>(size))
            throw wrong("slice: " + printed(a[argument]) + " is out of range");
        return static_cast<size_t>(at);
    };
    const size_t from = position(1, 0), to = position(2, size);
    if (from > to) throw wrong("slice: " + printed(a[1]) + " comes after " + printed(a[2]));
    if (of_text) return a[0].get_ref<const std::string&>().substr(from, to - from);
    return json(a[0].begin() + static_cast<std::ptrdiff_t>(from), a[0].begin() + static_cast<std::ptrdiff_t>(to));
}

json length(const Arguments& a) {
    if (a[0].is_string()) return a[0].get_ref<const std::string&>().size();
    return a[0].is_null() ? 0 : a[0].size();
}

json join(const Arguments& a) {
    std::string result;
    for (const json& item : a[0]) result += (result.empty() ? "" : text("join", a[1])) + printed(item);
    return result;
}

json split(const Arguments& a) {
    const std::string &whole = text("split", a[0]), &separator = text("split", a[1]);
    json parts = json::array();
    size_t from = 0;
    for (size_t at = separator.empty() ? std::string::npos : whole.find(separator); at != std::string::npos;
         at = whole.find(separator, from)) {
        parts.push_back(whole.substr(from, at - from));
        from = at + separator.size();
    }
    parts.push_back(whole.substr(from));
    return parts;
}

json truncate(const Arguments& a) {
    if (!a[1].is_number_integer()) throw wrong("truncate: " + printed(a[1]) + " is not a number");
    return text("truncate", a[0]).substr(0, static_cast<size_t>(std::max<int64_t>(a[1].get<int64_t>(), 0)));
}

json title(const Arguments& a) {
    std::string result = text("title", a[0]);
    for (size_t i = 0; i < result.size(); ++i) {
        if (i == 0 || result[i - 1] == ' ')
            result[i] = static_cast<char>(std::toupper(static_cast<unsigned char>(result[i])));
    }
    return result;
}

json all_printed(const Arguments& a, const std::string& end) {
    std::string result;
    for (const json& argument : a) result += (result.empty() || end.empty() ? "" : " ") + printed(argument);
    return result + end;
}

json pad(const Arguments& a) {
    auto blanks = [](const json& count) {
        if (!count.is_number_integer()) throw wrong("pad: " + printed(count) + " is not a number");
        return std::string(static_cast<size_t>(std::clamp<int64_t>(count.get<int64_t>(), 0, 1000)), ' ');
    };
    const std::string& whole = text("pad", a[0]);
    return whole.empty() ? whole : blanks(a[1]) + whole + blanks(a[2]);
}

/// One verb of printf with its flags and width, such as `%-10s`.
std::string formatted(const std::string& verb, const json& value) {
    const char kind = verb.back();
    const std::string flags = verb.substr(0, verb.size() - 1);
    auto filled = [&](const char* conversion, auto given) {
        char buffer[512];
        int length = std::snprintf(buffer, sizeof buffer, (flags + conversion).c_str(), given);
        return std::string(buffer, static_cast<size_t>(std::clamp<int>(length, 0, sizeof buffer - 1)));
    };
    if (kind == 'd' || kind == 'x' || kind == 'X' || kind == 'o') {
        if (!value.is_number_integer()) throw wrong(verb + ": " + printed(value) + " is not a number");
        return filled((std::string("ll") + kind).c_str(), static_cast<long long>(value.get<int64_t>()));
    }
    if (kind == 'f' || kind == 'e' || kind == 'g') {
        if (!value.is_number()) throw wrong(verb + ": " + printed(value) + " is not a number");
        return filled(std::string(1, kind).c_str(), value.get<double>());
    }
    if (kind != 's' && kind != 'v' && kind != 'q' && kind != 't') throw wrong("printf: " + verb + " is not supported");
    std::string shown = kind == 'q' ? go_quoted(printed(value)) : printed(value);
    return flags == "%" || shown.size() > 500 ? shown : filled("s", shown.c_str());
}

json print_formatted(const Arguments& a) {
    const std::string& format = text("printf", a[0]);
    std::string result;
    size_t next = 1;
    for (size_t at = 0; at < format.size(); ++at) {
        if (format[at] != '%') {
            result += format[at];
            continue;
        }
        size_t end = format.find_first_not_of("-+ #0123456789.", at + 1);
        if (end == std::string::npos || end - at > 10) throw wrong("printf: a verb has no end in " + format);
        if (format[end] == '%') {
            result += '%';
        } else {
            if (next == a.size()) throw wrong("printf: too few values for " + format);
            result += formatted(format.substr(at, end - at + 1), a[next++]);
        }
        at = end;
    }
    if (next < a.size()) throw wrong("printf: too many values for " + format);
    return result;
}

/// -1, 0 or 1 of two numbers or two texts.
int order(const std::string& function, const Arguments& a) {
    bool numbers = a[0].is_number() && a[1].is_number(), texts = a[0].is_string() && a[1].is_string();
    if (!numbers && !texts) throw wrong(function + ": incompatible types for comparison");
    return a[0] < a[1] ? -1 : a[1] < a[0] ? 1 : 0;
}

json first_false(const Arguments& a) {
    auto found = std::find_if(a.begin(), a.end(), [](const json& value) { return !is_true(value); });
    return found == a.end() ? a.back() : *found;
}

json first_true(const Arguments& a) {
    auto found = std::find_if(a.begin(), a.end(), is_true);
    return found == a.end() ? a.back() : *found;
}

struct Function {
    size_t least, most;
    json (*call)(const Arguments&);
};

constexpr size_t kAny = 100;

const std::map<std::string, Function>& functions() {
    static const std::map<std::string, Function> all = {
        {"json",
         {1, 1,
          [](const Arguments& a) {
              json shown = a[0];
              if (shown.is_object()) shown.erase(kLabels);
              return json(shown.dump(-1, ' ', false, json::error_handler_t::replace));
          }}},
        {"index", {1, kAny, index}},
        {"len", {1, 1, length}},
        {"slice", {1, 3, slice}},
        {"join", {2, 2, join}},
        {"split", {2, 2, split}},
        {"truncate", {2, 2, truncate}},
        {"title", {1, 1, title}},
        {"upper", {1, 1, [](const Arguments& a) { return json(each_character(text("upper", a[0]), std::toupper)); }}},
        {"lower", {1, 1, [](const Arguments& a) { return json(each_character(text("lower", a[0]), std::tolower)); }}},
        {"print", {0, kAny, [](const Arguments& a) { return all_printed(a, ""); }}},
        {"println", {0, kAny, [](const Arguments& a) { return all_printed(a, "\n"); }}},
        {"eq", {2, kAny, [](const Arguments& a) { return json(std::find(a.begin() + 1, a.end(), a[0]) != a.end()); }}},
        {"ne", {2, 2, [](const Arguments& a) { return json(a[0] != a[1]); }}},
        {"lt", {2, 2, [](const Arguments& a) { return json(order("lt", a) < 0); }}},
        {"le", {2, 2, [](const Arguments& a) { return json(order("le", a) <= 0); }}},
        {"gt", {2, 2, [](const Arguments& a) { return json(order("gt", a) > 0); }}},
        {"ge", {2, 2, [](const Arguments& a) { return json(order("ge", a) >= 0); }}},
        {"pad", {3, 3, pad}},
        {"printf", {1, kAny, print_formatted}},
        {"not", {1, 1, [](const Arguments& a) { return json(!is_true(a[0])); }}},
        {"and", {1, kAny, first_false}},
        {"or", {1, kAny, first_true}}};
    return all;
}

}  // namespace

bool is_function(const std::string& name) {
    return functions().contains(name);
}

json call_function(const std::string& name, const Arguments& arguments) {
    auto found = functions().find(name);
    if (found == functions().end()) throw wrong("function \"" + name + "\" not defined");
    const Function& function = found->second;
    if (arguments.size() < function.least || arguments.size() > function.most)
        throw wrong("wrong number of arguments for " + name);
    return function.call(arguments);
}

bool is_true(const json& value) {
    if (value.is_boolean()) return value.get<bool>();
    if (value.is_number()) return value != 0;
    if (value.is_string()) return !value.get_ref<const std::string&>().empty();
    return !value.empty();
}

std::string printed(const json& value) {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_null()) return "<no value>";
    if (value.is_structured()) {
        std::string text;
        for (const auto& item : value.items()) {
            if (value.is_object() && item.key() == kLabels) continue;
            text += (text.empty() ? "" : " ") + (value.is_object() ? item.key() + ":" : "") +
                    (item.value().is_null() ? "<nil>" : printed(item.value()));
        }
        return (value.is_object() ? "map[" : "[") + text + "]";
    }
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace kedge::cli

#include "base/error.h"
#include "sources/compose_interpolate.h"

#include <fmt/format.h>

#include <string_view>

namespace kedge::sources {

namespace {

constexpr size_t kResultLimit = 1u << 20;
constexpr int kNestingLimit = 32;

bool starts_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool in_name(char c) {
    return starts_name(c) || (c >= '0' && c <= '9');
}

/// One pass over the text. Defaults and messages are evaluated only where they are used (`active`), as a shell does.
class Interpolation {
public:
    Interpolation(const std::string& text, const Lookup& lookup,
                  const std::function<void(const std::string&)>& on_unset)
        : text_(text), lookup_(lookup), on_unset_(on_unset) {}

    std::string run() { return read(false, true, 0); }

private:
    /// Up to the end, or to the brace that closes a `${`.
    std::string read(bool braced, bool active, int depth) {
        if (depth > kNestingLimit) invalid();
        std::string result;
        while (position_ < text_.size()) {
            char c = text_[position_];
            if (braced && c == '}') return result;
            if (c != '$') {
                result += c;
                ++position_;
                continue;
            }
            result += variable(active, depth);
            if (result.size() > kResultLimit) {
                throw Error(Code::invalid_argument,
                            fmt::format("variables expand to more than {} bytes", kResultLimit));
            }
        }
        if (braced) invalid();
        return result;
    }

    std::string variable(bool active, int depth) {
        char next = position_ + 1 < text_.size() ? text_[position_ + 1] : '\0';
        if (next == '$') {
            position_ += 2;
            return "$";
        }
        if (starts_name(next)) {
            ++position_;
            return value_or_empty(name(), active);
        }
        if (next != '{') invalid();
        position_ += 2;
        std::string key = name();
        if (key.empty()) invalid();
        std::string result = expression(key, active, depth);
        if (position_ >= text_.size() || text_[position_] != '}') invalid();
        ++position_;
        return result;
    }

    /// What follows the name in `${NAME...}`, up to the closing brace.
    std::string expression(const std::string& key, bool active, int depth) {
        if (position_ < text_.size() && text_[position_] == '}') return value_or_empty(key, active);
        bool empty_counts_as_unset = position_ < text_.size() && text_[position_] == ':';
        if (empty_counts_as_unset) ++position_;
        char operation = position_ < text_.size() ? text_[position_++] : '\0';
        const std::string* value = lookup_(key);
        bool set = value && !(empty_counts_as_unset && value->empty());
        switch (operation) {
            case '-': {
                std::string other = read(true, active && !set, depth + 1);
                if (!active) return "";
                return set ? *value : other;
            }
            case '+': {
                std::string other = read(true, active && set, depth + 1);
                return set && active ? other : "";
            }
            case '?': {
                std::string message = read(true, active && !set, depth + 1);
                if (!active) return "";
                if (set) return *value;
                throw Error(Code::invalid_argument, fmt::format("required variable {} is missing a value{}{}", key,
                                                                message.empty() ? "" : ": ", message));
            }
            default: invalid();
        }
    }

    std::string name() {
        size_t start = position_;
        if (position_ < text_.size() && starts_name(text_[position_])) {
            while (position_ < text_.size() && in_name(text_[position_])) ++position_;
        }
        return text_.substr(start, position_ - start);
    }

    std::string value_or_empty(const std::string& key, bool active) {
        if (!active) return "";
        if (const std::string* value = lookup_(key)) return *value;
        if (on_unset_) on_unset_(key);
        return "";
    }

    [[noreturn]] void invalid() const {
        throw Error(Code::invalid_argument, fmt::format("invalid interpolation format: \"{}\"", text_.substr(0, 200)),
                    "you may need to escape any $ with another $");
    }

    const std::string& text_;
    const Lookup& lookup_;
    const std::function<void(const std::string&)>& on_unset_;
    size_t position_ = 0;
};

}  // namespace

std::string interpolate(const std::string& text, const Lookup& lookup,
                        const std::function<void(const std::string&)>& on_unset) {
    if (text.find('$') == std::string::npos) return text;
    return Interpolation(text, lookup, on_unset).run();
}

std::string interpolate(const std::string& text, const Lookup& lookup) {
    return interpolate(text, lookup, nullptr);
}

}  // namespace kedge::sources

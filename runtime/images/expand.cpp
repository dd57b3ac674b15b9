#include "runtime/images/expand.h"

#include "base/error.h"

#include <cctype>
#include <optional>

namespace kedge::runtime {

namespace {

constexpr int kMaxDepth = 32;

bool is_name_start(char c) {
    return std::isalpha(static_cast<unsigned char>(c)) || c == '_';
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

class Expansion {
public:
    Expansion(std::string_view text, Variables& variables) : text_(text), variables_(variables) {}

    std::string run() { return until('\0'); }

private:
    /// Up to `end`, which is taken as well; all of it if there is none.
    std::string until(char end) {
        if (++depth_ > kMaxDepth) throw failure("it is nested too deeply");
        std::string result;
        while (at_ < text_.size()) {
            const char c = text_[at_++];
            if (end != '\0' && c == end) {
                --depth_;
                return result;
            }
            if (c == '\'')
                single_quoted(result);
            else if (c == '"')
                double_quoted(result);
            else if (c == '$')
                add(result, variable());
            else if (c != '\\')
                result += c;
            else if (at_ < text_.size())
                result += text_[at_++];
        }
        if (end != '\0') throw failure("a brace is not closed");
        --depth_;
        return result;
    }

    void single_quoted(std::string& result) {
        const size_t end = text_.find('\'', at_);
        if (end == std::string_view::npos) throw failure("a quote is not closed");
        add(result, text_.substr(at_, end - at_));
        at_ = end + 1;
    }

    void double_quoted(std::string& result) {
        while (at_ < text_.size()) {
            const char c = text_[at_++];
            if (c == '"') return;
            if (c == '$') {
                add(result, variable());
            } else if (c == '\\' && at_ < text_.size() &&
                       std::string_view("\"$\\").find(text_[at_]) != std::string_view::npos) {
                result += text_[at_++];
            } else {
                result += c;
            }
        }
        throw failure("a quote is not closed");
    }

    /// What stands behind a dollar sign.
    std::string variable() {
        if (at_ < text_.size() && text_[at_] == '{') {
            ++at_;
            return braced();
        }
        const std::string name = take_name();
        return name.empty() ? "$" : value(name).value_or("");
    }

    std::string braced() {
        const std::string name = take_name();
        if (name.empty()) throw failure("a variable has no name");
        if (at_ >= text_.size()) throw failure("a brace is not closed");
        char sign = text_[at_++];
        std::optional<std::string> known = value(name);
        if (sign == '}') return known.value_or("");
        if (sign == ':') {
            if (known && known->empty()) known.reset();
            sign = at_ < text_.size() ? text_[at_++] : '\0';
        }
        if (sign != '-' && sign != '+' && sign != '?')
            throw failure("of the ways to change the value of " + name + " only -, + and ? are supported");
        std::string other = until('}');
        if (sign == '+') return known ? other : "";
        if (!known && sign == '?') throw failure(name + ": " + (other.empty() ? "is not set" : other));
        return known ? *known : other;
    }

    /// Empty if there is none. One of a shell's own ($1, $$) is a name, too, that no environment has.
    std::string take_name() {
        const size_t start = at_;
        if (at_ >= text_.size()) return {};
        if (is_name_start(text_[at_])) {
            while (at_ < text_.size() && (is_name_start(text_[at_]) || is_digit(text_[at_]))) ++at_;
        } else if (is_digit(text_[at_])) {
            while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
        } else if (std::string_view("@*#?-$!").find(text_[at_]) != std::string_view::npos) {
            ++at_;
        }
        return std::string(text_.substr(start, at_ - start));
    }

    std::optional<std::string> value(const std::string& name) const {
        for (const std::string& variable : variables_.environment) {
            if (variable.size() > name.size() && variable[name.size()] == '=' && variable.starts_with(name))
                return variable.substr(name.size() + 1);
        }
        return std::nullopt;
    }

    void add(std::string& result, std::string_view piece) {
        if (piece.size() > variables_.room) throw failure("the values are too long");
        variables_.room -= piece.size();
        result += piece;
    }

    Error failure(const std::string& why) const {
        return Error(Code::invalid_argument, "failed to process \"" + std::string(text_) + "\": " + why);
    }

    std::string_view text_;
    Variables& variables_;
    size_t at_ = 0;
    int depth_ = 0;
};

}  // namespace

std::string expand_word(std::string_view word, Variables& variables) {
    return Expansion(word, variables).run();
}

}  // namespace kedge::runtime

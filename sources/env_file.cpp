#include "base/error.h"
#include "sources/compose_interpolate.h"
#include "sources/utf8.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace kedge::sources {

namespace {

constexpr size_t kValuesLimit = 8u << 20;

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

bool in_key(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '-';
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    return text;
}

class EnvFile {
public:
    EnvFile(std::string_view text, const std::string& name, const Lookup& known)
        : rest_(text), name_(name), known_(known) {
        if (rest_.starts_with("\xef\xbb\xbf")) rest_.remove_prefix(3);
        if (rest_.find('\0') != std::string_view::npos) fail("a zero byte is not allowed");
        if (!is_utf8(rest_)) fail("is not valid UTF-8");
    }

    std::map<std::string, std::string> run() {
        while (skip_to_entry()) entry();
        return std::move(values_);
    }

private:
    [[noreturn]] void fail(const std::string& what) const {
        throw Error(Code::invalid_argument, fmt::format("{}:{}: {}", name_, line_, printable(what, 300)));
    }

    void drop(size_t count) {
        line_ += static_cast<int>(std::count(rest_.begin(), rest_.begin() + static_cast<long>(count), '\n'));
        rest_.remove_prefix(count);
    }

    void drop_line() { drop(std::min(rest_.find('\n'), rest_.size() - 1) + 1); }

    bool skip_to_entry() {
        while (!rest_.empty()) {
            size_t start = rest_.find_first_not_of(" \t\r\n");
            drop(std::min(start, rest_.size()));
            if (rest_.empty()) return false;
            if (rest_[0] != '#') return true;
            drop_line();
        }
        return false;
    }

    void entry() {
        if (rest_.starts_with("export ") || rest_.starts_with("export\t")) {
            drop(7);
            drop(std::min(rest_.find_first_not_of(" \t"), rest_.size()));
        }
        size_t length = 0;
        while (length < rest_.size() && in_key(rest_[length])) ++length;
        std::string key(rest_.substr(0, length));
        size_t next = length;
        while (next < rest_.size() && is_blank(rest_[next])) ++next;
        bool ends = next >= rest_.size() || rest_[next] == '\n' || rest_[next] == '#';
        if (key.empty() || (!ends && rest_[next] != '=' && rest_[next] != ':')) {
            fail(fmt::format("\"{}\" is not a variable", rest_.substr(0, std::min(rest_.find('\n'), size_t{100}))));
        }
        if (ends) {
            // A name alone takes its value from outside, if there is one.
            if (const std::string* found = known_(key)) store(key, *found);
            if (!rest_.empty()) drop_line();
            return;
        }
        drop(next + 1);
        drop(std::min(rest_.find_first_not_of(" \t"), rest_.size()));
        store(key, value(key));
    }

    std::string value(const std::string& key) {
        if (rest_.starts_with('\'') || rest_.starts_with('"')) return quoted_value(key);
        size_t end = std::min(rest_.find('\n'), rest_.size());
        std::string_view line = rest_.substr(0, end);
        for (size_t i = 0; i < line.size(); ++i) {
            if (line[i] == '#' && (i == 0 || is_blank(line[i - 1]))) line = line.substr(0, i);
        }
        std::string result = expand(std::string(trimmed(line)));
        drop(end);
        return result;
    }

    std::string quoted_value(const std::string& key) {
        char quote = rest_[0];
        size_t end = 1;
        while (end < rest_.size() && rest_[end] != quote) end += rest_[end] == '\\' ? 2 : 1;
        if (end >= rest_.size()) fail(fmt::format("the value of {} has no closing quote", key));
        std::string_view inside = rest_.substr(1, end - 1);
        std::string result = quote == '"' ? expand(unescaped(inside)) : unescaped_single(inside);
        drop(end + 1);
        std::string_view after = trimmed(rest_.substr(0, std::min(rest_.find('\n'), rest_.size())));
        if (!after.empty() && after[0] != '#') fail(fmt::format("unexpected text after the quoted value of {}", key));
        if (!rest_.empty()) drop_line();
        return result;
    }

    static std::string unescaped_single(std::string_view text) {
        std::string result;
        for (size_t i = 0; i < text.size(); ++i) {
            if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == '\'') ++i;
            result += text[i];
        }
        return result;
    }

    /// Backslash sequences of double quotes; `\$` becomes `$$`, which interpolation takes for a plain dollar.
    static std::string unescaped(std::string_view text) {
        std::string result;
        for (size_t i = 0; i < text.size(); ++i) {
            if (text[i] != '\\' || i + 1 == text.size()) {
                result += text[i];
                continue;
            }
            switch (char c = text[++i]) {
                case 'n': result += '\n'; break;
                case 'r': result += '\r'; break;
                case 't': result += '\t'; break;
                case '$': result += "$$"; break;
                case '"':
                case '\\': result += c; break;
                default: result += '\\'; result += c;
            }
        }
        return result;
    }

    std::string expand(const std::string& text) const {
        try {
            return interpolate(text, [&](const std::string& key) -> const std::string* {
                if (const std::string* found = known_(key)) return found;
                auto found = values_.find(key);
                return found == values_.end() ? nullptr : &found->second;
            });
        } catch (const Error& e) {
            throw e.with_context(fmt::format("{}:{}", name_, line_));
        }
    }

    void store(const std::string& key, std::string value) {
        size_ += key.size() + value.size();
        if (size_ > kValuesLimit) fail(fmt::format("the values are larger than {} bytes", kValuesLimit));
        values_[key] = std::move(value);
    }

    std::string_view rest_;
    const std::string& name_;
    const Lookup& known_;
    std::map<std::string, std::string> values_;
    int line_ = 1;
    size_t size_ = 0;
};

}  // namespace

std::map<std::string, std::string> parse_env_file(const std::string& text, const std::string& name,
                                                  const Lookup& known) {
    return EnvFile(text, name, known).run();
}

std::map<std::string, std::string> parse_env_file(const std::string& text, const std::string& name,
                                                  const std::map<std::string, std::string>& environment) {
    return parse_env_file(text, name, [&](const std::string& key) -> const std::string* {
        auto found = environment.find(key);
        return found == environment.end() ? nullptr : &found->second;
    });
}

}  // namespace kedge::sources

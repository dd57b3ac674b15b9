#include "cli/template_parser.h"

#include "base/error.h"
#include "cli/template_functions.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace kedge::cli {

using nlohmann::json;

namespace {

constexpr const char* kBlank = " \t\r\n";

Error wrong(const std::string& expression, const std::string& what) {
    return Error(Code::invalid_argument, "template: {{" + expression + "}}: " + what);
}

bool is_word(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
}

/// Reads what stands between the braces.
class Expression {
public:
    explicit Expression(const std::string& text) : text_(text) {}

    TemplatePipeline pipeline() {
        TemplatePipeline result;
        result.text = text_;
        do {
            result.commands.push_back(command());
        } while (take('|'));
        return result;
    }
    /// `$k, $v :=` or `$v :=` in front of a range's pipeline.
    std::vector<std::string> variables() {
        std::vector<std::string> names;
        size_t end = text_.find(":=", at_);
        if (end == std::string::npos) return names;
        do {
            skip();
            if (!take('$')) fail("a variable should be here");
            names.push_back(word());
        } while (take(','));
        if (!take(':') || !take('=') || names.size() > 2) fail("not understood");
        return names;
    }
    bool ended() {
        skip();
        return at_ == text_.size();
    }
    [[noreturn]] void fail(const std::string& what) const { throw wrong(text_, what); }

private:
    void skip() {
        while (at_ < text_.size() && std::strchr(kBlank, text_[at_])) ++at_;
    }
    char next() {
        skip();
        return at_ < text_.size() ? text_[at_] : '\0';
    }
    bool take(char c) {
        if (next() != c) return false;
        ++at_;
        return true;
    }
    std::string word() {
        size_t from = at_;
        while (at_ < text_.size() && is_word(text_[at_])) ++at_;
        return text_.substr(from, at_ - from);
    }

    std::vector<TemplateTerm> command() {
        std::vector<TemplateTerm> terms;
        while (char c = next()) {
            if (c == '|' || c == ')') break;
            terms.push_back(term());
        }
        if (terms.empty()) fail("a value is missing");
        bool calls = terms.front().kind == TemplateTerm::Kind::function;
        // `.Label "x"`: what a member has by this name.
        bool asks = terms.front().kind == TemplateTerm::Kind::member && !terms.front().path.empty();
        if (!calls && terms.size() > (asks ? 2 : 1)) fail("not supported");
        for (size_t i = 1; i < terms.size(); ++i) {
            if (terms[i].kind == TemplateTerm::Kind::function) fail("\"" + terms[i].name + "\" is not a value");
        }
        return terms;
    }

    TemplateTerm term() {
        TemplateTerm result;
        char c = next();
        if (c == '.') {
            result.path = path();
            return result;
        }
        if (take('$')) {
            result.kind = TemplateTerm::Kind::variable;
            result.name = word();
        } else if (take('(')) {
            result.kind = TemplateTerm::Kind::group;
            result.group = std::make_shared<TemplatePipeline>(pipeline());
            if (!take(')')) fail("a ) is missing");
        } else if (c == '"' || c == '`') {
            result.kind = TemplateTerm::Kind::literal;
            result.literal = quoted(c);
        } else if (std::isdigit(static_cast<unsigned char>(c)) || c == '-') {
            result.kind = TemplateTerm::Kind::literal;
            result.literal = number();
        } else if (is_word(c)) {
            name(word(), result);
            return result;
        } else {
            fail("is not supported");
        }
        if (at_ < text_.size() && text_[at_] == '.') result.path = path();
        return result;
    }

    void name(const std::string& text, TemplateTerm& result) {
        result.kind = TemplateTerm::Kind::literal;
        if (text == "true" || text == "false") {
            result.literal = text == "true";
        } else if (text == "nil") {
            result.literal = nullptr;
        } else {
            if (!is_function(text)) fail("function \"" + text + "\" not defined");
            result.kind = TemplateTerm::Kind::function;
            result.name = text;
        }
    }

    /// `.A.B`; `.` alone is the value itself.
    std::vector<std::string> path() {
        std::vector<std::string> members;
        while (at_ < text_.size() && text_[at_] == '.') {
            ++at_;
            std::string member = word();
            if (!member.empty())
                members.push_back(member);
            else if (!members.empty() || (at_ < text_.size() && text_[at_] == '.'))
                fail("a member's name is missing");
        }
        return members;
    }

    std::string quoted(char quote) {
        std::string result;
        for (++at_; at_ < text_.size() && text_[at_] != quote; ++at_) {
            bool escaped = quote == '"' && text_[at_] == '\\' && at_ + 1 < text_.size();
            if (escaped) ++at_;
            result += escaped && text_[at_] == 'n' ? '\n' : escaped && text_[at_] == 't' ? '\t' : text_[at_];
        }
        if (at_ == text_.size()) fail("a quote has no end");
        ++at_;
        return result;
    }

    /// `-1`, `0x1F`, `3.5e2`.
    json number() {
        const size_t from = at_;
        at_ = std::min(text_.find_first_not_of("0123456789abcdefABCDEFxX.+-", at_), text_.size());
        std::string digits = text_.substr(from, at_ - from);
        const bool hex = digits.starts_with("0x") || digits.starts_with("0X");
        if (hex) digits.erase(0, 2);
        const char* const end = digits.data() + digits.size();
        int64_t whole = 0;
        double real = 0;
        if (std::from_chars(digits.data(), end, whole, hex ? 16 : 10).ptr == end && !digits.empty()) return whole;
        if (!hex && std::from_chars(digits.data(), end, real).ptr == end) return real;
        fail("\"" + text_.substr(from, at_ - from) + "\" is not a number");
    }

    const std::string& text_;
    size_t at_ = 0;
};

/// A piece of the text, or what stands between braces.
struct Piece {
    bool action = false;
    std::string text;
};

std::string trimmed(const std::string& text) {
    size_t from = text.find_first_not_of(kBlank);
    return from == std::string::npos ? "" : text.substr(from, text.find_last_not_of(kBlank) - from + 1);
}

/// `\t` and `\n` as people write them in shells.
std::string unescaped(const std::string& text) {
    std::string result;
    for (size_t i = 0; i < text.size(); ++i) {
        bool escape = text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == 't' || text[i + 1] == 'n');
        result += !escape ? text[i] : text[++i] == 't' ? '\t' : '\n';
    }
    return result;
}

std::vector<Piece> pieces_of(const std::string& text) {
    std::vector<Piece> pieces;
    bool trim_next = false;
    size_t at = 0;
    while (at < text.size()) {
        size_t open = std::min(text.find("{{", at), text.size());
        std::string plain = text.substr(at, open - at);
        if (trim_next) plain.erase(0, std::min(plain.find_first_not_of(kBlank), plain.size()));
        trim_next = false;
        bool trim = text.compare(open, 4, "{{- ") == 0;
        if (trim) plain.erase(plain.find_last_not_of(kBlank) + 1);
        if (!plain.empty()) pieces.push_back({false, unescaped(plain)});
        if (open == text.size()) break;
        size_t end = text.find("}}", open);
        if (end == std::string::npos)
            throw Error(Code::invalid_argument, "template: \"" + text + "\" has no end of {{");
        size_t from = open + (trim ? 4 : 2);
        std::string inside = text.substr(from, end - std::min(from, end));
        if (inside.ends_with(" -")) {
            inside.resize(inside.size() - 2);
            trim_next = true;
        }
        pieces.push_back({true, trimmed(inside)});
        at = end + 2;
    }
    return pieces;
}

/// Puts the pieces together: what begins with range, if or with has a body up to its end.
class Builder {
public:
    explicit Builder(std::vector<Piece> pieces) : pieces_(std::move(pieces)) {}

    std::vector<TemplateNode> whole() {
        std::vector<TemplateNode> nodes = body();
        if (at_ < pieces_.size()) throw wrong(pieces_[at_].text, "nothing was begun that could end here");
        return nodes;
    }

private:
    static std::string keyword(const Piece& piece) {
        return piece.action ? piece.text.substr(0, piece.text.find_first_of(kBlank)) : "";
    }

    /// Up to an `else` or `end`, which stays.
    std::vector<TemplateNode> body() {
        std::vector<TemplateNode> nodes;
        for (; at_ < pieces_.size(); ++at_) {
            const Piece& piece = pieces_[at_];
            std::string word = keyword(piece);
            if (word == "end" || word == "else") break;
            if (word == "if" || word == "with" || word == "range") {
                ++at_;
                nodes.push_back(block(piece.text, word));
            } else {
                nodes.push_back(piece.action ? simple(piece.text)
                                             : TemplateNode{TemplateNode::Kind::text, piece.text, {}, {}, {}, {}});
            }
        }
        return nodes;
    }

    static TemplateNode simple(const std::string& text) {
        TemplateNode node;
        if (text.starts_with("/*") && text.ends_with("*/")) return node;
        node.kind = TemplateNode::Kind::print;
        read_pipeline(text, node, false);
        return node;
    }

    static void read_pipeline(const std::string& text, TemplateNode& node, bool with_variables) {
        Expression expression(text);
        if (with_variables) node.variables = expression.variables();
        node.pipeline = expression.pipeline();
        if (!expression.ended()) expression.fail("is not supported");
    }

    /// Stays at its `end`, which the caller's loop passes.
    TemplateNode block(const std::string& text, const std::string& word) {
        TemplateNode node;
        node.kind = word == "if"     ? TemplateNode::Kind::condition
                    : word == "with" ? TemplateNode::Kind::with
                                     : TemplateNode::Kind::range;
        read_pipeline(text.substr(word.size()), node, word == "range");
        node.body = body();
        if (at_ < pieces_.size() && keyword(pieces_[at_]) == "else") {
            std::string rest = trimmed(pieces_[at_].text.substr(4));
            ++at_;
            if (rest.starts_with("if ") || rest.starts_with("with "))
                node.otherwise.push_back(block(rest, rest.substr(0, rest.find(' '))));
            else
                node.otherwise = body();
        }
        if (at_ == pieces_.size() || keyword(pieces_[at_]) != "end") throw wrong(text, "its {{end}} is missing");
        return node;
    }

    std::vector<Piece> pieces_;
    size_t at_ = 0;
};

}  // namespace

std::vector<TemplateNode> parse_template(const std::string& text) {
    return Builder(pieces_of(text)).whole();
}

}  // namespace kedge::cli

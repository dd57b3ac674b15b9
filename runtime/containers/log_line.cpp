#include "runtime/containers/log_line.h"

#include "base/error.h"

namespace kedge::runtime {

namespace {

/// What is left of the text that is being read.
struct Rest {
    std::string_view text;

    bool skip(std::string_view expected) {
        if (!text.starts_with(expected)) return false;
        text.remove_prefix(expected.size());
        return true;
    }
    bool hex4(unsigned* value) {
        if (text.size() < 4) return false;
        *value = 0;
        for (char c : text.substr(0, 4)) {
            unsigned digit = c >= '0' && c <= '9'   ? c - '0'
                             : c >= 'a' && c <= 'f' ? c - 'a' + 10u
                             : c >= 'A' && c <= 'F' ? c - 'A' + 10u
                                                    : 16u;
            if (digit > 15) return false;
            *value = *value * 16 + digit;
        }
        text.remove_prefix(4);
        return true;
    }
};

void append_utf8(unsigned code, std::string* out) {
    auto put = [out](unsigned byte) { out->push_back(static_cast<char>(byte)); };
    if (code < 0x80) {
        put(code);
    } else if (code < 0x800) {
        put(0xc0 | code >> 6);
        put(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        put(0xe0 | code >> 12);
        put(0x80 | (code >> 6 & 0x3f));
        put(0x80 | (code & 0x3f));
    } else {
        put(0xf0 | code >> 18);
        put(0x80 | (code >> 12 & 0x3f));
        put(0x80 | (code >> 6 & 0x3f));
        put(0x80 | (code & 0x3f));
    }
}

bool escape(Rest* rest, std::string* out) {
    if (rest->text.empty()) return false;
    char kind = rest->text[0];
    rest->text.remove_prefix(1);
    switch (kind) {
        case 'n': out->push_back('\n'); return true;
        case 't': out->push_back('\t'); return true;
        case 'r': out->push_back('\r'); return true;
        case 'b': out->push_back('\b'); return true;
        case 'f': out->push_back('\f'); return true;
        case '"':
        case '\\':
        case '/': out->push_back(kind); return true;
        case 'u': break;
        default: return false;
    }
    unsigned code = 0, low = 0;
    if (!rest->hex4(&code)) return false;
    if (code >= 0xd800 && code < 0xdc00) {
        if (!rest->skip("\\u") || !rest->hex4(&low) || low < 0xdc00 || low > 0xdfff) return false;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    append_utf8(code, out);
    return true;
}

/// The text up to the closing quote.
bool string_to(Rest* rest, std::string* out) {
    while (true) {
        size_t special = rest->text.find_first_of("\"\\");
        if (special == std::string_view::npos) return false;
        out->append(rest->text.substr(0, special));
        char c = rest->text[special];
        rest->text.remove_prefix(special + 1);
        if (c == '"') return true;
        if (!escape(rest, out)) return false;
    }
}

}  // namespace

bool decode_log_line(std::string_view json, LogLine* line) {
    Rest rest{json};
    std::string stream, time;
    line->text.clear();
    if (!rest.skip("{\"log\":\"") || !string_to(&rest, &line->text)) return false;
    if (!rest.skip(",\"stream\":\"") || !string_to(&rest, &stream)) return false;
    if (!rest.skip(",\"time\":\"") || !string_to(&rest, &time)) return false;
    line->err = stream == "stderr";
    try {
        line->time = parse_time(time);
    } catch (const Error&) {
        return false;
    }
    return true;
}

}  // namespace kedge::runtime

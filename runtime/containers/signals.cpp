#include "runtime/containers/signals.h"

#include "base/error.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <csignal>
#include <cstring>

namespace kedge::runtime {

namespace {

int whole_number(const std::string& text) {
    int value = -1;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() ? value : -1;
}

// Real-time signals as people and /bin/kill count them: SIGRTMIN is 34, the C library keeps the first two.
int real_time(const std::string& name) {
    constexpr int kFirst = 34, kLast = 64;
    if (name == "RTMIN") return kFirst;
    if (name == "RTMAX") return kLast;
    int offset = name.size() > 6 ? whole_number(name.substr(6)) : -1;
    if (offset < 0 || offset > kLast - kFirst) return 0;
    if (name.starts_with("RTMIN+")) return kFirst + offset;
    if (name.starts_with("RTMAX-")) return kLast - offset;
    return 0;
}

}  // namespace

int signal_number(const std::string& text) {
    Error invalid(Code::invalid_argument, "invalid signal: " + text);
    if (text.empty()) throw invalid;
    if (std::isdigit(static_cast<unsigned char>(text[0]))) {
        int number = whole_number(text);
        if (number < 1 || number > 64) throw invalid;
        return number;
    }
    std::string name = text;
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    if (name.starts_with("SIG")) name.erase(0, 3);
    if (name == "CLD") return SIGCHLD;
    if (name == "POLL") return SIGIO;
    for (int number = 1; number < 32; ++number) {
        const char* known = ::sigabbrev_np(number);
        if (known && name == known) return number;
    }
    if (int number = real_time(name); number > 0) return number;
    throw invalid;
}

}  // namespace kedge::runtime

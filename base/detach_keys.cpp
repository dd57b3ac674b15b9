#include "base/detach_keys.h"

#include "base/error.h"
#include "base/text.h"

namespace kedge {

namespace {

constexpr std::string_view kControl = "@abcdefghijklmnopqrstuvwxyz[\\]^_";  // by the code that ctrl- makes of them

}  // namespace

DetachKeys::DetachKeys(const std::string& keys) {
    if (keys.empty()) {
        sequence_ = "\x10\x11";
        return;
    }
    for (std::string_view key : split(keys, ',')) {
        size_t code = key.size() == 6 && key.starts_with("ctrl-") ? kControl.find(key[5]) : std::string_view::npos;
        if (key.size() == 1)
            sequence_ += key;
        else if (code != std::string_view::npos)
            sequence_ += static_cast<char>(code);
        else
            throw Error(Code::invalid_argument, "Invalid detach keys (" + keys + ") provided");
    }
}

std::string DetachKeys::pass(std::string_view input) {
    std::string passed;
    for (char c : input) {
        if (detached()) break;
        if (c != sequence_[matched_]) {
            passed.append(sequence_, 0, matched_);
            matched_ = 0;
        }
        if (c == sequence_[matched_])
            ++matched_;
        else
            passed += c;
    }
    return passed;
}

}  // namespace kedge

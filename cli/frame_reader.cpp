#include "cli/frame_reader.h"

#include "base/error.h"

#include <algorithm>
#include <charconv>

namespace kedge::cli {

namespace {

constexpr unsigned char kExitCode = 3;

}  // namespace

void FrameReader::take(std::string_view data) {
    while (!data.empty()) {
        if (head_size_ < sizeof head_) {
            head_[head_size_++] = static_cast<unsigned char>(data.front());
            data.remove_prefix(1);
            if (head_size_ < sizeof head_) continue;
            if (head_[0] > (with_exit_code_ ? kExitCode : 2) || head_[1] != 0 || head_[2] != 0 || head_[3] != 0) {
                throw Error(Code::internal, "the agent's answer is not a stream of frames");
            }
            left_ = static_cast<uint32_t>(head_[4]) << 24 | static_cast<uint32_t>(head_[5]) << 16 |
                    static_cast<uint32_t>(head_[6]) << 8 | head_[7];
        } else {
            std::string_view piece = data.substr(0, left_);
            if (head_[0] == kExitCode)
                exit_code_ += piece;
            else
                sink_(head_[0] == 2, piece);
            data.remove_prefix(piece.size());
            left_ -= static_cast<uint32_t>(piece.size());
        }
        if (left_ == 0) head_size_ = 0;
    }
}

std::optional<int> FrameReader::exit_code() const {
    int code = 0;
    auto [end, failure] = std::from_chars(exit_code_.data(), exit_code_.data() + exit_code_.size(), code);
    bool whole = between_frames() && failure == std::errc() && end == exit_code_.data() + exit_code_.size();
    return whole ? std::optional(code) : std::nullopt;
}

}  // namespace kedge::cli

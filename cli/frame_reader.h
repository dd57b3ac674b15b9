#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace kedge::cli {

/// Takes Docker's multiplexed streams apart, however they are cut up: frames of the stream (0 and 1: standard output,
/// 2: standard error), three zero bytes, the length as four big-endian bytes, and the data.
class FrameReader {
public:
    using Sink = std::function<void(bool error_stream, std::string_view data)>;

    /// `with_exit_code`: the last frame may be kedge's own, of stream 3 with an exit code in decimal.
    explicit FrameReader(Sink sink, bool with_exit_code = false)
        : sink_(std::move(sink)), with_exit_code_(with_exit_code) {}
    /// Error (internal) if it is no such stream.
    void take(std::string_view data);
    /// Whether what came so far ends with a whole frame.
    bool between_frames() const { return head_size_ == 0; }
    /// Nothing if it has not come.
    std::optional<int> exit_code() const;

private:
    Sink sink_;
    bool with_exit_code_;
    std::string exit_code_;
    unsigned char head_[8] = {};
    size_t head_size_ = 0;
    uint32_t left_ = 0;  ///< of the frame whose head is complete
};

}  // namespace kedge::cli

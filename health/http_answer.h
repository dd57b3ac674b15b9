#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kedge::health {

/// An HTTP answer that arrives in pieces, read as far as a probe needs it and no further than it may be long: the one
/// who answers is the container, which may send anything for ever (RFC 9112, "Message Format"). Interim answers (1xx)
/// are passed over.
class HttpAnswer {
public:
    static constexpr size_t kLineLimit = 1024;   ///< bytes of the status line
    static constexpr size_t kHeadLimit = 16384;  ///< bytes of a head, and of all interim answers together
    static constexpr size_t kBodyLimit = 4096;   ///< bytes of the body that are kept

    /// Throws Error (invalid_argument) as soon as it is clear that this is no HTTP answer.
    void take(std::string_view piece);

    /// Of the status line, once that of the final answer is there.
    std::optional<int> status() const { return status_ && *status_ >= 200 ? status_ : std::nullopt; }
    /// `503 Service Unavailable`
    const std::string& status_text() const { return status_text_; }

    /// There is nothing more worth waiting for: the body is there, or as much as is kept.
    bool is_complete() const;
    /// What came of it, without the sizes of chunks.
    std::string body() const;

private:
    bool read_status_line();
    bool read_head();

    std::string text_;  ///< from the status line, later from the body on
    std::optional<int> status_;
    std::string status_text_;
    size_t scanned_ = 0;  ///< of the head, in which its end is not
    size_t skipped_ = 0;  ///< bytes of interim answers
    bool in_body_ = false;
    bool chunked_ = false;
    bool cut_off_ = false;  ///< a head that never ends
    std::optional<size_t> length_;
};

}  // namespace kedge::health

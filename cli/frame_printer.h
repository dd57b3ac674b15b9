#pragma once

#include "cli/frame_reader.h"

#include <optional>
#include <string>
#include <string_view>

namespace kedge::cli {

/// Writes what is in frames to standard output and error, frames of one stream that came together in one piece.
class FramePrinter {
public:
    /// `with_exit_code`: see FrameReader.
    explicit FramePrinter(bool with_exit_code = false);
    FramePrinter(const FramePrinter&) = delete;
    FramePrinter& operator=(const FramePrinter&) = delete;

    /// Error (internal) if it is no stream of frames.
    void take(std::string_view data);
    std::optional<int> exit_code() const { return reader_.exit_code(); }

private:
    void add(bool error_stream, std::string_view data);
    void flush();

    FrameReader reader_;
    std::string text_;
    bool error_stream_ = false;
};

}  // namespace kedge::cli

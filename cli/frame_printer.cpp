#include "cli/frame_printer.h"

#include "cli/session.h"

#include <unistd.h>

namespace kedge::cli {

FramePrinter::FramePrinter(bool with_exit_code)
    : reader_([this](bool error_stream, std::string_view data) { add(error_stream, data); }, with_exit_code) {}

void FramePrinter::take(std::string_view data) {
    reader_.take(data);
    flush();
}

void FramePrinter::add(bool error_stream, std::string_view data) {
    if (error_stream != error_stream_) flush();
    error_stream_ = error_stream;
    text_ += data;
}

void FramePrinter::flush() {
    if (!text_.empty()) print(text_, error_stream_ ? STDERR_FILENO : STDOUT_FILENO);
    text_.clear();
}

}  // namespace kedge::cli

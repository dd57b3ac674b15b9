#include "cli/progress.h"

#include "base/error.h"
#include "cli/format.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

namespace kedge::cli {

using nlohmann::json;

namespace {

constexpr size_t kBar = 50;

[[noreturn]] void throw_error(const json& message) {
    json detail = message.value("errorDetail", json::object());
    std::string text = text_of(detail, "message");
    throw Error(Code::internal, text.empty() ? text_of(message, "error") : text, text_of(detail, "hint"));
}

/// `[====>     ]  1.2MB/3.4MB`, as wide as the terminal has room for; empty without progress.
std::string bar(const json& detail, size_t width) {
    int64_t current = number_of(detail, "current"), total = number_of(detail, "total");
    if (current <= 0 && total <= 0) return {};
    if (total <= 0) return human_size(current);
    std::string sizes = fmt::format("{}/{}", human_size(std::min(current, total)), human_size(total));
    if (width < kBar + sizes.size() + 5) return sizes;
    size_t done =
        static_cast<size_t>(kBar * static_cast<double>(std::min(current, total)) / static_cast<double>(total));
    std::string filled = done == 0 ? "" : std::string(done - 1, '=') + (done == kBar ? "=" : ">");
    return fmt::format("[{:<{}}]  {}", filled, kBar, sizes);
}

}  // namespace

ProgressDisplay::ProgressDisplay(Output output, std::optional<Terminal> terminal, std::chrono::milliseconds pause)
    : output_(std::move(output)), terminal_(terminal), pause_(pause) {}

void ProgressDisplay::take(const json& message) {
    if (!message.is_object()) return;
    if (message.contains("error") || message.contains("errorDetail")) throw_error(message);
    if (std::string stream = text_of(message, "stream"); !stream.empty()) return output_(stream);
    std::string id = text_of(message, "id"), status = text_of(message, "status");
    if (id.empty()) {
        rows_.clear();  // what was shown is above this line now, where it stays
        if (!status.empty()) output_(status + "\n");
        return;
    }
    take_row(id, message);
}

void ProgressDisplay::take_row(const std::string& id, const json& message) {
    std::string status = text_of(message, "status");
    json detail = message.value("progressDetail", json::object());
    auto [found, is_new] = rows_.try_emplace(id);
    Row& row = found->second;
    bool changed = is_new || row.status != status;
    row.status = status;
    if (!terminal_) {
        if (changed && detail.empty()) output_(id + ": " + status + "\n");
        return;
    }
    auto now = std::chrono::steady_clock::now();
    if (!changed && now - row.drawn < pause_) return;
    row.drawn = now;
    if (is_new) row.line = rows_.size() - 1;
    std::string text = id + ": " + status + " ";
    text += bar(detail, terminal_->width > text.size() ? terminal_->width - text.size() : 0);
    draw(row, is_new, truncated(text, terminal_->width - 1));
}

void ProgressDisplay::draw(const Row& row, bool is_new, const std::string& text) {
    if (is_new) return output_(text + "\n");
    size_t up = rows_.size() - row.line;
    if (up >= terminal_->height) return;  // it has left the screen
    output_(fmt::format("\033[{0}A\033[2K{1}\r\033[{0}B", up, text));
}

std::optional<ProgressDisplay::Terminal> terminal_at(int fd) {
    winsize size{};
    if (::isatty(fd) != 1) return std::nullopt;
    if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col < 20 || size.ws_row < 4) return ProgressDisplay::Terminal{};
    return ProgressDisplay::Terminal{size.ws_col, size.ws_row};
}

}  // namespace kedge::cli

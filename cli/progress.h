#pragma once

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kedge::cli {

/// Shows the messages of pulls, imports and loads: on a terminal a line for each layer that is kept up to date, else a
/// line for each thing that happened.
class ProgressDisplay {
public:
    struct Terminal {
        size_t width = 80, height = 24;
    };
    using Output = std::function<void(std::string_view)>;

    /// A line is not redrawn for mere progress within `pause`.
    ProgressDisplay(Output output, std::optional<Terminal> terminal,
                    std::chrono::milliseconds pause = std::chrono::milliseconds(50));
    /// One message (`{"status": ..., "id": ..., "progressDetail": {...}}`). An error's message is thrown as Error.
    void take(const nlohmann::json& message);

private:
    struct Row {
        size_t line = 0;
        std::string status;
        std::chrono::steady_clock::time_point drawn{};
    };
    void take_row(const std::string& id, const nlohmann::json& message);
    void draw(const Row& row, bool is_new, const std::string& text);

    Output output_;
    std::optional<Terminal> terminal_;
    std::chrono::milliseconds pause_;
    std::map<std::string, Row> rows_;  ///< by id
};

/// The size of the terminal at this descriptor; nullopt if it is none.
std::optional<ProgressDisplay::Terminal> terminal_at(int fd);

}  // namespace kedge::cli

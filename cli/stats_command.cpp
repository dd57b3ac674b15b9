#include "base/error.h"
#include "cli/format.h"
#include "cli/progress.h"
#include "cli/session.h"
#include "cli/stats_rows.h"
#include "cli/table.h"

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

namespace kedge::cli {

using nlohmann::json;

namespace {

struct StatsOptions {
    ListStyle style;
    bool all = false, once = false;
    std::vector<std::string> names;
};

const std::vector<Column> kColumns = {
    {"CONTAINER ID", "ID"}, {"NAME", "Name"},     {"CPU %", "CPUPerc"},     {"MEM USAGE / LIMIT", "MemUsage"},
    {"MEM %", "MemPerc"},   {"NET I/O", "NetIO"}, {"BLOCK I/O", "BlockIO"}, {"PIDS", "PIDs"}};

/// What is known of the containers, filled by a thread for each, which nobody waits for at the end.
class Board {
public:
    struct Entry {
        std::string name;  ///< as it was asked for
        json latest;       ///< null: nothing yet
        bool ended = false;
        std::optional<Error> error;
    };

    /// Begins to watch it, unless it is watched already.
    static void watch(const std::shared_ptr<Board>& board, const Client& client, const std::string& name, bool once) {
        std::lock_guard lock(board->mutex_);
        for (const auto& entry : board->entries_) {
            if (entry->name == name && !entry->ended) return;
        }
        auto entry = std::make_shared<Entry>();
        entry->name = name;
        board->entries_.push_back(entry);
        std::thread([board, entry, client, once] { board->follow(client, *entry, once); }).detach();
    }

    /// Until each has an answer.
    void await_first() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] {
            return std::all_of(entries_.begin(), entries_.end(),
                               [](const auto& entry) { return entry->ended || !entry->latest.is_null(); });
        });
    }

    std::vector<Entry> entries() const {
        std::lock_guard lock(mutex_);
        std::vector<Entry> copies;
        for (const auto& entry : entries_) copies.push_back(*entry);
        return copies;
    }

private:
    void follow(const Client& client, Entry& entry, bool once) {
        std::optional<Error> error;
        Lines lines([&](const std::string& line) {
            json value = json::parse(line, nullptr, false);
            std::lock_guard lock(mutex_);
            if (value.is_object()) entry.latest = std::move(value);
            changed_.notify_all();
        });
        try {
            client.stream("GET", "/containers/" + escape(entry.name) + "/stats?stream=" + (once ? "0" : "1"), {},
                          [&](std::string_view data) { lines.take(data); });
        } catch (const Error& e) {
            error = e;
        }
        std::lock_guard lock(mutex_);
        entry.ended = true;
        entry.error = error;
        changed_.notify_all();
    }

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::shared_ptr<Entry>> entries_;
};

/// Those that come while all are watched.
void watch_new(const std::shared_ptr<Board>& board, const Client& client, bool created_too) {
    std::thread([=] {
        Lines lines([&](const std::string& line) {
            json event = json::parse(line, nullptr, false);
            if (!event.is_object()) return;
            const std::string action = text_of(event, "Action");
            if (action == "start" || (created_too && action == "create"))
                Board::watch(board, client, text_of(event.value("Actor", json::object()), "ID"), false);
        });
        try {
            const std::string filters = filters_parameter({"type=container", "event=start", "event=create"});
            client.stream("GET", "/events" + query({{"filters", filters}}), {},
                          [&](std::string_view data) { lines.take(data); });
        } catch (const Error&) {
            // The agent is gone: the others find out too.
        }
    }).detach();
}

/// Their rows; those that don't run only if they were asked for.
json rows_of(const std::vector<Board::Entry>& entries, const StatsOptions& options) {
    const bool all = options.all || !options.names.empty();
    json rows = json::array();
    for (const Board::Entry& entry : entries) {
        if (entry.ended && !options.once) continue;  // removed
        if (entry.latest.is_null()) {
            if (!entry.ended) rows.push_back(unknown_stats_row(entry.name, options.style.no_trunc));
        } else if (all || is_sample(entry.latest)) {
            const std::string asked = options.names.empty() ? short_id(entry.name) : entry.name;
            rows.push_back(stats_row(entry.latest, asked, options.style.no_trunc));
        }
    }
    return rows;
}

std::string redrawn(const std::string& text) {
    std::string result = "\033[H";
    for (char c : text) result += c == '\n' ? std::string("\033[K\n") : std::string(1, c);
    return result + "\033[J";
}

void check(const std::vector<Board::Entry>& entries, bool named) {
    for (const Board::Entry& entry : entries) {
        if (!entry.error) continue;
        // One that goes while all are watched is no error.
        if (named || entry.error->code() != Code::not_found) throw *entry.error;
    }
}

void stats(const Session& session, const StatsOptions& options) {
    constexpr auto kBetweenDrawings = std::chrono::milliseconds(500);
    Client client = session.client();
    auto board = std::make_shared<Board>();
    const bool named = !options.names.empty();
    if (!named && !options.once) watch_new(board, client, options.all);
    std::vector<std::string> names = options.names;
    if (!named) {
        for (const json& container : client.get("/containers/json" + query({{"all", options.all ? "1" : ""}})))
            names.push_back(text_of(container, "Id"));
    }
    for (const std::string& name : names) Board::watch(board, client, name, options.once);
    board->await_first();
    const bool on_terminal = !options.once && terminal_at(STDOUT_FILENO).has_value();
    if (on_terminal) print("\033[2J");
    while (true) {
        const std::vector<Board::Entry> entries = board->entries();
        check(entries, named);
        std::string text = render_rows(options.style, kColumns, rows_of(entries, options), nullptr, colours_wanted());
        print(on_terminal ? redrawn(text) : text);
        const bool over = named && std::all_of(entries.begin(), entries.end(), [](auto& entry) { return entry.ended; });
        if (options.once || over) return;
        std::this_thread::sleep_for(kBetweenDrawings);
    }
}

void set_up_stats(CommandLine line, const std::shared_ptr<Session>& session) {
    auto options = std::make_shared<StatsOptions>();
    line.add_option("containers", options->names, "Names or ids; else all that run");
    add_row_format_option(line, options->style);
    line.add_flag("-a,--all", options->all, "Also those that don't run");
    line.add_flag("--no-stream", options->once, "Once");
    line.add_flag("--no-trunc", options->style.no_trunc, "Don't shorten what is long");
    line.callback([=] { stats(*session, *options); });
}

}  // namespace

Command stats_command() {
    return {"stats", "What containers use, as it changes",
            "  kedge stats\n  kedge stats --no-stream web db\n  kedge stats --no-stream --format '{{.Name}} "
            "{{.CPUPerc}} {{.MemUsage}}'",
            set_up_stats};
}

}  // namespace kedge::cli

#include "api/process_columns.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

namespace kedge::api {

namespace {

using Process = runtime::ProcessInfo;
using Context = ProcessContext;

/// On one line, and nothing that a terminal would obey.
std::string visible(std::string text) {
    for (char& c : text) {
        if (static_cast<unsigned char>(c) < ' ' || c == 127) c = '?';
    }
    return text;
}

std::string name_of(const Process& p, const Context&) {
    return visible(p.name) + (p.state == 'Z' ? " <defunct>" : "");
}

std::string command_of(const Process& p, const Context&) {
    if (p.arguments.empty()) return "[" + visible(p.name) + "]" + (p.state == 'Z' ? " <defunct>" : "");
    std::string line;
    for (const std::string& argument : p.arguments) line += (line.empty() ? "" : " ") + argument;
    return visible(line);
}

int64_t seconds(Nanoseconds time) {
    return std::chrono::floor<std::chrono::seconds>(time).count();
}

/// Per mille of one processor since the process was started.
int64_t cpu_share(const Process& p) {
    const int64_t age = std::max<int64_t>(std::chrono::floor<std::chrono::milliseconds>(p.age).count(), 1);
    return std::chrono::floor<std::chrono::milliseconds>(p.cpu_time).count() * 1000 / age;
}

std::string per_mille(int64_t value) {
    return fmt::format("{}.{}", value / 10, value % 10);
}

std::string cpu_time(const Process& p, const Context&) {
    const int64_t s = seconds(p.cpu_time);
    std::string days = s >= 86400 ? fmt::format("{}-", s / 86400) : "";
    return days + fmt::format("{:02}:{:02}:{:02}", s / 3600 % 24, s / 60 % 60, s % 60);
}

std::string short_cpu_time(const Process& p, const Context&) {
    const int64_t s = seconds(p.cpu_time);
    return fmt::format("{}:{:02}", s / 60, s % 60);
}

std::string elapsed(const Process& p, const Context&) {
    const int64_t s = seconds(p.age);
    std::string text = s >= 86400 ? fmt::format("{}-", s / 86400) : "";
    if (s >= 3600) text += fmt::format("{:02}:", s / 3600 % 24);
    return text + fmt::format("{:02}:{:02}", s / 60 % 60, s % 60);
}

std::tm local(WallTime time) {
    const std::time_t unix_time = std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
    std::tm result{};
    (void)::localtime_r(&unix_time, &result);
    return result;
}

std::string formatted(const std::tm& time, const char* format) {
    char text[64];
    return std::string(text, std::strftime(text, sizeof text, format, &time));
}

/// Today's with the time, this year's with the day.
std::string start_time(const Process& p, const Context& c) {
    const std::tm now = local(c.now), started = local(p.started);
    if (now.tm_year != started.tm_year) return formatted(started, "%Y");
    return formatted(started, now.tm_yday != started.tm_yday ? "%b%d" : "%H:%M");
}

std::string terminal(const Process& p, const Context&) {
    const uint64_t major = (p.terminal >> 8) & 0xfff, minor = (p.terminal & 0xff) | ((p.terminal >> 12) & 0xfff00);
    if (p.terminal == 0) return "?";
    if (major >= 136 && major <= 143) return fmt::format("pts/{}", (major - 136) * 256 + minor);
    if (major == 4) return minor < 64 ? fmt::format("tty{}", minor) : fmt::format("ttyS{}", minor - 64);
    return "?";
}

std::string state(const Process& p, const Context&) {
    return std::string(1, p.state);
}

std::string long_state(const Process& p, const Context&) {
    std::string text(1, p.state);
    if (p.nice < 0) text += '<';
    if (p.nice > 0) text += 'N';
    if (p.locked_pages > 0) text += 'L';
    if (p.session == p.pid) text += 's';
    if (p.threads > 1) text += 'l';
    if (p.terminal_group == p.group) text += '+';
    return text;
}

/// Whether it was forked without executing anything, and whether it used a superuser's rights.
std::string flags(const Process& p, const Context&) {
    return std::to_string((p.flags >> 6) & 7);
}

template <auto Member>
std::string number(const Process& p, const Context&) {
    return std::to_string(p.*Member);
}

template <auto Member>
std::string kilobytes(const Process& p, const Context&) {
    return std::to_string(p.*Member / 1024);
}

template <auto Member>
std::string user(const Process& p, const Context& c) {
    return visible(c.user(p.*Member));
}

template <auto Member>
std::string group(const Process& p, const Context& c) {
    return visible(c.group(p.*Member));
}

std::string percent_cpu(const Process& p, const Context&) {
    return per_mille(cpu_share(p));
}

std::string whole_percent_cpu(const Process& p, const Context&) {
    return std::to_string(std::min<int64_t>(cpu_share(p) / 10, 99));
}

std::string percent_memory(const Process& p, const Context& c) {
    return per_mille(static_cast<int64_t>(c.memory == 0 ? 0 : p.resident * 1000 / c.memory));
}

std::string wait_channel(const Process& p, const Context&) {
    return p.waits_in.empty() ? "-" : visible(p.waits_in);
}

const ProcessColumn kColumns[] = {
    {"%cpu", "%CPU", percent_cpu},
    {"pcpu", "%CPU", percent_cpu},
    {"c", "C", whole_percent_cpu},
    {"%mem", "%MEM", percent_memory},
    {"pmem", "%MEM", percent_memory},
    {"addr", "ADDR", [](const Process&, const Context&) { return std::string("-"); }},
    {"args", "COMMAND", command_of},
    {"cmd", "CMD", command_of},
    {"command", "COMMAND", command_of},
    {"comm", "COMMAND", name_of},
    {"ucmd", "CMD", name_of},
    {"ucomm", "COMMAND", name_of},
    {"cputime", "TIME", cpu_time},
    {"time", "TIME", cpu_time},
    {"bsdtime", "TIME", short_cpu_time},
    {"etime", "ELAPSED", elapsed},
    {"etimes", "ELAPSED", [](const Process& p, const Context&) { return std::to_string(seconds(p.age)); }},
    {"stime", "STIME", start_time},
    {"start_time", "START", start_time},
    {"bsdstart", "START", start_time},
    {"lstart", "STARTED",
     [](const Process& p, const Context&) { return formatted(local(p.started), "%a %b %e %H:%M:%S %Y"); }},
    {"f", "F", flags},
    {"flags", "F", flags},
    {"user", "USER", user<&Process::effective_user>},
    {"euser", "EUSER", user<&Process::effective_user>},
    {"uname", "USER", user<&Process::effective_user>},
    {"ruser", "RUSER", user<&Process::user>},
    {"uid", "UID", number<&Process::effective_user>},
    {"euid", "EUID", number<&Process::effective_user>},
    {"ruid", "RUID", number<&Process::user>},
    {"group", "GROUP", group<&Process::effective_gid>},
    {"egroup", "EGROUP", group<&Process::effective_gid>},
    {"rgroup", "RGROUP", group<&Process::gid>},
    {"gid", "GID", number<&Process::effective_gid>},
    {"egid", "EGID", number<&Process::effective_gid>},
    {"rgid", "RGID", number<&Process::gid>},
    {"pid", "PID", number<&Process::pid>},
    {"tgid", "TGID", number<&Process::pid>},
    {"ppid", "PPID", number<&Process::parent>},
    {"pgid", "PGID", number<&Process::group>},
    {"pgrp", "PGRP", number<&Process::group>},
    {"sid", "SID", number<&Process::session>},
    {"sess", "SESS", number<&Process::session>},
    {"session", "SESS", number<&Process::session>},
    {"tpgid", "TPGID", number<&Process::terminal_group>},
    {"ni", "NI", number<&Process::nice>},
    {"nice", "NI", number<&Process::nice>},
    {"pri", "PRI", [](const Process& p, const Context&) { return std::to_string(39 - p.priority); }},
    {"opri", "PRI", [](const Process& p, const Context&) { return std::to_string(60 + p.priority); }},
    {"priority", "PRI", number<&Process::priority>},
    {"nlwp", "NLWP", number<&Process::threads>},
    {"thcount", "THCNT", number<&Process::threads>},
    {"psr", "PSR", number<&Process::processor>},
    {"rss", "RSS", kilobytes<&Process::resident>},
    {"rssize", "RSS", kilobytes<&Process::resident>},
    {"rsz", "RSZ", kilobytes<&Process::resident>},
    {"vsz", "VSZ", kilobytes<&Process::virtual_memory>},
    {"vsize", "VSZ", kilobytes<&Process::virtual_memory>},
    {"sz", "SZ",
     [](const Process& p, const Context&) {
         return std::to_string(p.virtual_memory / static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)));
     }},
    {"s", "S", state},
    {"state", "S", state},
    {"stat", "STAT", long_state},
    {"tty", "TT", terminal},
    {"tt", "TT", terminal},
    {"tname", "TTY", terminal},
    {"wchan", "WCHAN", wait_channel},
};

}  // namespace

const ProcessColumn* find_process_column(const std::string& word) {
    auto found =
        std::find_if(std::begin(kColumns), std::end(kColumns), [&](const ProcessColumn& c) { return word == c.word; });
    return found == std::end(kColumns) ? nullptr : found;
}

}  // namespace kedge::api

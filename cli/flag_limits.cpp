#include "base/clock.h"
#include "cli/flag_values.h"
#include "cli/format.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <charconv>
#include <cmath>
#include <set>

namespace kedge::cli {

using nlohmann::json;

namespace {

bool read_whole(const std::string& text, int64_t& value) {
    auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    return failure == std::errc() && end == text.data() + text.size() && !text.empty();
}

void put_size(const std::string& value, const char* flag, const char* key, json& host) {
    if (value.empty()) return;
    if (std::string(key) == "MemorySwap" && value == "-1") {
        host[key] = -1;
        return;
    }
    try {
        host[key] = size_of(value);
    } catch (const Error& error) {
        throw invalid_flag(value, flag, error.what());
    }
}

int64_t read_period(const std::string& value, const char* flag) {
    if (value.empty()) return 0;
    int64_t nanoseconds = 0;
    try {
        nanoseconds = parse_duration(value).count();
    } catch (const Error& error) {
        throw invalid_flag(value, flag, error.what());
    }
    if (nanoseconds < 0) throw Error(Code::invalid_argument, std::string(flag) + " cannot be negative");
    return nanoseconds;
}

}  // namespace

std::pair<std::string, std::string> key_and_value(const std::string& text, const std::string& flag) {
    size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) throw invalid_flag(text, flag, "must be a key=value pair");
    return {text.substr(0, equals), text.substr(equals + 1)};
}

int64_t read_cpus(const std::string& flag) {
    double value = -1;
    bool digits = !flag.empty() && flag.find_first_not_of("0123456789.") == std::string::npos;
    auto [end, failure] = std::from_chars(flag.data(), flag.data() + flag.size(), value);
    if (!digits || failure != std::errc() || end != flag.data() + flag.size() || value > 1e6) {
        throw invalid_flag(flag, "--cpus", fmt::format("failed to parse {} as a rational number", flag));
    }
    return std::llround(value * 1e9);
}

void put_limits(const RunOptions& o, json& host) {
    put_size(o.memory, "-m, --memory", "Memory", host);
    put_size(o.memory_swap, "--memory-swap", "MemorySwap", host);
    put_size(o.memory_reservation, "--memory-reservation", "MemoryReservation", host);
    put_size(o.shm_size, "--shm-size", "ShmSize", host);
    if (!o.cpus.empty()) {
        if (o.cpu_quota || o.cpu_period) {
            const std::string other = o.cpu_period ? "Period" : "Quota";
            throw Error(Code::invalid_argument,
                        "Conflicting options: Nano CPUs and CPU " + other + " cannot both be set", "give --cpus alone");
        }
        host["NanoCpus"] = read_cpus(o.cpus);
    }
    if (!o.cpuset_cpus.empty()) host["CpusetCpus"] = o.cpuset_cpus;
    if (!o.cpuset_mems.empty()) host["CpusetMems"] = o.cpuset_mems;
    if (o.blkio_weight) host["BlkioWeight"] = *o.blkio_weight;
    if (o.cpu_shares) host["CpuShares"] = *o.cpu_shares;
    if (o.cpu_quota) host["CpuQuota"] = *o.cpu_quota;
    if (o.cpu_period) host["CpuPeriod"] = *o.cpu_period;
    if (o.pids_limit) host["PidsLimit"] = *o.pids_limit;
    if (o.swappiness) host["MemorySwappiness"] = *o.swappiness;
    if (o.oom_kill_disable) host["OomKillDisable"] = true;
    if (o.oom_score_adj) host["OomScoreAdj"] = *o.oom_score_adj;
    for (const std::string& flag : o.ulimits) host["Ulimits"].push_back(read_ulimit(flag));
}

json read_ulimit(const std::string& flag) {
    static const std::set<std::string> kNames = {"core",    "cpu",      "data",   "fsize",      "locks",
                                                 "memlock", "msgqueue", "nice",   "nofile",     "nproc",
                                                 "rss",     "rtprio",   "rttime", "sigpending", "stack"};
    auto fail = [&](const std::string& reason) { return invalid_flag(flag, "--ulimit", reason); };
    size_t equals = flag.find('='), colon = flag.find(':');
    if (equals == std::string::npos) throw fail("invalid ulimit argument: " + flag);
    std::string name = flag.substr(0, equals);
    if (!kNames.contains(name)) throw fail("invalid ulimit type: " + name);
    std::string soft_text =
        flag.substr(equals + 1, colon == std::string::npos ? std::string::npos : colon - equals - 1);
    int64_t soft = 0, hard = 0;
    if (!read_whole(soft_text, soft)) throw fail("invalid ulimit argument: " + flag);
    hard = soft;
    if (colon != std::string::npos && !read_whole(flag.substr(colon + 1), hard))
        throw fail("invalid ulimit argument: " + flag);
    if (hard != -1 && (soft == -1 || soft > hard)) {
        throw fail(fmt::format("ulimit soft limit must be less than or equal to hard limit: {} > {}", soft, hard));
    }
    return {{"Name", name}, {"Soft", soft}, {"Hard", hard}};
}

json read_restart(const std::string& flag) {
    auto fail = [](const std::string& reason) {
        return Error(Code::invalid_argument, "invalid restart policy format: " + reason);
    };
    size_t colon = flag.find(':');
    std::string name = flag.substr(0, colon);
    if (name.empty()) throw fail("no policy provided before colon");
    json policy = {{"Name", name}};
    if (colon != std::string::npos) {
        int64_t count = 0;
        if (!read_whole(flag.substr(colon + 1), count)) throw fail("maximum retry count must be an integer");
        policy["MaximumRetryCount"] = count;
    }
    return policy;
}

json read_device(const std::string& flag) {
    size_t first = flag.find(':'), second = first == std::string::npos ? first : flag.find(':', first + 1);
    std::string host = flag.substr(0, first), inside = host, rights = "rwm";
    auto are_rights = [](const std::string& text) {
        return !text.empty() && text.find_first_not_of("rwm") == std::string::npos;
    };
    auto fail = [&](const std::string& reason) { return invalid_flag(flag, "--device", reason); };
    if (first != std::string::npos) {
        std::string middle = flag.substr(first + 1, second == std::string::npos ? second : second - first - 1);
        if (second == std::string::npos && are_rights(middle))
            rights = middle;
        else
            inside = middle;
    }
    if (second != std::string::npos) {
        rights = flag.substr(second + 1);
        if (!are_rights(rights)) throw Error(Code::invalid_argument, "bad mode specified: " + rights);
    }
    for (const std::string& path : {host, inside}) {
        if (!path.starts_with('/')) throw fail(path + " is not an absolute path");
    }
    return {{"PathOnHost", host}, {"PathInContainer", inside}, {"CgroupPermissions", rights}};
}

std::string read_security_option(const std::string& flag, const Outside& outside) {
    constexpr std::string_view kKey = "seccomp=";
    if (!flag.starts_with(kKey)) return flag;
    std::string profile = flag.substr(kKey.size());
    if (profile == "unconfined" || profile == "builtin" || profile.starts_with('{')) return flag;
    try {
        return std::string(kKey) + outside.file(profile);
    } catch (const Error& error) {
        throw error.with_context("opening seccomp profile (" + profile + ") failed");
    }
}

json read_health(const RunOptions& o) {
    bool any = !o.health_command.empty() || !o.health_interval.empty() || !o.health_timeout.empty() ||
               !o.health_start_period.empty() || !o.health_start_interval.empty() || o.health_retries;
    if (o.no_healthcheck && any)
        throw Error(Code::invalid_argument, "--no-healthcheck conflicts with --health-* options");
    if (o.no_healthcheck) return {{"Test", {"NONE"}}};
    if (!any) return nullptr;
    if (o.health_retries && *o.health_retries < 0)
        throw Error(Code::invalid_argument, "--health-retries cannot be negative");
    json check = {{"Interval", read_period(o.health_interval, "--health-interval")},
                  {"Timeout", read_period(o.health_timeout, "--health-timeout")},
                  {"StartPeriod", read_period(o.health_start_period, "--health-start-period")},
                  {"StartInterval", read_period(o.health_start_interval, "--health-start-interval")},
                  {"Retries", o.health_retries.value_or(0)}};
    if (!o.health_command.empty()) check["Test"] = {"CMD-SHELL", o.health_command};
    return check;
}

}  // namespace kedge::cli

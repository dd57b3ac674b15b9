// update on the command line.
#include "base/error.h"
#include "base/size.h"
#include "runtime/oci/command_line.h"

#include <CLI/CLI.hpp>

#include <fcntl.h>

namespace kedge::oci {

namespace {

/// One flag, and where its value goes in linux.resources.
struct Flag {
    const char* name;
    const char* group;
    const char* member;
    const char* description;
    enum Kind { number, size, text } kind;
};

const Flag kFlags[] = {
    {"--memory", "memory", "limit", "Memory in bytes (k, m and g are understood; -1: no limit)", Flag::size},
    {"--memory-reservation", "memory", "reservation", "Memory that it is pressed down to when there is little",
     Flag::size},
    {"--memory-swap", "memory", "swap", "Memory and swap together", Flag::size},
    {"--cpu-period", "cpu", "period", "Microseconds of a period", Flag::number},
    {"--cpu-quota", "cpu", "quota", "Microseconds that it may run in each period", Flag::number},
    {"--cpu-burst", "cpu", "burst", "Microseconds that it may save up", Flag::number},
    {"--cpu-share", "cpu", "shares", "Weight against others", Flag::number},
    {"--cpu-rt-period", "cpu", "realtimePeriod", "Microseconds of a real-time period", Flag::number},
    {"--cpu-rt-runtime", "cpu", "realtimeRuntime", "Microseconds of real time in each", Flag::number},
    {"--cpu-idle", "cpu", "idle", "1: only when nobody else wants to run", Flag::number},
    {"--cpuset-cpus", "cpu", "cpus", "Processors: 0-3,7", Flag::text},
    {"--cpuset-mems", "cpu", "mems", "Memory nodes", Flag::text},
    {"--pids-limit", "pids", "limit", "Processes and threads (-1: no limit)", Flag::number},
    {"--blkio-weight", "blockIO", "weight", "Weight of its block I/O", Flag::number},
};

Json value_of(const Flag& flag, const std::string& text) {
    if (flag.kind == Flag::text) return text;
    if (flag.kind == Flag::size && !text.starts_with('-')) {
        const std::optional<int64_t> size = parse_size(text);
        if (!size) throw Error(Code::invalid_argument, std::string(flag.name) + ": \"" + text + "\" is not a size");
        return *size;
    }
    try {
        size_t end = 0;
        const int64_t number = std::stoll(text, &end);
        if (end == text.size()) return number;
    } catch (const std::exception&) {
        // Said below.
    }
    throw Error(Code::invalid_argument, std::string(flag.name) + ": \"" + text + "\" is not a number");
}

}  // namespace

void add_update_command(CLI::App& app, const std::shared_ptr<Session>& session) {
    CLI::App* command = add(app, "update", "Change the limits of a container",
                            "  kedge oci update --memory 256m --pids-limit 100 web\n"
                            "  echo '{\"cpu\":{\"shares\":512}}' | kedge oci update --resources - web");
    struct Flags {
        std::string id, file;
        std::vector<std::string> values = std::vector<std::string>(std::size(kFlags));
    };
    auto flags = std::make_shared<Flags>();
    command->add_option("-r,--resources", flags->file,
                        "A file with them as linux.resources has them; -: standard input");
    std::vector<CLI::Option*> options;
    for (size_t i = 0; i < std::size(kFlags); i++)
        options.push_back(command->add_option(kFlags[i].name, flags->values[i], kFlags[i].description));
    command->add_option("id", flags->id, "The container")->required();
    command->callback([=] {
        Json resources = Json::object();
        if (!flags->file.empty())
            resources = parse_json(flags->file == "-" ? read_all(0, 16u << 20) : read_file_at(AT_FDCWD, flags->file),
                                   flags->file);
        for (size_t i = 0; i < std::size(kFlags); i++)
            if (options[i]->count() > 0)
                resources[kFlags[i].group][kFlags[i].member] = value_of(kFlags[i], flags->values[i]);
        update(session->runtime, flags->id, resources.dump());
    });
}

}  // namespace kedge::oci

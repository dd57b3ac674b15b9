#include "runtime/containers/resolve.h"

#include "base/error.h"

#include <algorithm>

namespace kedge::runtime {

namespace {

constexpr const char* kDefaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::string name_of(const std::string& variable) {
    return variable.substr(0, variable.find('='));
}

std::vector<std::string> arguments_of(const ContainerSpec& spec, const ImageConfig& image) {
    std::vector<std::string> entrypoint = spec.entrypoint.value_or(image.entrypoint);
    std::vector<std::string> command = spec.command.value_or(std::vector<std::string>{});
    bool own_entrypoint = spec.entrypoint && !spec.entrypoint->empty();
    if (command.empty() && !own_entrypoint) command = image.command;
    if (entrypoint.size() == 1 && entrypoint[0].empty()) entrypoint.clear();  // --entrypoint ""
    entrypoint.insert(entrypoint.end(), command.begin(), command.end());
    if (entrypoint.empty()) throw Error(Code::invalid_argument, "No command specified");
    return entrypoint;
}

std::optional<Healthcheck> healthcheck_of(const ContainerSpec& spec, const ImageConfig& image) {
    Healthcheck check = spec.healthcheck.value_or(Healthcheck{});
    if (image.healthcheck) {
        const Healthcheck& base = *image.healthcheck;
        if (check.test.empty()) check.test = base.test;
        if (check.interval.count() == 0) check.interval = base.interval;
        if (check.timeout.count() == 0) check.timeout = base.timeout;
        if (check.start_period.count() == 0) check.start_period = base.start_period;
        if (check.start_interval.count() == 0) check.start_interval = base.start_interval;
        if (check.retries == 0) check.retries = base.retries;
    }
    if (check.test.empty() || check.test[0] == "NONE") return std::nullopt;
    return check;
}

void resolve_mounts(const ContainerSpec& spec, const ImageConfig& image, const std::vector<Mount>& inherited,
                    ContainerRecord* record) {
    std::vector<Mount>& mounts = record->info.mounts;
    mounts = inherited;
    for (Mount mount : spec.mounts) {
        mount.target = clean_path(mount.target);
        std::erase_if(mounts, [&](const Mount& m) { return m.target == mount.target; });
        mounts.push_back(std::move(mount));
    }
    for (const std::string& path : image.volumes) {
        std::string target = clean_path(path);
        if (target == "/") continue;
        bool taken = std::any_of(mounts.begin(), mounts.end(), [&](const Mount& m) { return m.target == target; });
        if (taken) continue;
        Mount mount;
        mount.target = target;
        mounts.push_back(mount);
    }
    for (Mount& mount : mounts) {
        if (mount.type != Mount::Type::volume || !mount.source.empty()) continue;
        mount.source = random_hex(32);
        record->anonymous_volumes.push_back(mount.source);
    }
}

}  // namespace

std::string clean_path(const std::string& path) {
    std::vector<std::string> parts;
    for (size_t start = 0; start <= path.size();) {
        size_t end = std::min(path.find('/', start), path.size());
        std::string part = path.substr(start, end - start);
        start = end + 1;
        if (part.empty() || part == ".") continue;
        if (part != "..")
            parts.push_back(part);
        else if (!parts.empty())
            parts.pop_back();
    }
    std::string clean;
    for (const std::string& part : parts) clean += "/" + part;
    return clean.empty() ? "/" : clean;
}

std::vector<std::string> overlay_environment(std::vector<std::string> base, const std::vector<std::string>& over) {
    for (const std::string& variable : over) {
        auto same = std::find_if(base.begin(), base.end(), [&](auto& v) { return name_of(v) == name_of(variable); });
        if (same != base.end())
            *same = variable;
        else
            base.push_back(variable);
    }
    return base;
}

std::vector<std::string> process_environment(const ContainerInfo& info, const std::string& hostname, bool tty) {
    std::vector<std::string> environment = {kDefaultPath, "HOSTNAME=" + hostname};
    if (tty) environment.push_back("TERM=xterm");
    environment = overlay_environment(std::move(environment), info.environment);
    std::erase_if(environment, [](const std::string& variable) { return variable.find('=') == std::string::npos; });
    return environment;
}

ContainerRecord resolve(const ContainerSpec& spec, const ImageInfo& image, const std::vector<Mount>& inherited) {
    ContainerRecord record;
    ContainerInfo& info = record.info;
    info.spec = spec;
    info.image_id = image.id;
    info.arguments = arguments_of(spec, image.config);
    info.environment = spec.environment;
    for (const std::string& variable : image.config.environment) {
        bool own = std::any_of(spec.environment.begin(), spec.environment.end(),
                               [&](const std::string& v) { return name_of(v) == name_of(variable); });
        if (!own) info.environment.push_back(variable);
    }
    info.working_dir = spec.working_dir.empty() ? image.config.working_dir : spec.working_dir;
    info.user = spec.user.empty() ? image.config.user : spec.user;
    info.stop_signal = spec.stop_signal.value_or(image.config.stop_signal);
    if (info.stop_signal.empty()) info.stop_signal = "SIGTERM";
    info.healthcheck = healthcheck_of(spec, image.config);
    info.labels = image.config.labels;
    for (const auto& [key, value] : spec.labels) info.labels[key] = value;
    info.networks = networks_of(spec);
    resolve_mounts(spec, image.config, inherited, &record);
    record.exposed_ports = image.config.exposed_ports;
    return record;
}

}  // namespace kedge::runtime

#include "api/metric_families.h"

#include "base/error.h"
#include "base/fd.h"
#include "reconciler/controller.h"
#include "runtime/engine.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <sstream>

namespace kedge::api {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

MetricFamily family(const char* name, MetricType type, const char* help) {
    MetricFamily result;
    result.name = name;
    result.type = type;
    result.help = help;
    return result;
}

void add(MetricFamily& to, Labels labels, double value) {
    ClientMetric& metric = to.metric.emplace_back();
    metric.label = std::move(labels);
    if (to.type == MetricType::Counter)
        metric.counter.value = value;
    else
        metric.gauge.value = value;
}

double seconds(Nanoseconds duration) {
    return std::chrono::duration<double>(duration).count();
}

double resident_bytes() {
    try {
        std::istringstream statm(read_file_at(AT_FDCWD, "/proc/self/statm", 4096));
        double size = 0, resident = 0;
        statm >> size >> resident;
        return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
    } catch (const Error&) {
        return 0;
    }
}

std::string label_of(const runtime::ContainerInfo& info, const std::string& name) {
    auto found = info.labels.find(name);
    return found == info.labels.end() ? std::string() : found->second;
}

constexpr std::array kReleaseStates = {reconciler::ReleaseState::pending,     reconciler::ReleaseState::fetching,
                                       reconciler::ReleaseState::blocked,     reconciler::ReleaseState::held,
                                       reconciler::ReleaseState::applying,    reconciler::ReleaseState::soaking,
                                       reconciler::ReleaseState::good,        reconciler::ReleaseState::rolling_back,
                                       reconciler::ReleaseState::rolled_back, reconciler::ReleaseState::superseded};

}  // namespace

std::vector<MetricFamily> agent_families(const Services& services) {
    MetricFamily build =
        family("kedge_build_info", MetricType::Gauge, "Always 1; the version of the agent as a label.");
    add(build, {{"version", std::string(version())}}, 1);
    MetricFamily memory =
        family("process_resident_memory_bytes", MetricType::Gauge, "Resident memory of the agent in bytes.");
    add(memory, {}, resident_bytes());
    MetricFamily start =
        family("process_start_time_seconds", MetricType::Gauge, "When the agent started, in seconds since the epoch.");
    add(start, {}, seconds(services.started.time_since_epoch()));
    return {build, memory, start};
}

std::vector<MetricFamily> controller_families(const Services& services) {
    MetricFamily age =
        family("kedge_sync_age_seconds", MetricType::Gauge, "Time since the source was last fetched successfully.");
    MetricFamily failing =
        family("kedge_source_failing", MetricType::Gauge, "1 while the last fetch of the source failed.");
    for (const reconciler::SourceStatus& source : services.controller.sources()) {
        if (source.last_success != WallTime{})
            add(age, {{"source", source.name}}, seconds(wall_now() - source.last_success));
        add(failing, {{"source", source.name}}, source.error.empty() ? 0 : 1);
    }
    MetricFamily state = family("kedge_release_state", MetricType::Gauge,
                                "1 for the state that the project's newest release is in, 0 for the others.");
    MetricFamily number = family("kedge_release_number", MetricType::Gauge, "Number of the project's newest release.");
    MetricFamily drift = family("kedge_drift", MetricType::Gauge, "Differences between the project and what runs.");
    MetricFamily held = family("kedge_project_held", MetricType::Gauge, "1 while the project is held.");
    for (const reconciler::ProjectStatus& project : services.controller.status()) {
        Labels labels = {{"project", project.project}};
        add(drift, labels, static_cast<double>(project.drift.size()));
        add(held, labels, project.held ? 1 : 0);
        if (!project.current) continue;
        add(number, labels, static_cast<double>(project.current->number));
        for (reconciler::ReleaseState each : kReleaseStates) {
            add(state, {{"project", project.project}, {"state", std::string(reconciler::to_string(each))}},
                each == project.current->state ? 1 : 0);
        }
    }
    reconciler::Figures figures = services.controller.figures();
    MetricFamily syncs = family("kedge_syncs_total", MetricType::Counter, "Syncs by source and result.");
    for (const auto& [key, count] : figures.syncs_total) {
        size_t tab = key.find('\t');
        std::string result = tab == std::string::npos ? "" : key.substr(tab + 1);
        add(syncs, {{"source", key.substr(0, tab)}, {"result", result}}, static_cast<double>(count));
    }
    MetricFamily rollbacks = family("kedge_rollbacks_total", MetricType::Counter, "Releases that were rolled back.");
    for (const auto& [project, count] : figures.rollbacks_total)
        add(rollbacks, {{"project", project}}, static_cast<double>(count));
    MetricFamily drifts =
        family("kedge_drift_total", MetricType::Counter, "Differences found between the project and what ran.");
    for (const auto& [project, count] : figures.drift_total)
        add(drifts, {{"project", project}}, static_cast<double>(count));
    MetricFamily steps =
        family("kedge_step_duration_seconds", MetricType::Summary, "Time that the steps of applying took, by kind.");
    for (const auto& [kind, duration] : figures.steps) {
        ClientMetric& metric = steps.metric.emplace_back();
        metric.label = {{"kind", kind}};
        metric.summary.sample_count = duration.count;
        metric.summary.sample_sum = duration.seconds;
    }
    return {age, failing, state, number, drift, held, syncs, rollbacks, drifts, steps};
}

std::vector<MetricFamily> container_families(const Services& services) {
    MetricFamily count = family("kedge_containers", MetricType::Gauge, "Containers by status.");
    MetricFamily health =
        family("kedge_container_health", MetricType::Gauge, "1 for the health of each container that has a probe.");
    MetricFamily restarts =
        family("kedge_container_restarts_total", MetricType::Counter, "Restarts by the container's restart policy.");
    std::map<std::string, int> by_status;
    for (const runtime::ContainerInfo& info : services.engine.containers().list()) {
        ++by_status[std::string(runtime::to_string(info.status))];
        Labels labels = {{"name", info.name},
                         {"project", label_of(info, "com.docker.compose.project")},
                         {"service", label_of(info, "com.docker.compose.service")}};
        add(restarts, labels, info.restart_count);
        if (info.health.status == runtime::Health::Status::none) continue;
        labels.push_back({"health", std::string(runtime::to_string(info.health.status))});
        add(health, labels, 1);
    }
    for (const auto& [status, number] : by_status) add(count, {{"status", status}}, number);
    return {count, health, restarts};
}

}  // namespace kedge::api

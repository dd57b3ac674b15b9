#include "base/error.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/piped.h"
#include "base/tar/tree_to_tar.h"
#include "runtime/containers/container_engine.h"
#include "runtime/containers/container_layers.h"
#include "runtime/containers/resolve.h"
#include "runtime/images/image_config.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace kedge::runtime {

namespace {

void add_missing(std::vector<std::string>& to, const std::vector<std::string>& from) {
    for (const std::string& one : from)
        if (std::find(to.begin(), to.end(), one) == to.end()) to.push_back(one);
}

/// What the container's configuration is in an image's terms: what was asked for, else the image's.
ImageConfig own_config(const ContainerRecord& record, const ImageConfig& image) {
    const ContainerInfo& info = record.info;
    const ContainerSpec& spec = info.spec;
    ImageConfig config;
    config.user = info.user;
    config.environment = info.environment;
    config.entrypoint = spec.entrypoint.value_or(image.entrypoint);
    config.command = spec.command.value_or(std::vector<std::string>{});
    if (config.command.empty() && (!spec.entrypoint || spec.entrypoint->empty())) config.command = image.command;
    if (config.entrypoint == std::vector<std::string>{""}) config.entrypoint.clear();
    config.working_dir = info.working_dir;
    config.stop_signal = spec.stop_signal.value_or(image.stop_signal);
    config.labels = info.labels;
    config.shell = image.shell;
    config.healthcheck = info.healthcheck;
    if (spec.healthcheck && spec.healthcheck->test == std::vector<std::string>{"NONE"})
        config.healthcheck = spec.healthcheck;
    config.volumes = image.volumes;
    for (const Mount& mount : spec.mounts)
        if (mount.type == Mount::Type::volume && mount.source.empty()) add_missing(config.volumes, {mount.target});
    config.exposed_ports = record.exposed_ports;
    for (const PortBinding& port : spec.ports) {
        const char* protocol = port.protocol == Protocol::udp ? "udp" : "tcp";
        add_missing(config.exposed_ports, {fmt::format("{}/{}", port.container_port, protocol)});
    }
    return config;
}

Healthcheck filled_up(Healthcheck check, const Healthcheck& from) {
    if (check.test.empty()) check.test = from.test;
    if (check.interval.count() == 0) check.interval = from.interval;
    if (check.timeout.count() == 0) check.timeout = from.timeout;
    if (check.start_period.count() == 0) check.start_period = from.start_period;
    if (check.start_interval.count() == 0) check.start_interval = from.start_interval;
    if (check.retries == 0) check.retries = from.retries;
    return check;
}

/// What `over` says, else what the container's own configuration says.
ImageConfig merged(ImageConfig over, const ImageConfig& own) {
    if (over.user.empty()) over.user = own.user;
    if (over.working_dir.empty()) over.working_dir = own.working_dir;
    if (over.stop_signal.empty()) over.stop_signal = own.stop_signal;
    if (over.shell.empty()) over.shell = own.shell;
    if (over.entrypoint.empty()) {  // an entrypoint of its own would not know the old command
        if (over.command.empty()) over.command = own.command;
        over.entrypoint = own.entrypoint;
    }
    over.environment = overlay_environment(own.environment, over.environment);
    over.labels.insert(own.labels.begin(), own.labels.end());
    add_missing(over.exposed_ports, own.exposed_ports);
    add_missing(over.volumes, own.volumes);
    if (own.healthcheck) over.healthcheck = filled_up(over.healthcheck.value_or(Healthcheck{}), *own.healthcheck);
    return over;
}

/// The layer's tar.
void write_layer(const ContainerLayers& layers, const Piped::Write& write, const std::stop_token& stop) {
    auto sink = [&](std::string_view piece) {
        write(piece);
        return true;
    };
    TreeToTar::Options options;
    options.overlay_layer = true;
    options.leave_out = [&](const std::string& path) { return layers.stubs.contains(path); };
    write_archive(sink, stop, [&](TarWriter& tar) { TreeToTar(tar, options).add_content(layers.upper); });
}

/// A container that stands still until this is let go, or ends.
class Still {
public:
    /// `note`: a file that is there meanwhile, for the agent that comes after one that dies.
    Still(Containers& containers, std::string id, std::string note)
        : containers_(containers), id_(std::move(id)), note_(std::move(note)) {}
    ~Still() {
        try {
            end();
        } catch (const Error& e) {
            log(LogLevel::warning, "container " + id_ + ": " + e.what());
        }
    }
    Still(const Still&) = delete;
    Still& operator=(const Still&) = delete;

    void begin() {
        try {
            (void)open_at(AT_FDCWD, note_, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
            containers_.pause(id_);
            paused_ = true;
            fault_point("container.commit.paused");
        } catch (const Error& e) {
            (void)::unlink(note_.c_str());
            if (e.code() != Code::conflict && e.code() != Code::not_found)
                throw;  // it has just ended, or somebody else has paused it
        }
    }
    void end() {
        if (!std::exchange(paused_, false)) return;
        try {
            containers_.unpause(id_);
        } catch (const Error& e) {
            // It has ended, or somebody else has let it go.
            if (e.code() != Code::conflict && e.code() != Code::not_found) throw;
        }
        (void)::unlink(note_.c_str());  // it may have gone with its container
    }

private:
    Containers& containers_;
    const std::string id_, note_;
    bool paused_ = false;
};

}  // namespace

ImageInfo ContainerEngine::commit(const std::string& id, const CommitOptions& options, std::stop_token stop) {
    ContainerLayers layers = layers_of(id);
    const ContainerInfo& info = layers.record->info;
    if (info.status == Status::removing)
        throw Error(Code::conflict, "You cannot commit container " + info.id + " which is being removed");
    const ImageInfo parent = images_.get(info.image_id.str());
    const ImageConfig own = own_config(*layers.record, parent.config);
    ImageConfig config = merged(options.config, own);
    apply_changes(config, options.changes);
    ChildImage child{.parent = info.image_id,
                     .reference = options.reference,
                     .author = options.author,
                     .message = options.message,
                     .created_by = fmt::format("{}", fmt::join(own.command, " ")),
                     .container = info.id,
                     .config = merged(std::move(config), own)};

    Still still(*this, info.id, committing_note(info.id));
    if (options.pause && info.status == Status::running) still.begin();
    Piped layer([&](const Piped::Write& write) { write_layer(layers, write, stop); });
    ImageInfo image = images_.add_layer(
        layer.read_end(), child,
        [&] {
            layer.finish();
            still.end();
        },
        stop);
    publish(*layers.record, "commit",
            {{"comment", options.message}, {"imageID", image.id.str()}, {"imageRef", options.reference}});
    return image;
}

}  // namespace kedge::runtime

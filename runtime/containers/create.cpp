#include "runtime/containers/container_engine.h"

#include "base/durable.h"
#include "base/error.h"
#include "base/fault.h"
#include "runtime/containers/bind_source.h"
#include "runtime/containers/container_check.h"
#include "runtime/containers/generated_name.h"
#include "runtime/containers/image_view.h"
#include "runtime/containers/resolve.h"
#include "runtime/containers/signals.h"
#include "runtime/volumes/volume_mount.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace kedge::runtime {

namespace {

/// Volumes without a name go with the last container that has them.
void share_anonymous_volumes(const ContainerStore& store, ContainerRecord& record) {
    std::vector<std::string>& own = record.anonymous_volumes;
    for (const std::string& text : record.info.spec.volumes_from) {
        for (const std::string& volume : store.find(parse_volumes_from(text).container)->anonymous_volumes) {
            const auto& mounts = record.info.mounts;
            const bool mounted =
                std::any_of(mounts.begin(), mounts.end(), [&](const Mount& m) { return m.source == volume; });
            if (mounted && std::find(own.begin(), own.end(), volume) == own.end()) own.push_back(volume);
        }
    }
}

}  // namespace

/// Throws Error for what is not there, and makes the default network where it is asked for.
void ContainerEngine::check_references(const ContainerSpec& spec) {
    bool is_default = spec.network_mode == "bridge" || spec.network_mode == "default";
    for (const NetworkAttachment& network : spec.networks) is_default |= network.network == kDefaultNetwork;
    if (is_default) provide_default_network(networks_);
    for (const NetworkAttachment& network : spec.networks) {
        try {
            check_attachment(network);
        } catch (const Error& e) {
            if (!std::string_view(e.what()).starts_with("invalid endpoint settings")) throw;
            throw e.with_context("invalid config for network " + network.network);
        }
    }
    for (const std::string* mode : {&spec.network_mode, &spec.pid_mode, &spec.ipc_mode}) {
        std::string other = container_of_mode(*mode);
        if (!other.empty()) (void)store_.find(other);
    }
}

/// Binds and volumes of other containers (`name[:ro]`); where two have something in the same place, the later one's.
std::vector<Mount> ContainerEngine::mounts_from(const std::vector<std::string>& containers) const {
    std::vector<Mount> mounts;
    for (const std::string& text : containers) {
        const VolumesFrom from = parse_volumes_from(text);
        const Snapshot other = store_.find(from.container);
        for (Mount mount : other->info.mounts) {
            if (mount.type == Mount::Type::tmpfs) continue;
            mount.read_only = mount.read_only || from.read_only;
            mount.no_copy = true;
            std::erase_if(mounts, [&](const Mount& m) { return m.target == mount.target; });
            mounts.push_back(std::move(mount));
        }
    }
    return mounts;
}

void ContainerEngine::check(const ContainerSpec& spec) const {
    check_spec(spec);
}

std::string ContainerEngine::create(const ContainerSpec& spec) {
    std::vector<std::string> warnings = check_spec(spec);
    ImageInfo image = images_.get(spec.image);
    check_references(spec);
    ContainerRecord record = resolve(spec, image, mounts_from(spec.volumes_from));
    for (Mount& mount : record.info.mounts) {
        if (mount.type == Mount::Type::image && mount.image_id.empty())
            mount.image_id = images_.get(mount.source).id.str();
    }
    share_anonymous_volumes(store_, record);
    for (NetworkAttachment& network : record.info.networks) network.network = network_name(network.network);
    record.info.id = random_hex(32);
    (void)signal_number(record.info.stop_signal);  // the image's may be anything
    record.info.name = spec.name;
    record.info.created = wall_now();
    record.info.warnings = std::move(warnings);
    record.info.log_path = folder_of(record.info.id) + "/" + record.info.id + "-json.log";

    // The record comes first, so that whatever is made for it is known to belong to it; until it is complete nobody
    // sees it.
    fault_point("container.create.before_record");
    insert_with_name(record);
    Snapshot made;
    try {
        make_container(record);
        // One that is removed at its end is so after a power cut in any case.
        const bool matters = !spec.auto_remove || !record.anonymous_volumes.empty();
        made = store_.change(record.info.id, matters ? Keep::power : Keep::process,
                             [](ContainerRecord& r) { r.complete = true; });
    } catch (...) {
        remove_locked(store_.get(record.info.id), true);
        throw;
    }
    fault_point("container.create.after_record");
    publish(*made, "create");
    return record.info.id;
}

void ContainerEngine::insert_with_name(ContainerRecord& record) {
    if (!record.info.name.empty()) return store_.insert(record);
    for (int attempt = 0;; ++attempt) {
        record.info.name = generated_name(attempt > 3);
        try {
            return store_.insert(record);
        } catch (const Error& e) {
            if (e.code() != Code::conflict || attempt > 50) throw;
        }
    }
}

void ContainerEngine::make_container(const ContainerRecord& record) {
    make_own_folders(record.info.id);
    make_volumes(record);
}

/// By each start again: the row is durable, these aren't, and a power cut after create() may have taken them. What a
/// volatile overlay left in its `work` keeps it from being mounted a second time.
void ContainerEngine::make_own_folders(const std::string& id) const {
    std::string folder = folder_of(id);
    remove_tree(AT_FDCWD, folder + "/work/work/incompat");
    for (auto [inner, mode] : {std::pair{"", 0711u}, std::pair{"/upper", 0755u}, std::pair{"/work", 0700u}}) {
        if (::mkdir((folder + inner).c_str(), mode) != 0 && errno != EEXIST) throw_errno("mkdir " + folder + inner);
    }
}

void ContainerEngine::make_volumes(const ContainerRecord& record) {
    Fd image;  // opened when a volume needs it
    const std::string upper = folder_of(record.info.id) + "/upper";
    for (const Mount& mount : record.info.mounts) {
        if (mount.type == Mount::Type::bind && mount.create_host_path) make_bind_source(mount);
        if (mount.type != Mount::Type::volume) continue;
        const auto& anonymous = record.anonymous_volumes;
        if (std::find(anonymous.begin(), anonymous.end(), mount.source) != anonymous.end()) {
            volumes_.create_anonymous(mount.source, mount.volume_options);
        } else {
            VolumeSpec spec;
            spec.name = mount.source;
            spec.labels = mount.volume_labels;
            spec.options = mount.volume_options;
            (void)volumes_.create(spec);
        }
        if (mount.no_copy) continue;
        const VolumeInfo volume = volumes_.inspect(mount.source);
        if (is_mounted(volume.spec.options)) {
            if (!image) image = open_image_view(images_.layer_folders(record.info.image_id), upper);
            fill_elsewhere(mount, volume, image);
            continue;
        }
        volumes_.fill(mount.source, [&](int folder) {
            if (!image) image = open_image_view(images_.layer_folders(record.info.image_id), upper);
            return copy_from_image(image, mount.target, folder);
        });
    }
}

}  // namespace kedge::runtime

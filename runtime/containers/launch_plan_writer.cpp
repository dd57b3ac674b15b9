#include "runtime/containers/launch_plan_writer.h"

#include "base/error.h"

#include <sys/mman.h>

namespace kedge::runtime {

shim::Text PlanWriter::add(std::string_view text) {
    if (text.empty()) return 0;
    if (text.find('\0') != std::string_view::npos)
        throw Error(Code::invalid_argument, "a text of the container has a zero byte in it");
    shim::Text at = static_cast<shim::Text>(bytes_.size());
    bytes_.append(text);
    bytes_.push_back('\0');
    return at;
}

shim::List PlanWriter::add_texts(const std::vector<std::string>& texts) {
    std::vector<shim::Text> list;
    for (const std::string& text : texts) list.push_back(add(text));
    return add_list(list);
}

/// Empty arguments count, unlike elsewhere: they point to a zero byte.
shim::List PlanWriter::add_pointers(const std::vector<std::string>& texts) {
    std::vector<uint64_t> list;
    for (const std::string& text : texts) {
        if (!text.empty()) {
            list.push_back(add(text));
            continue;
        }
        list.push_back(bytes_.size());
        bytes_.push_back('\0');
    }
    list.push_back(0);
    shim::List result = add_list(list);
    result.count--;
    return result;
}

shim::List PlanWriter::add_mounts(const std::vector<LaunchMount>& mounts) {
    std::vector<shim::MountStep> steps;
    for (const LaunchMount& mount : mounts) {
        shim::MountStep step;
        step.kind = mount.kind;
        step.flags = mount.flags;
        step.target = add(mount.target);
        step.source = add(mount.source);
        step.type = add(mount.type);
        step.confined_to = add(mount.confined_to);
        std::vector<shim::Text> options;
        for (const auto& [key, value] : mount.options) {
            options.push_back(add(key));
            options.push_back(add(value));
        }
        step.options = add_list(options);
        step.options.count /= 2;
        step.attributes = mount.attributes;
        step.propagation = mount.propagation;
        step.mode = mount.mode;
        step.uid = mount.uid;
        step.gid = mount.gid;
        step.device = mount.device;
        step.fd = mount.fd;
        step.changes = add_list(mount.changes);
        steps.push_back(step);
    }
    return add_list(steps);
}

PlanWriter::PlanWriter(const LaunchSpec& spec) : bytes_(sizeof(shim::Plan), '\0') {
    bytes_.reserve(16384);
    shim::Plan plan;
    plan.magic = shim::kPlanMagic;
    plan.flags = spec.flags;
    plan.clone_flags = spec.clone_flags;
    plan.cgroup_folder = add(spec.cgroup_folder);
    plan.cgroups = add_texts(spec.cgroup_files);
    plan.oom_file = add(spec.oom_file);
    plan.joins = add_list(spec.joins);
    plan.layers_folder = add(spec.layers_folder);
    plan.overlay_options = add(spec.overlay_options);
    plan.root_source = add(spec.root_source);
    plan.root_folder = add(spec.root_folder);
    plan.mounts = add_mounts(spec.mounts);
    std::vector<shim::Setting> settings;
    for (const auto& [path, value] : spec.optional_sysctls) settings.push_back({add(path), add(value), 1});
    for (const auto& [path, value] : spec.sysctls) settings.push_back({add(path), add(value), 0});
    plan.sysctls = add_list(settings);
    plan.hostname = add(spec.hostname);
    plan.domainname = add(spec.domainname);
    plan.arguments = add_pointers(spec.arguments);
    plan.environment = add_pointers(spec.environment);
    plan.search_path = add(spec.search_path);
    plan.working_dir = add(spec.working_dir);
    plan.whole_plan = spec.whole_plan;
    plan.uid = spec.user.uid;
    plan.gid = spec.user.gid;
    plan.groups = add_list(spec.user.groups);
    plan.limits = add_list(spec.limits);
    plan.capabilities = spec.capabilities;
    plan.seccomp = add_list(spec.seccomp);
    plan.oom_score_adj = spec.oom_score_adj;
    plan.terminal_rows = static_cast<uint16_t>(spec.terminal_rows);
    plan.terminal_columns = static_cast<uint16_t>(spec.terminal_columns);
    plan.run_folder = add(spec.run_folder);
    plan.log_folder = add(spec.log_folder);
    plan.log_name = add(spec.log_name);
    plan.log_max_size = spec.log_max_size;
    plan.log_max_files = spec.log_max_files;
    plan.pid_note = add("cgroup " + spec.cgroup_path + "\n");
    plan.executable = add(spec.executable);
    plan.time_offsets = add(spec.time_offsets);
    plan.apparmor_profile = add(spec.apparmor_profile);
    plan.keyring = add(spec.keyring);
    plan.effective = spec.sets.effective;
    plan.permitted = spec.sets.permitted;
    plan.inheritable = spec.sets.inheritable;
    plan.ambient = spec.sets.ambient;
    plan.root_propagation = spec.root_propagation;
    plan.umask = spec.umask;
    plan.seccomp_flags = spec.seccomp_flags;
    plan.personality = spec.personality;
    plan.root_tree = spec.root_tree;
    plan.null_tree = spec.null_tree;
    plan.listener = spec.listener;
    plan.first_preserved = spec.first_preserved;
    plan.preserved = spec.preserved;
    plan.size = static_cast<uint32_t>(bytes_.size());
    std::memcpy(bytes_.data(), &plan, sizeof plan);
}

Fd PlanWriter::make_memfd() {
    Fd fd(::memfd_create("kedge-plan", MFD_CLOEXEC));
    if (!fd) throw_errno("make launch plan");
    return fd;
}

void PlanWriter::write_to(int memfd) const {
    write_all(memfd, bytes_);
}

Fd PlanWriter::to_memfd() const {
    Fd fd = make_memfd();
    write_to(fd.get());
    return fd;
}

std::string PlanWriter::text(shim::Text at) const {
    if (at < sizeof(shim::Plan) || at >= bytes_.size()) return {};
    return bytes_.c_str() + at;
}

}  // namespace kedge::runtime

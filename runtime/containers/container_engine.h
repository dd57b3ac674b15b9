#pragma once

#include "base/error.h"
#include "base/fd.h"
#include "runtime/container_files.h"
#include "runtime/containers.h"
#include "runtime/containers/attach_queue.h"
#include "runtime/containers/container_store.h"
#include "runtime/containers/etc_files.h"
#include "runtime/containers/folder_watch.h"
#include "runtime/containers/launcher.h"
#include "runtime/containers/supervisor.h"
#include "runtime/containers/workers.h"
#include "runtime/events.h"
#include "runtime/images.h"
#include "runtime/networks/bridge_networks.h"
#include "runtime/volumes/volume_store.h"

#include <memory>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <string>
#include <unordered_map>

namespace kedge::runtime {

struct ContainerLayers;

/// The engine's Containers. One source file per duty: create, start, stop, pause, update, exits (what follows a
/// container's end), remove, exec, logs, usage, ports, files, commit, recovery. Each container has a lock for the steps
/// that change what it is doing; nobody waits for a container's end while holding it, except remove.
class ContainerEngine : public Containers, public ContainerFiles {
public:
    struct Options {
        std::string root, run, instance, shim;
    };
    ContainerEngine(Options options, ContainerStore& store, Images& images, BridgeNetworks& networks,
                    VolumeStore& volumes, Events& events);
    ~ContainerEngine() override;  ///< the containers go on running

    /// Finishes or undoes what a crash left half-done, adopts what runs, starts what should run. Once, before anything
    /// else.
    void recover();

    void check(const ContainerSpec& spec) const override;
    std::string create(const ContainerSpec& spec) override;
    void start(const std::string& id, const StartOptions& options = {}) override;
    void stop(const std::string& id, std::optional<int> timeout_seconds = {}, const std::string& signal = {}) override;
    void kill(const std::string& id, const std::string& signal = "KILL") override;
    void restart(const std::string& id, std::optional<int> timeout_seconds = {},
                 const std::string& signal = {}) override;
    void pause(const std::string& id) override;
    void unpause(const std::string& id) override;
    std::vector<std::string> update(const std::string& id, const ContainerUpdate& update) override;
    void remove(const std::string& id, const RemoveOptions& options = {}) override;
    void rename(const std::string& id, const std::string& new_name) override;
    std::unique_ptr<Ending> await(const std::string& id, Until until) override;
    std::shared_ptr<const ContainerInfo> snapshot(const std::string& id) const override;
    ContainerSize size(const std::string& id) const override;
    std::vector<ContainerInfo> list() const override;
    std::vector<std::shared_ptr<const ContainerInfo>> snapshots() const override;
    std::vector<ProcessInfo> processes(const std::string& id) override;
    ContainerUsage usage(const std::string& id) const override;
    void logs(const std::string& id, const LogOptions& options, const LogSink& sink,
              std::stop_token stop = {}) override;
    std::unique_ptr<LogFollower> follow(const std::string& id, const LogOptions& options,
                                        std::function<void()> changed) override;
    std::unique_ptr<Attachment> attach(const std::string& id, const AttachOptions& options) override;
    void resize(const std::string& id, unsigned rows, unsigned columns) override;
    ExecResult exec(const std::string& id, const ExecSpec& spec, Nanoseconds timeout, size_t output_limit,
                    std::stop_token stop = {}) override;
    std::unique_ptr<Execution> begin_exec(const std::string& id, const ExecSpec& spec, int in, int out,
                                          int err) override;
    bool set_health(const std::string& id, const Health& health, std::optional<WallTime> run = {}) override;
    void take_over_ports(const std::string& from, const std::string& to) override;
    void connect_network(const std::string& id, const NetworkAttachment& network) override;
    void disconnect_network(const std::string& id, const std::string& network, bool force = false) override;
    Fd network_namespace(const std::string& id) const override;

    FileStat stat(const std::string& id, const std::string& path) const override;
    FileArchive read(const std::string& id, const std::string& path) const override;
    void write(const std::string& id, const std::string& path, const std::function<int()>& open_tar,
               const ExtractOptions& options) override;
    std::vector<FileChange> changes(const std::string& id) const override;
    FileArchive export_root(const std::string& id) const override;
    ImageInfo commit(const std::string& id, const CommitOptions& options, std::stop_token stop = {}) override;

private:
    using Snapshot = ContainerStore::Snapshot;
    using Keep = ContainerStore::Keep;

    /// What only this agent knows of a container.
    struct Live {
        /// Who waits for its next start.
        std::shared_ptr<AttachQueue> attaching = std::make_shared<AttachQueue>();
        std::mutex operation;                   ///< held while it is started, removed, or its policy is decided
        std::shared_timed_mutex entering;       ///< shared while a command is started in it; taken after `operation`
        std::shared_ptr<const Launched> run;    ///< guarded by live_mutex_; null when it doesn't run
        std::chrono::milliseconds back_off{0};  ///< guarded by live_mutex_
        int restarts = 0;  ///< restarts by hand in progress, which keep what removes itself; guarded by live_mutex_
    };

    // container_engine.cpp
    std::shared_ptr<Live> live(const std::string& id) const;
    std::shared_ptr<const Launched> run_of(const std::string& id) const;
    void set_run(const std::string& id, std::shared_ptr<const Launched> run);
    Snapshot running(const std::string& id) const;
    bool is_ending(const std::string& id) const;
    /// store_.change; what can't be written down (a full disk) is at least known to this agent.
    Snapshot change_at_any_rate(const std::string& id, Keep keep, const std::function<void(ContainerRecord&)>& edit,
                                const std::function<void(const ContainerRecord&)>& tell = {});
    std::string folder_of(const std::string& id) const { return options_.root + "/containers/" + id; }
    std::string run_folder_of(const std::string& id) const { return options_.run + "/containers/" + id; }
    /// There while a commit keeps the container paused.
    std::string committing_note(const std::string& id) const { return run_folder_of(id) + "/committing"; }
    void publish(const ContainerRecord& record, const std::string& action,
                 const std::map<std::string, std::string>& more = {}) const;

    // exec.cpp
    std::string hostname_of(const ContainerInfo& info) const;

    // create.cpp
    void insert_with_name(ContainerRecord& record);
    void make_container(const ContainerRecord& record);
    void make_volumes(const ContainerRecord& record);
    void check_references(const ContainerSpec& spec);
    std::vector<Mount> mounts_from(const std::vector<std::string>& containers) const;
    void make_own_folders(const std::string& id) const;

    // start.cpp
    struct Prepared;
    void start_locked(const std::string& id, const StartOptions& options, bool by_policy);
    Prepared prepare(const ContainerRecord& record, const StartOptions& options);
    BridgeNetworks::Attached reserve(const BridgeNetworks::Attachment& attachment);
    LaunchRequest request_of(const ContainerRecord& record, const Prepared& prepared) const;
    void undo_start(const std::string& id);
    void start_failed(const Snapshot& record, bool by_policy, int exit_code, const Error& error);

    EtcFiles etc_files_of(const ContainerInfo& info, const std::string& hostname,
                          const std::vector<NetworkEndpoint>& endpoints) const;

    // place_mounts.cpp
    Fd volume_tree(const Mount& mount, const VolumeInfo& volume) const;
    std::unique_lock<std::mutex> hold_volume_mounts(const ContainerInfo& info);
    PlacedMount place(const ContainerInfo& info, const Mount& mount) const;
    std::vector<PlacedMount> mounts_of(const ContainerInfo& info) const;
    void fill_elsewhere(const Mount& mount, const VolumeInfo& volume, const Fd& image) const;
    void publish_volumes(const std::string& action, const ContainerRecord& record);

    // connect.cpp
    void check_attachment(const NetworkAttachment& network) const;
    std::string network_name(const std::string& name_or_id) const;
    void check_may_connect(const ContainerRecord& record, const NetworkAttachment& network) const;
    Fd open_network_namespace(const std::string& id) const;
    void join_running(const Snapshot& record, const NetworkAttachment& network);
    void leave_running(const Snapshot& record, const std::string& network, bool force);
    void finish_changes(const Snapshot& record);
    void refresh_etc_files(const ContainerRecord& before, const ContainerRecord& after);
    void publish_network(const std::string& action, const ContainerRecord& record, const std::string& network,
                         const std::string& network_id);
    void publish_networks(const std::string& action, const ContainerRecord& record);

    // stop.cpp
    void stop_run(const Snapshot& record, int signal, std::optional<int> grace);
    void kill_and_wait(const Snapshot& record, bool held);
    bool cancel_restart(const Snapshot& record);
    void stop_and_start(const Snapshot& record, std::optional<int> timeout_seconds, const std::string& signal);

    // pause.cpp
    bool let_go(const std::string& id, bool tell);
    /// A container while a command is being started in it: it isn't paused meanwhile.
    struct Entered {
        std::shared_ptr<Live> live;
        std::shared_lock<std::shared_timed_mutex> lock;
        Snapshot record;
    };
    Entered enter(const std::string& id) const;

    // update.cpp
    std::vector<std::string> set_limits(const Snapshot& record, const Resources& now, const RestartPolicy& restart);

    // usage.cpp
    Snapshot up(const std::string& id) const;

    // exits.cpp
    void on_exit(const std::string& id);
    void finish_run(const std::string& id);
    void restart_due(const std::string& id);
    void schedule_restart(const std::string& id, Nanoseconds ran);
    void remove_ended(const std::string& id);

    // logs.cpp
    Snapshot with_log(const std::string& id) const;

    // files.cpp
    struct View;
    View view(const std::string& id, bool mounts) const;
    ContainerLayers layers_of(const std::string& id) const;

    // remove.cpp
    void remove_locked(const Snapshot& record, bool with_volumes, bool ended_just_now = false);

    // recovery.cpp
    void recover_container(const Snapshot& record);
    void adopt(const Snapshot& record, Launched run);
    void remove_unknown_folders();
    void end_process(const std::string& id, const Launched& run) const;

    Options options_;
    ContainerStore& store_;
    Images& images_;
    BridgeNetworks& networks_;
    VolumeStore& volumes_;
    Events& events_;
    Launcher launcher_;
    std::mutex volume_mounts_;  ///< held while a container starts that has volumes with a file system of their own
    mutable std::mutex live_mutex_;
    mutable std::unordered_map<std::string, std::shared_ptr<Live>> live_;
    FolderWatch folders_;
    std::unique_ptr<Workers> workers_;
    std::unique_ptr<Supervisor> supervisor_;
};

/// What a container is to be attached to and under which names, from its record.
BridgeNetworks::Attachment attachment_of(const ContainerRecord& record, bool publish_ports);

}  // namespace kedge::runtime

#include "base/error.h"
#include "cli/arguments.h"
#include "cli/run_options.h"
#include "cli/session.h"

namespace kedge::cli {

namespace {

void add_process_flags(CommandLine line, RunOptions& o) {
    line.add_option("--entrypoint", o.entrypoint, "In place of the image's entrypoint; empty: none").group("Process");
    line.add_list("-e,--env", o.variables, "NAME=value, or NAME for this shell's value").group("Process");
    line.add_list("--env-file", o.variable_files, "A file of such lines").group("Process");
    line.add_option("-u,--user", o.user, "USER[:GROUP], names or numbers").group("Process");
    line.add_list("--group-add", o.groups, "Another group").group("Process");
    line.add_option("-w,--workdir", o.working_dir, "The working directory").group("Process");
    line.add_flag("--init", o.init, "A small init as the first process, which reaps and forwards signals")
        .group("Process");
    line.add_option("--stop-signal", o.stop_signal, "What stop sends").group("Process");
    line.add_option("--stop-timeout", o.stop_timeout, "Seconds from stop to kill").group("Process");
    line.add_flag("-i,--interactive", o.interactive, "With this command's standard input; detached: it is kept open")
        .group("Process");
    line.add_flag("-t,--tty", o.tty, "A terminal").group("Process");
}

void add_file_flags(CommandLine line, RunOptions& o) {
    line.add_list("-v,--volume", o.volumes, "[VOLUME or /PATH:]TARGET[:ro,...]").group("Files");
    line.add_list("--mount", o.mounts, "type=bind|volume|tmpfs|image,source=...,target=...[,readonly,...]")
        .group("Files");
    line.add_list("--tmpfs", o.tmpfs, "TARGET[:size=64m,mode=1777,...]").group("Files");
    line.add_list("--volumes-from", o.volumes_from, "A container whose binds and volumes it gets too: NAME[:ro]")
        .group("Files");
    line.add_option("--volume-driver", o.volume_driver, "local").group("Files");
    line.add_list("--storage-opt", o.storage_options, "size=10g; only where the storage driver has a quota")
        .group("Files");
    line.add_flag("--read-only", o.read_only, "The root file system can't be written to").group("Files");
}

void add_network_flags(CommandLine line, RunOptions& o) {
    line.add_list("-p,--publish", o.publish, "[[IP:]HOST PORT:]PORT[/udp]").group("Network");
    line.add_flag("-P,--publish-all", o.publish_all, "Every exposed port, on a free port of the host").group("Network");
    line.add_list("--expose", o.expose, "A port that -P publishes").group("Network");
    line.add_list("--network,--net", o.networks, "A network, host, none or container:NAME").group("Network");
    line.add_list("--network-alias,--net-alias", o.network_aliases, "Another name in the network").group("Network");
    line.add_option("--ip", o.ip, "A fixed address in the network").group("Network");
    line.add_option("--ip6", o.ip6, "A fixed IPv6 address in the network").group("Network");
    line.add_option("-h,--hostname", o.hostname, "The host's name that the container sees").group("Network");
    line.add_option("--domainname", o.domain_name, "Its domain").group("Network");
    line.add_list("--add-host", o.extra_hosts, "NAME:ADDRESS in /etc/hosts; host-gateway is this machine")
        .group("Network");
    line.add_list("--dns", o.dns, "A name server").group("Network");
    line.add_list("--dns-search", o.dns_search, "A search domain").group("Network");
    line.add_list("--dns-option,--dns-opt", o.dns_options, "An option of resolv.conf: timeout:1").group("Network");
    line.add_option("--mac-address", o.mac_address, "Its hardware address in the network").group("Network");
}

void add_right_flags(CommandLine line, RunOptions& o) {
    line.add_list("--cap-add", o.cap_add, "A capability more").group("Rights");
    line.add_list("--cap-drop", o.cap_drop, "A capability less, or ALL").group("Rights");
    line.add_list("--security-opt", o.security_opt,
                  "no-new-privileges, seccomp=unconfined, seccomp=FILE, systempaths=unconfined")
        .group("Rights");
    line.add_list("--device", o.devices, "/dev/X[:/dev/Y][:rwm]").group("Rights");
    line.add_list("--device-cgroup-rule", o.device_rules, "Devices that it may open too: 'c 42:* rmw'").group("Rights");
    line.add_option("--gpus", o.gpus, "Graphics processors: all, or how many").group("Rights");
    line.add_list("--sysctl", o.sysctls, "NAME=value, of the container's namespaces").group("Rights");
    line.add_flag("--privileged", o.privileged, "Every right there is on this machine").group("Rights");
    line.add_option("--pid", o.pid, "host or container:NAME").group("Rights");
    line.add_option("--ipc", o.ipc, "private, shareable, none, host or container:NAME").group("Rights");
    line.add_option("--uts", o.uts, "host: with this machine's name").group("Rights");
    line.add_option("--userns", o.users, "host, as it always is").group("Rights");
    line.add_option("--cgroupns", o.cgroup_namespace, "private or host").group("Rights");
    line.add_option("--isolation", o.isolation, "default").group("Rights");
    line.add_option("--runtime", o.runtime, "kedge").group("Rights");
}

void add_limit_flags(CommandLine line, RunOptions& o) {
    add_changeable_limit_flags(line, o);
    line.add_option("--shm-size", o.shm_size, "Of /dev/shm (64m)").group("Limits");
    line.add_option("--cgroup-parent", o.cgroup_parent, "The control group above its own").group("Limits");
    line.add_option("--memory-swappiness", o.swappiness, "How readily its memory is swapped out: 0 to 100")
        .group("Limits");
    line.add_flag("--oom-kill-disable", o.oom_kill_disable,
                  "When its memory is used up it waits in place of being killed")
        .group("Limits");
    line.add_list("--blkio-weight-device", o.device_weights, "Its weight at one device: /dev/sda:500").group("Limits");
    line.add_list("--device-read-bps", o.device_read_bytes, "Bytes a second from one device: /dev/sda:10mb")
        .group("Limits");
    line.add_list("--device-write-bps", o.device_write_bytes, "The same, to it").group("Limits");
    line.add_list("--device-read-iops", o.device_read_operations, "Operations a second: /dev/sda:1000").group("Limits");
    line.add_list("--device-write-iops", o.device_write_operations, "The same").group("Limits");
    line.add_option("--oom-score-adj", o.oom_score_adj, "-1000 to 1000").group("Limits");
    line.add_list("--ulimit", o.ulimits, "NAME=SOFT[:HARD]").group("Limits");
}

void add_life_flags(CommandLine line, RunOptions& o) {
    line.add_option("--restart", o.restart, "no, on-failure[:N], always or unless-stopped").group("Life");
    line.add_option("--health-cmd", o.health_command, "A shell command that tells whether it is well").group("Life");
    line.add_option("--health-interval", o.health_interval, "Between two probes (30s)").group("Life");
    line.add_option("--health-timeout", o.health_timeout, "For one probe (30s)").group("Life");
    line.add_option("--health-retries", o.health_retries, "Failures until it is unhealthy (3)").group("Life");
    line.add_option("--health-start-period", o.health_start_period, "After the start, when failures don't count (0s)")
        .group("Life");
    line.add_option("--health-start-interval", o.health_start_interval, "Between two probes in that time (5s)")
        .group("Life");
    line.add_flag("--no-healthcheck", o.no_healthcheck, "Not even the image's").group("Life");
    line.add_option("--log-driver", o.log_driver, "json-file or none").group("Life");
    line.add_list("--log-opt", o.log_options,
                  "max-size=10m, max-file=3; labels=a,b, env=A and tag={{.Name}} for logs --details")
        .group("Life");
}

}  // namespace

void add_changeable_limit_flags(CommandLine line, RunOptions& o) {
    line.add_option("-m,--memory", o.memory, "At most so much: 512m").group("Limits");
    line.add_option("--memory-swap", o.memory_swap, "Memory and swap together; -1: no limit of swap").group("Limits");
    line.add_option("--memory-reservation", o.memory_reservation, "What it keeps when memory is short").group("Limits");
    line.add_option("--cpus", o.cpus, "Processors: 1.5").group("Limits");
    line.add_option("--cpuset-cpus", o.cpuset_cpus, "Which ones: 0-2,4").group("Limits");
    line.add_option("--cpuset-mems", o.cpuset_mems, "Which memory nodes: 0-1").group("Limits");
    line.add_option("-c,--cpu-shares", o.cpu_shares, "Its weight (1024)").group("Limits");
    line.add_option("--cpu-quota", o.cpu_quota, "Microseconds in each period; -1: no limit").group("Limits");
    line.add_option("--cpu-period", o.cpu_period, "The period in microseconds (100000)").group("Limits");
    line.add_option("--pids-limit", o.pids_limit, "Processes and threads; -1: no limit").group("Limits");
    line.add_option("--blkio-weight", o.blkio_weight, "Its weight at block devices: 10 to 1000").group("Limits");
}

void add_create_flags(CommandLine line, RunOptions& o) {
    line.no_short_help();  // -h is the host's name
    line.takes_words();    // what follows the image is the command's own
    line.add_option("--name", o.name, "Its name; else one is made up");
    line.add_list("-a,--attach", o.attach, "Only these: stdin, stdout, stderr");
    line.add_list("-l,--label", o.labels, "NAME=value");
    line.add_list("--label-file", o.label_files, "A file of such lines");
    line.add_list("--annotation", o.annotations, "NAME=value, for other programs that look at its bundle");
    line.add_option("--platform", o.platform, "Of another platform than this machine's: linux/arm64");
    line.add_option("--pull", o.pull, "missing, always or never").show_default();
    line.add_flag("-q,--quiet", o.quiet, "No progress of the pull");
    line.add_option("--cidfile", o.cid_file, "Write its id into this new file");
    line.add_flag("--rm", o.remove, "Remove it when it has exited");
    add_process_flags(line, o);
    add_file_flags(line, o);
    add_network_flags(line, o);
    add_right_flags(line, o);
    add_limit_flags(line, o);
    add_life_flags(line, o);
    line.add_list("--link", o.links, "").group("");
    line.refuse_options({"--link-local-ip"}, "the kernel chooses these addresses");
    line.refuse_options({"--cpu-count", "--cpu-percent", "--io-maxbandwidth", "--io-maxiops"}, "it is for Windows");
    line.refuse_options(
        {"--cpu-rt-period", "--cpu-rt-runtime", "--disable-content-trust", "--kernel-memory", "--use-api-socket"});
}

void add_run_flags(CommandLine line, RunOptions& o) {
    line.add_flag("-d,--detach", o.detach, "In the background: print its id and leave it running");
    line.add_flag("--sig-proxy", o.sig_proxy, "Pass signals on to the container (true)");
    line.add_option("--detach-keys", o.detach_keys, "Keys that leave it running (ctrl-p,ctrl-q)");
    add_create_flags(line, o);
}

void take_words(CommandLine line, RunOptions& options) {
    std::vector<std::string> words = line.words();
    if (words.empty()) throw wrong_count(line, 1, kAnyCount);
    options.image = words.front();
    options.command.assign(words.begin() + 1, words.end());
}

}  // namespace kedge::cli

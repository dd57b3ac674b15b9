# The engines that are measured, each with its own folders and network namespace. Sourced by tests/bench/run.

pids=() namespaces=() agent='' agent_socket=''
declare -A sockets=()  # by engine that answers

say() { echo "$*" >&2; }
pause() { read -rt "$1" <> <(:) || true; }

# await <seconds> <command...>
await() {
    local end=$((SECONDS + $1)); shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        pause 0.05
    done
}
alive() { kill -0 "$1" 2>/dev/null; }
ask() { curl -fsS --max-time 60 --unix-socket "$1" "http://localhost$2" "${@:3}"; }
answers() { [ -S "$1" ] && ask "$1" /_ping; }

# finish <pid>: asks it to end, and makes it
finish() {
    alive "$1" || return 0
    kill "$1" 2>/dev/null || true
    await 20 not alive "$1" || kill -9 "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}
not() { ! "$@"; }

# A file system with a journal, whatever this machine's has. One without a journal looks long for inodes that were not deleted in the last
# minutes, so every side would pay for the files that the sides before it removed.
mount_disk() {
    truncate -s 16G "$dir.disk"
    if mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 "$dir.disk" 2>/dev/null && mount -o loop "$dir.disk" "$dir" 2>/dev/null; then return; fi
    say "there is no loop device: everything is measured on this machine's own file system"
}

# What belongs to a boot lies in memory, as /run does where an engine is installed.
mount_memory() {
    mkdir "$dir/run"
    mount -t tmpfs -o mode=755 kedge-bench "$dir/run"
}

make_busybox() {
    local program
    mkdir -p "$dir/layer/bin" "$dir/layer/etc" "$dir/layer/tmp" "$dir/floor"
    cp "$(command -v busybox)" "$dir/layer/bin/busybox"
    for program in sh true sleep; do ln -s busybox "$dir/layer/bin/$program"; done
    echo 'root:x:0:0:root:/:/bin/sh' >"$dir/layer/etc/passwd"
    tar -C "$dir/layer" -cf "$dir/busybox.tar" .
}
import_busybox() {  # import_busybox <socket>
    ask "$1" "/v1.40/images/create?fromSrc=-&repo=${image%:*}&tag=${image#*:}" -X POST -H 'Content-Type: application/x-tar' \
        --data-binary "@$dir/busybox.tar" >/dev/null
}

# ---- kedge

# Engines get sessions of their own: what interrupts the script at its terminal is not to end them before their containers are removed.

# start_agent <name> [line of configuration...]: the agent of one figure, in $dir/<name>
start_agent() {
    local home=$dir/$1 run=$dir/run/$1; shift
    mkdir -p "$home"
    printf '%s\n' "name: bench" "root: $home/root" "run: $run" "instance: kb$$" "registries: {insecure: [\"127.0.0.1:5000\"]}" "$@" >"$home/agent.yaml"
    setsid "$bin/kedged" --config "$home/agent.yaml" >"$home/agent.log" 2>&1 &
    agent=$! agent_socket=$run/kedge.sock
    if ! await 20 answers "$agent_socket"; then
        say "kedged does not start:"; tail -n 5 "$home/agent.log" >&2
        exit 1
    fi
    import_busybox "$agent_socket"
}
stop_agent() {
    [ -n "$agent" ] || return 0
    # The agent leaves containers running when it stops, so they go first.
    if alive "$agent"; then "$bin/kedge-bench" clear --socket "$agent_socket" || say "containers of $agent_socket may be left"; fi
    finish "$agent"
    agent=''
}

# ---- Docker and Podman

# namespace <name>: a network namespace of its own, as engines put rules and links there
namespace() {
    ip netns add "$name-$1"
    namespaces+=("$name-$1")
    nsenter --net="/run/netns/$name-$1" ip link set lo up
}
wanted() { [[ ",$engines," == *",$1,"* ]]; }
missing() { say "$1 is left out: $2"; }

start_docker() {
    local home=$dir/docker
    command -v dockerd >/dev/null || { missing docker "dockerd is not installed"; return 0; }
    mkdir -p "$home"
    namespace docker
    setsid nsenter --net="/run/netns/$name-docker" dockerd --data-root "$home/data" --exec-root "$dir/run/docker" -H "unix://$home/docker.sock" \
        --pidfile "$home/pid" --default-ulimit nofile=1024:4096 >"$home/docker.log" 2>&1 &
    pids+=($!)
    await 40 answers "$home/docker.sock" || { missing docker "$(grep -v level=info "$home/docker.log" | tail -n 1)"; return 0; }
    import_busybox "$home/docker.sock" || { missing docker "it does not take the image"; return 0; }
    sockets[docker]=$home/docker.sock
}

start_podman() {
    local home=$dir/podman
    command -v podman >/dev/null && command -v runc >/dev/null || { missing podman "podman or runc is not installed"; return 0; }
    mkdir -p "$home"
    namespace podman
    # The API of Podman 4.3 exchanges soft and hard limits: they are the same here.
    cat >"$home/containers.conf" <<'CONF'
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
CONF
    printf '[[registry]]\nlocation = "127.0.0.1:5000"\ninsecure = true\n' >"$home/registries.conf"
    export CONTAINERS_CONF=$home/containers.conf CONTAINERS_REGISTRIES_CONF=$home/registries.conf
    podman="podman --root $home/root --runroot $dir/run/podman --tmpdir $dir/run/podman-tmp --network-config-dir $home/networks --runtime runc"
    setsid nsenter --net="/run/netns/$name-podman" $podman system service --time 0 "unix://$home/podman.sock" >"$home/podman.log" 2>&1 &
    pids+=($!)
    await 20 answers "$home/podman.sock" || { missing podman "$(tail -n 1 "$home/podman.log")"; return 0; }
    $podman import -q "$dir/busybox.tar" "$image" >/dev/null 2>&1 || { missing podman "it does not take the image"; return 0; }
    sockets[podman]=$home/podman.sock
}

start_engines() {
    if wanted docker; then start_docker; fi
    if wanted podman; then start_podman; fi
}

# engine_options: --engine for kedge and for every other that answers
engine_options() {
    options=(--engine "kedge=$agent_socket")
    local engine
    for engine in docker podman; do [ -z "${sockets[$engine]:-}" ] || options+=(--engine "$engine=${sockets[$engine]}"); done
}

# ---- the end

# Containers that an engine leaves behind when it is stopped in the middle.
remove_leftovers() {
    local id
    [ -z "${sockets[docker]:-}" ] || for id in $(ask "${sockets[docker]}" '/containers/json?all=1' 2>/dev/null | grep -o '"Id":"[0-9a-f]\{64\}"' | cut -d'"' -f4); do
        ask "${sockets[docker]}" "/containers/$id?force=1&v=1" -X DELETE >/dev/null 2>&1 || true
    done
    [ -z "${podman:-}" ] || nsenter --net="/run/netns/$name-podman" $podman rm -af -t 0 >/dev/null 2>&1 || true
}

# What is in a control group of our agents, or names our folder in its command line, is ours. For agents that could not clear up themselves.
end_own_processes() {
    local process line
    find /sys/fs/cgroup -path "*/kb$$/*" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u | xargs -r kill -9 2>/dev/null
    for process in /proc/[0-9]*; do
        [ "${process#/proc/}" != $$ ] && [ "${process#/proc/}" != "$BASHPID" ] || continue
        line=$(tr '\0' ' ' 2>/dev/null <"$process/cmdline") || continue
        [[ $line != *"$dir/"* ]] || kill -9 "${process#/proc/}" 2>/dev/null || true
    done
}

clean_up() {
    local code=$? pid space group
    trap - EXIT
    trap '' INT TERM HUP
    set +e
    stop_agent
    remove_leftovers
    for pid in "${pids[@]}"; do finish "$pid"; done
    end_own_processes
    grep -o " $dir/[^ ]*" /proc/self/mountinfo | sort -ru | xargs -r umount 2>/dev/null
    for space in "${namespaces[@]}"; do ip netns del "$space" 2>/dev/null; done
    find /sys/fs/cgroup -depth -type d -path "*/kb$$*" -exec rmdir {} \; 2>/dev/null
    if [ -n "$logs" ]; then mkdir -p "$logs" && find "$dir" -maxdepth 2 -name '*.log' -exec cp {} "$logs" \; ; fi
    umount "$dir" 2>/dev/null
    rm -rf "$dir" "$dir.disk"
    exit "$code"
}

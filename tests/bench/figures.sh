# One function a figure. Sourced by tests/bench/run.

measure() { "$bin/kedge-bench" "$@" --format "$format"; }

figure_start() {
    local n=${rounds:-21} floor="$bin/kedge-floor - $dir/layer $dir/floor"
    start_agent start
    engine_options
    measure start "${options[@]}" --image "$image" --rounds "$n" --network --floor "$floor network"
    measure start "${options[@]}" --image "$image" --rounds "$n" --floor "$floor"
    stop_agent
}

figure_run() {
    local n=${rounds:-21} commands=()
    start_agent run
    export KEDGE_HOST="unix://$agent_socket"
    if "$bin/kedge" run --rm "$image" true >/dev/null 2>&1; then commands+=(--command "kedge=$bin/kedge run --rm $image true")
    else missing kedge "its command run does not work"; fi
    commands+=(--command "floor=$bin/kedge-floor 1 $dir/layer $dir/floor network")
    [ -z "${sockets[docker]:-}" ] || ! command -v docker >/dev/null ||
        commands+=(--command "docker=docker -H unix://${sockets[docker]} run --rm $image true")
    [ -z "${sockets[podman]:-}" ] || commands+=(--command "podman@/run/netns/$name-podman=$podman run --rm $image true")
    measure command --name run --what "the whole command run --rm busybox true" --rounds "$n" --limit floor=3 --limit docker=0.0333 "${commands[@]}"
    stop_agent
}

# sleeper <socket>: the id of a new running container
sleeper() {
    local id
    id=$(ask "$1" /v1.40/containers/create -H 'Content-Type: application/json' -d "{\"Image\":\"$image\",\"Cmd\":[\"sleep\",\"1000000\"],\"HostConfig\":{\"NetworkMode\":\"none\"}}" |
        grep -o '[0-9a-f]\{64\}' | head -n 1)
    ask "$1" "/v1.40/containers/$id/start" -X POST >/dev/null
    echo "$id"
}

figure_exec() {
    local n=${rounds:-21} commands=()
    start_agent exec
    export KEDGE_HOST="unix://$agent_socket"
    commands+=(--command "kedge=$bin/kedge exec $(sleeper "$agent_socket") true")
    [ -z "${sockets[docker]:-}" ] || ! command -v docker >/dev/null ||
        commands+=(--command "docker=docker -H unix://${sockets[docker]} exec $(sleeper "${sockets[docker]}") true")
    [ -z "${sockets[podman]:-}" ] || commands+=(--command "podman@/run/netns/$name-podman=$podman exec $(sleeper "${sockets[podman]}") true")
    measure command --name exec --what "the whole command exec CONTAINER true" --rounds "$n" --limit docker=0.05 "${commands[@]}"
    stop_agent
}

# each_engine <function>: calls it for every engine that is there, with its name, its name for kedge-bench, its socket and its command
each_engine() {
    "$1" kedge kedge "$agent_socket" "$bin/kedge -H unix://$agent_socket"
    [ -z "${sockets[docker]:-}" ] || ! command -v docker >/dev/null || "$1" docker docker "${sockets[docker]}" "docker -H unix://${sockets[docker]}"
    [ -z "${sockets[podman]:-}" ] || "$1" podman "podman@/run/netns/$name-podman" "${sockets[podman]}" "$podman"
}

figure_ps() {
    local n=${rounds:-21} commands=()
    start_agent ps
    fifty() {
        local i
        for ((i = 0; i < 50; i++)); do sleeper "$3" >/dev/null; done
        commands+=(--command "$2=$4 ps")
    }
    each_engine fifty
    measure command --name ps --what "the whole command ps with 50 running containers" --rounds "$n" --limit docker=0.2 "${commands[@]}"
    measure idle --agent "$agent" --what "50 running containers" --limit 30
    stop_agent
    remove_leftovers
}

figure_many() {
    local n=${rounds:-5} up=() down=()
    start_agent many
    twenty() {
        local home=$dir/many/$1
        mkdir -p "$home"
        # xargs is what "4 at a time" means for each of them.
        printf 'seq 20 | xargs -P 4 -I {} %s run -d --name bench-{} %s sleep 1000000\n' "$4" "$image" >"$home/up"
        # Podman's sends the stop signal first, for ten seconds.
        printf '%s rm -f %s $(seq -f bench-%%g 20)\n' "$4" "$([ "$1" = podman ] && echo '-t 0')" >"$home/down"
        up+=(--command "$2=sh $home/up" --after "$2=sh $home/down")
        down+=(--before "$2=sh $home/up" --command "$2=sh $home/down")
    }
    each_engine twenty
    measure command --name many --what "run -d of 20 containers, 4 at a time" --rounds "$n" --limit podman=0.083 "${up[@]}"
    measure command --name many --what "rm -f of 20 running containers" --rounds "$n" --limit docker=0.1 "${down[@]}"
    stop_agent
}

figure_logs() {
    local n=${rounds:-3} write=() read=()
    start_agent logs
    gigabyte() {
        local home=$dir/logs/$1
        mkdir -p "$home"
        # Lines of 100 bytes, as programs write them.
        cat >"$home/write" <<SH
$4 rm -f bench-log >/dev/null 2>&1
$4 run -d --network none --log-driver json-file --name bench-log $image sh -c 'busybox yes "$(printf %099d 7)" | busybox head -n 10737418'
$4 wait bench-log
SH
        write+=(--command "$2=sh $home/write")
        read+=(--command "$2=$4 logs bench-log")
    }
    each_engine gigabyte
    for figure in '' --cpu; do
        measure command --name logs --what "a container writes 1 GB to its log${figure:+, processor time of the machine}" --rounds "$n" $figure \
            --limit docker=$([ "$figure" ] && echo 0.5 || echo 1) "${write[@]}"
        measure command --name logs --what "logs of 1 GB${figure:+, processor time of the machine}" --rounds "$n" $figure \
            --limit docker=$([ "$figure" ] && echo 0.5 || echo 1) "${read[@]}"
    done
    stop_agent
    remove_leftovers
}

# repository <folder>: a bare repository <folder>/origin.git and a clone <folder>/work
repository() {
    export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=bench GIT_AUTHOR_EMAIL=bench@example.org GIT_COMMITTER_NAME=bench GIT_COMMITTER_EMAIL=bench@example.org
    mkdir -p "$1"
    git init -q --bare -b main "$1/origin.git"
    git init -q -b main "$1/work"
    git -C "$1/work" remote add origin "$1/origin.git"
}
source_lines() {  # source_lines <folder>: of the agent's configuration
    echo "sources: [{name: fleet, url: \"file://$1/origin.git\", branch: main, poll: 1h}]"
}

figure_webhook() {
    local home=$dir/webhook
    repository "$home"
    mkdir -p "$home/seen"
    head -c 24 /dev/urandom | base64 >"$home/secret"
    chmod 600 "$home/secret"
    start_agent webhook "$(source_lines "$home")" "webhook: {listen: \"127.0.0.1:9000\", secret_file: $home/secret}" \
        "policy: {monitor: 100ms, allowed_binds: [$home/seen]}"
    measure webhook --socket "$agent_socket" --rounds "${rounds:-100}" --image "$image" --address 127.0.0.1:9000 --secret "$(cat "$home/secret")" \
        --url "file://$home/origin.git" --work "$home/work" --seen "$home/seen"
    stop_agent
}

# start_projects <figure> <projects> <services>: an agent with that many running
start_projects() {
    local home=$dir/$1 project service
    repository "$home"
    for ((project = 0; project < $2; project++)); do
        mkdir -p "$home/work/apps/project$project"
        {
            echo "services:"
            for ((service = 0; service < $3; service++)); do
                printf '  service%d:\n    image: %s\n    command: [sh, -c, "trap exit TERM; sleep 1000000 & wait"]\n' "$service" "$image"
                printf '    environment: {ONE: first value, TWO: second value, THREE: third value}\n    labels: {made.by: bench}\n'
            done
        } >"$home/work/apps/project$project/compose.yaml"
    done
    git -C "$home/work" add -A
    git -C "$home/work" commit -qm "$2 projects"
    git -C "$home/work" push -q origin HEAD:main
    start_agent "$1" "policy: {monitor: 1s}" "$(source_lines "$home")"
    "$bin/kedge-bench" await --socket "$agent_socket" --projects "$2"
}

figure_sync() {
    start_projects sync "$projects" 10
    measure sync --socket "$agent_socket" --agent "$agent" --rounds "${rounds:-10}" --what "$projects projects of 10 running services"
    stop_agent
}

figure_memory() {
    start_projects memory "$memory_projects" 1
    measure idle --agent "$agent" --what "$memory_projects projects of one running service"
    stop_agent
}

# ---- pull

# layer <number> <file list>: a tar of these files as a compressed blob of the image layout; sets digest, size and diff_id
layer() {
    local tar=$dir/image/layer.tar
    tar --no-recursion --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C / -cf "$tar" --verbatim-files-from -T "$2"
    diff_id=$(sha256sum "$tar" | cut -d' ' -f1)
    gzip -6n "$tar"
    digest=$(sha256sum "$tar.gz" | cut -d' ' -f1) size=$(stat -c %s "$tar.gz")
    mv "$tar.gz" "$dir/image/blobs/sha256/$digest"
}
# blob <text>: of the image layout; sets digest and size
blob() {
    digest=$(printf %s "$1" | sha256sum | cut -d' ' -f1) size=${#1}
    printf %s "$1" >"$dir/image/blobs/sha256/$digest"
}

# An image of this machine's own files: programs, libraries, many small files.
make_image() {
    local part layers='' diffs='' config
    mkdir -p "$dir/image/blobs/sha256"
    : >"$dir/pipe.list"
    for part in 'usr/bin 90' 'usr/lib 160' 'usr/share 60' 'usr/include 40'; do
        # Files in the order of their names until the megabytes are reached.
        (cd / && LC_ALL=C find "${part% *}" -xdev -type f -size -20M -printf '%s %p\n' 2>/dev/null | LC_ALL=C sort -k2 |
            awk -v most="${part#* }" '{ sum += $1 } sum <= most * 1048576 { sub(/^[0-9]+ /, ""); print }') >"$dir/files.list"
        [ -s "$dir/files.list" ] || continue
        layer "$part" "$dir/files.list"
        layers+="${layers:+,}{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"sha256:$digest\",\"size\":$size}"
        diffs+="${diffs:+,}\"sha256:$diff_id\""
        echo "$digest" >>"$dir/pipe.list"
    done
    blob "{\"architecture\":\"$(dpkg --print-architecture)\",\"os\":\"linux\",\"config\":{},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[$diffs]}}"
    config="{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"sha256:$digest\",\"size\":$size}"
    blob "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":$config,\"layers\":[$layers]}"
    echo '{"imageLayoutVersion":"1.0.0"}' >"$dir/image/oci-layout"
    echo "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:$digest\",\"size\":$size,\"annotations\":{\"org.opencontainers.image.ref.name\":\"1\"}}]}" >"$dir/image/index.json"
}

# registry [namespace]: Debian's registry on that namespace's loopback; all have the same storage
registry() {
    local enter=()
    [ $# = 0 ] || enter=(nsenter --net="/run/netns/$name-$1")
    setsid "${enter[@]}" docker-registry serve "$dir/registry.yaml" >>"$dir/registry.log" 2>&1 &
    pids+=($!)
    await 20 "${enter[@]}" curl -fsS http://127.0.0.1:5000/v2/ || { say "the registry does not start"; tail -n 3 "$dir/registry.log" >&2; exit 1; }
}

figure_pull() {
    local what=127.0.0.1:5000/bench/layers:1 durable engine
    printf '%s\n' 'version: 0.1' 'log: {level: error}' "storage: {filesystem: {rootdirectory: $dir/registry}}" 'http: {addr: "127.0.0.1:5000"}' >"$dir/registry.yaml"
    make_image
    registry
    skopeo copy -q --dest-tls-verify=false "oci:$dir/image:1" "docker://$what"
    for engine in docker podman; do [ -z "${sockets[$engine]:-}" ] || registry "$engine"; done
    cat >"$dir/pipe" <<SH
unpacked=\$(mktemp -d $dir/unpacked-XXXXXX)
while read -r digest; do
    curl -fsSL http://127.0.0.1:5000/v2/bench/layers/blobs/sha256:\$digest | gzip -dc | tar -xf - -C "\$unpacked" || exit 1
done <$dir/pipe.list
SH
    start_agent pull
    engine_options
    [ "$format" = json ] || printf '\nthe image: %s layers, %s MB compressed\n' "$(wc -l <"$dir/pipe.list")" "$(du -sm "$dir/image" | cut -f1)"
    for durable in '' --durable; do
        measure pull "${options[@]}" --command "pipe=sh $dir/pipe" --image "$what" --rounds "${rounds:-5}" $durable
    done
    stop_agent
}

"""What people write with docker-py, against the engine at DOCKER_HOST: `scenarios.py NAME`. What a scenario prints is compared."""

import builtins
import io
import json
import sys
import tarfile
import time

import docker
from docker.errors import APIError, ContainerError, ImageNotFound

IMAGE = "busybox"


def shown(value):
    """JSON with its keys in order, for engines write them in theirs."""
    return json.dumps(value, sort_keys=True, default=str) if isinstance(value, (dict, list)) else str(value)


def print(*values):
    builtins.print(*map(shown, values), flush=True)


def fails(what, call, *arguments, **named):
    """Prints the status and the words of the error that a call ends with."""
    try:
        call(*arguments, **named)
        print(f"{what}: no error")
    except APIError as error:
        print(f"{what}: {type(error).__name__} {error.status_code} {error.explanation}")


def soon(condition):
    """Waits until it holds, at most 20 s."""
    end = time.monotonic() + 20
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def run_streams(client):
    print(client.containers.run(IMAGE, "echo hello", remove=True))
    print(client.containers.run(IMAGE, ["sh", "-c", "echo out; echo err >&2"], remove=True, stdout=True, stderr=False))
    print(client.containers.run(IMAGE, ["sh", "-c", "echo out; echo err >&2"], remove=True, stdout=False, stderr=True))
    try:
        client.containers.run(IMAGE, ["sh", "-c", "echo bad >&2; exit 3"], remove=True)
    except ContainerError as error:
        print(error.exit_status, error.stderr, error.command)
    try:
        client.containers.run("127.0.0.1:1/nosuch", "true")
    except (ImageNotFound, APIError) as error:
        print(type(error).__name__)
    fails("a command that isn't there", client.containers.run, IMAGE, "nosuch", remove=True)
    print([line for line in client.containers.run(IMAGE, "echo streamed", remove=True, stream=True)])
    container = client.containers.run(IMAGE, "sleep 100", detach=True, name="box", labels={"a": "b"}, environment={"A": "b"}, tty=True)
    print(container.name, container.status, container.labels, container.attrs["Config"]["Env"], container.image.tags)
    container.reload()
    print(container.status)


def exec_run(client):
    container = client.containers.run(IMAGE, "sleep 100", detach=True)
    print(container.exec_run(["sh", "-c", "echo out; exit 4"]))
    print(container.exec_run(["sh", "-c", "echo out; echo err >&2"], demux=True))
    print(b"".join(container.exec_run("echo streamed", stream=True).output))
    print(container.exec_run("id -u", user="nobody").output, container.exec_run("pwd", workdir="/data").output)
    print(container.exec_run(["sh", "-c", "echo $A"], environment={"A": "b"}).output)
    print(container.exec_run(["test", "-t", "1"], tty=True).exit_code, container.exec_run("true", detach=True).output)
    identity = client.api.exec_create(container.id, "cat", stdin=True)["Id"]
    socket = client.api.exec_start(identity, socket=True)
    socket._sock.sendall(b"some input\n")
    print(socket.read(8), socket.read(11))
    socket._sock.close()
    ended = client.api.exec_create(container.id, ["sh", "-c", "exit 5"])["Id"]
    print({k: v for k, v in client.api.exec_inspect(ended).items() if k in ("Running", "ExitCode", "OpenStdin", "OpenStderr", "OpenStdout", "CanRemove")})
    client.api.exec_start(ended)
    after = client.api.exec_inspect(ended)
    print(after["Running"], after["ExitCode"], after["ProcessConfig"], after["ContainerID"] == container.id)
    fails("an exec that isn't there", client.api.exec_inspect, "nosuch")
    fails("no command", client.api.exec_create, container.id, [])


def logs(client):
    container = client.containers.run(IMAGE, ["sh", "-c", "echo one; echo two; echo three >&2; until [ -e /go ]; do sleep 0.02; done; echo last"], detach=True)
    soon(lambda: container.logs().count(b"\n") == 3)
    print(sorted(container.logs().split()), container.logs(stderr=False), container.logs(stdout=False))
    print(container.logs(tail=0), container.logs(since=int(time.time()) + 100))
    print(len(container.logs(timestamps=True, stderr=False).split(b"\n")[0].split(b"Z ")))
    follow = container.logs(stream=True, follow=True, stderr=False)
    first = next(follow)
    container.exec_run("touch /go")
    print(first, b"".join(follow))
    fails("neither stream", client.api.logs, container.id, stdout=False, stderr=False)


def events(client):
    since = time.time()
    container = client.containers.run(IMAGE, "true", detach=True, name="box")
    container.wait()
    container.remove()
    until = time.time()
    for event in client.events(since=since, until=until, decode=True, filters={"type": "container"}):
        print(event["Type"], event["Action"], event["status"], event["id"] == container.id, event["from"], event["scope"], sorted(event["Actor"]["Attributes"]))
    live = client.events(decode=True, filters={"event": "create"})
    client.containers.create(IMAGE, "true", name="later")
    print(next(live)["Actor"]["Attributes"]["name"])
    live.close()


def tar_of(**files):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return data.getvalue()


def archives(client):
    container = client.containers.create(IMAGE, "true")
    print(container.put_archive("/data", tar_of(made=b"content")))
    data, stat = container.get_archive("/data/made")
    print({k: v for k, v in stat.items() if k != "mtime"}, stat["mtime"][:4])
    with tarfile.open(fileobj=io.BytesIO(b"".join(data))) as tar:
        print(tar.getnames(), tar.extractfile("made").read())
    data, stat = container.get_archive("/data")
    with tarfile.open(fileobj=io.BytesIO(b"".join(data))) as tar:
        print(sorted(tar.getnames()), stat["name"], stat["mode"])
    print(container.get_archive("/bin/sh")[1]["linkTarget"])
    fails("no such path", container.get_archive, "/nosuch")
    fails("into no folder", container.put_archive, "/data/made", tar_of(x=b""))
    fails("into what isn't there", container.put_archive, "/nosuch", tar_of(x=b""))
    print(container.diff())


def networks(client):
    pool = docker.types.IPAMPool(subnet="10.99.0.0/24", gateway="10.99.0.1")
    network = client.networks.create("shop", driver="bridge", ipam=docker.types.IPAMConfig(pool_configs=[pool]), labels={"a": "b"}, internal=True)
    print(network.name, network.attrs["Driver"], network.attrs["IPAM"]["Config"], network.attrs["Labels"], network.attrs["Internal"], network.attrs["Scope"])
    container = client.containers.run(IMAGE, "sleep 100", detach=True, network="shop", name="web")
    other = client.containers.run(IMAGE, "sleep 100", detach=True, name="other")
    network.connect(other, aliases=["friend"], ipv4_address="10.99.0.9")
    network.reload()
    print(sorted(c.name for c in network.containers))
    other.reload()
    endpoint = other.attrs["NetworkSettings"]["Networks"]["shop"]
    print(endpoint["IPAddress"], endpoint["IPPrefixLen"], endpoint["Gateway"], endpoint["Aliases"], endpoint["IPAMConfig"])
    fails("connected twice", network.connect, other)
    fails("removed in use", network.remove)
    network.disconnect(other)
    fails("disconnected twice", network.disconnect, other)
    fails("the same name", client.networks.create, "shop")
    fails("overlapping", client.networks.create, "more", ipam=docker.types.IPAMConfig(pool_configs=[docker.types.IPAMPool(subnet="10.99.0.0/16")]))
    fails("not there", client.networks.get, "nosuch")
    fails("predefined", client.networks.get("bridge").remove)
    container.remove(force=True)
    network.remove()
    print([n.name for n in client.networks.list(names=["shop"])], sorted(n.name for n in client.networks.list()))


def volumes(client):
    volume = client.volumes.create("data", labels={"a": "b"})
    print(volume.name, volume.attrs["Driver"], volume.attrs["Labels"], volume.attrs["Scope"], sorted(volume.attrs))
    client.volumes.create("other")
    print([v.name for v in client.volumes.list(filters={"label": "a"})], client.volumes.create("data").attrs["Labels"])
    container = client.containers.create(IMAGE, "true", volumes={"data": {"bind": "/data", "mode": "rw"}})
    print([v.name for v in client.volumes.list(filters={"dangling": True})])
    print([{k: m[k] for k in ("Type", "Name", "Destination", "Driver", "RW")} for m in container.attrs["Mounts"]])
    try:
        volume.remove()
    except APIError as error:
        print(error.status_code, error.explanation.split("[")[0])
    container.remove()
    volume.remove()
    fails("removed twice", volume.remove)
    fails("not there", client.volumes.get, "nosuch")
    fails("a bad name", client.volumes.create, "bad name")
    print(sorted(client.volumes.prune(filters={"all": "true"})))


def stats(client):
    container = client.containers.run(IMAGE, "sleep 100", detach=True, name="box", mem_limit="64m")
    once = container.stats(stream=False)
    print(sorted(once), once["name"], once["memory_stats"]["limit"], once["pids_stats"]["current"])
    print(sorted(once["cpu_stats"]), sorted(once["networks"]["eth0"]))
    first = next(container.stats(decode=True))
    print(first["id"] == container.id, sorted(first["blkio_stats"]))
    container.stop(timeout=0)
    stopped = container.stats(stream=False)
    print(stopped["pids_stats"], stopped["memory_stats"], stopped["name"])


def attach_socket(client):
    container = client.containers.create(IMAGE, "cat", stdin_open=True, detach=True)
    socket = container.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
    container.start()
    socket._sock.sendall(b"through\n")
    print(socket.read(8), socket.read(8))
    socket._sock.close()
    container.kill()
    terminal = client.containers.create(IMAGE, "cat", stdin_open=True, tty=True)
    socket = terminal.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
    terminal.start()
    socket._sock.sendall(b"hello\n")
    print(socket.read(7))
    socket._sock.close()


def wait_conditions(client):
    container = client.containers.run(IMAGE, ["sh", "-c", "exit 7"], detach=True)
    print(container.wait(), container.wait(condition="not-running"))
    fails("a condition that isn't one", container.wait, condition="nosuch")
    removed = client.containers.run(IMAGE, ["sh", "-c", "sleep 0.5; exit 6"], detach=True, remove=True)
    print(removed.wait(condition="removed")["StatusCode"])
    fails("gone", removed.wait)
    again = client.containers.create(IMAGE, ["sh", "-c", "exit 5"])
    again.start()
    print(again.wait()["StatusCode"])


def errors(client):
    box = client.containers.create(IMAGE, "sleep 100", name="box")
    fails("get", client.containers.get, "nosuch")
    fails("image", client.images.get, "nosuch")
    fails("no image", client.containers.create, "nosuch", "true")
    fails("the same name", client.containers.create, IMAGE, "true", name="box")
    fails("a bad name", client.containers.create, IMAGE, "true", name="!")
    fails("kill", box.kill)
    fails("pause", box.pause)
    fails("exec", box.exec_run, "true")
    fails("top", box.top)
    box.stop()
    box.start()
    fails("start twice", box.start)
    fails("remove", box.remove)
    box.pause()
    fails("pause twice", box.pause)
    fails("exec in a paused one", box.exec_run, "true")
    fails("start a paused one", box.start)
    fails("remove a paused one", box.remove)
    box.unpause()
    fails("unpause twice", box.unpause)
    fails("a signal", box.kill, signal="NOSUCH")
    fails("rename", box.rename, "!")
    fails("update", box.update, mem_limit="1k")
    fails("a bad filter", client.containers.list, filters={"nosuch": "1"})
    fails("a bad memory", client.containers.create, IMAGE, "true", mem_limit=1000)
    fails("a bad network", client.containers.run, IMAGE, "true", network="nosuch")
    fails("a relative mount", client.containers.create, IMAGE, "true", volumes=["/x:y"])
    fails("a bad mode", client.containers.create, IMAGE, "true", volumes=["vol:/y:nosuch"])
    fails("a bad restart policy", client.containers.create, IMAGE, "true", restart_policy={"Name": "nosuch"})
    fails("a bad driver", client.containers.create, IMAGE, "true", log_config=docker.types.LogConfig(type="nosuch"))
    fails("tag", client.api.tag, "nosuch", "x")
    fails("tag badly", client.api.tag, IMAGE, "UPPER")
    fails("swarm", client.swarm.reload)
    fails("services", client.services.list)
    fails("no such page", client.api._raise_for_status, client.api._get(client.api._url("/nosuch")))
    fails("no JSON", client.api._raise_for_status, client.api._post(client.api._url("/containers/create"), data="{", headers={"Content-Type": "application/json"}))
    box.remove(force=True)
    fails("remove twice", box.remove)


def everything_else(client):
    print(client.ping(), client.version()["Os"], client.info()["OSType"], client.api.df()["Volumes"])
    box = client.containers.run(IMAGE, "sleep 100", detach=True, name="box", ports={"80/tcp": 8080, "81/udp": ("127.0.0.1", None)}, mem_limit="64m", nano_cpus=500000000, restart_policy={"Name": "on-failure", "MaximumRetryCount": 2})
    box.reload()
    print(box.ports["80/tcp"][0], list(box.ports), box.attrs["HostConfig"]["RestartPolicy"], box.attrs["HostConfig"]["NanoCpus"])
    print(box.update(mem_limit="32m", memswap_limit="64m"), client.api.inspect_container("box")["HostConfig"]["Memory"])
    box.rename("other")
    print([c.name for c in client.containers.list(filters={"name": "oth"})], client.api.containers(limit=1)[0]["Names"])
    box.restart(timeout=0)
    box.exec_run("touch /made")
    print([d for d in box.diff() if d["Path"] == "/made"])
    image = box.commit("made", "1", message="words", author="me", conf={"Cmd": ["echo", "committed"]})
    print(image.tags, image.attrs["Comment"], image.attrs["Author"], image.attrs["Config"]["Cmd"], client.containers.run("made:1", remove=True))
    print(image.tag("again", "2"), sorted(client.images.get("made:1").tags), image.history()[0]["Comment"])
    saved = b"".join(image.save(named="made:1"))
    client.images.remove("made:1")
    client.images.remove("again:2")
    print([i.tags for i in client.images.load(saved)])
    print(sum(len(chunk) for chunk in box.export()) > 1000000)
    print(client.api.import_image_from_data(tar_of(x=b"y"), repository="imported", tag="1").count("sha256"))
    box.stop(timeout=0)
    print(sorted(client.containers.prune()), sorted(client.images.prune()), client.networks.prune())
    print(client.api.port(client.containers.create(IMAGE, ports={"80/tcp": 8080}).id, 80))


if __name__ == "__main__":
    connection = docker.from_env(timeout=30)
    globals()[sys.argv[1]](connection)

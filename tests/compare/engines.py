"""The engines that are compared: kedge's agent, started here, and Docker's daemon, started here or running."""

import http.client
import io
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tarfile
import time
import urllib.parse

BASE_IMAGE = "busybox:latest"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


class Engine:
    """Something with Docker's API at a socket."""

    def __init__(self, folder, client, host):
        self.folder = folder
        self.client = client  # the program that is called as `docker`
        self.socket = str(folder / "engine.sock") if host is None else host.removeprefix("unix://")
        self.process = None
        self.shown_folders = {}

    def call(self, method, path, body=None, kind="application/json"):
        connection = UnixConnection(self.socket)
        try:
            connection.request(method, path, body, {"Content-Type": kind})
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()

    def get(self, path):
        status, body = self.call("GET", path)
        return json.loads(body) if status == 200 else None

    def answers(self):
        try:
            return self.call("GET", "/_ping")[0] == 200
        except OSError:
            return False

    def start(self, command):
        log = self.folder / "engine.log"
        with open(log, "ab") as file:
            self.process = subprocess.Popen(command, stdout=file, stderr=file, stdin=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + 60
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{command[0]} does not start:\n{log.read_text()}")
            time.sleep(0.02)

    def import_base(self):
        query = urllib.parse.urlencode({"fromSrc": "-", "repo": "busybox", "tag": "latest", "changes": 'CMD ["sh"]'})
        status, body = self.call("POST", "/images/create?" + query, root_file_system(), "application/x-tar")
        if status != 200:
            raise SystemExit(f"importing an image: {body}")

    def listing(self):
        """Ids and names of what there is."""
        found = [(c["Id"], c["Names"][0].lstrip("/")) for c in self.get("/containers/json?all=1") or [] if c["Names"]]
        found += [(n["Id"], n["Name"]) for n in self.get("/networks") or []]
        for image in self.get("/images/json?all=1") or []:
            name = (image.get("RepoTags") or ["<none>"])[0]
            found.append((image["Id"], "an unnamed image" if "<none>" in name else name.removesuffix(":latest")))
        return found

    def clear(self):
        """Removes everything but the base image."""
        for container in self.get("/containers/json?all=1") or []:
            self.call("DELETE", f"/containers/{container['Id']}?force=1&v=1")
        for network in self.get("/networks") or []:
            if network["Name"] not in ("bridge", "host", "none"):
                self.call("DELETE", f"/networks/{network['Id']}")
        for volume in (self.get("/volumes") or {}).get("Volumes") or []:
            self.call("DELETE", f"/volumes/{volume['Name']}?force=1")
        for image in self.get("/images/json") or []:
            for tag in image.get("RepoTags") or [image["Id"]]:
                if tag != BASE_IMAGE:
                    self.call("DELETE", f"/images/{urllib.parse.quote(tag if '<none>' not in tag else image['Id'], safe='')}?force=1")

    def begin_anew(self):
        self.clear()
        if not self.get(f"/images/{BASE_IMAGE}/json"):
            self.import_base()

    def stop(self):
        if self.answers():
            self.clear()
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()


class Kedge(Engine):
    def __init__(self, folder, programs, client=None):
        super().__init__(folder, client or programs / "kedge", str(folder / "run/kedge.sock"))
        self.shown_folders = {str(folder / "root"): "<root>"}
        self.programs = programs

    def run(self):
        configuration = self.folder / "agent.yaml"
        configuration.write_text(
            f"name: compare\nroot: {self.folder}/root\nrun: {self.folder}/run\ninstance: kc{os.getpid()}\n"
        )
        self.start([str(self.programs / "kedged"), "--config", str(configuration)])

    def version(self):
        return "kedge"


class Docker(Engine):
    """Docker's daemon: the one at `host`, or one that is started here."""

    def __init__(self, folder, host=None):
        super().__init__(folder, shutil.which("docker"), host)
        self.host = host

    def run(self):
        if not self.client:
            raise SystemExit("there is no docker command here")
        if self.host:
            return
        if not shutil.which("dockerd"):
            raise SystemExit("there is no dockerd here: name a socket with --reference unix:///PATH")
        self.start(["dockerd", "--data-root", f"{self.folder}/data", "--exec-root", f"{self.folder}/exec", "-H", f"unix://{self.socket}",
                    "--pidfile", f"{self.folder}/pid", "--default-ulimit", "nofile=1024:4096"])

    def start(self, command):
        self.shown_folders = {str(self.folder / "data"): "<root>"}
        super().start(command)

    def version(self):
        self.shown_folders = {self.get("/info")["DockerRootDir"]: "<root>"}
        client = subprocess.run([self.client, "version", "--format", "{{.Client.Version}}"], capture_output=True, text=True,
                                env={"DOCKER_HOST": "unix://" + self.socket, "PATH": os.environ["PATH"]}, check=True).stdout.strip()
        server = self.get("/version")
        return f"docker {client} and dockerd {server['Version']}, API {server['ApiVersion']}"


def root_file_system():
    """The tar of a small root: busybox and what its programs read."""
    busybox = next((p for p in map(pathlib.Path, ("/bin/busybox", "/usr/bin/busybox")) if p.exists()), None)
    if not busybox:
        raise SystemExit("there is no busybox: install busybox-static")
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.USTAR_FORMAT) as tar:

        def add(name, kind=tarfile.REGTYPE, mode=0o644, content=b"", link=""):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode, entry.linkname, entry.size = kind, mode, link, len(content)
            tar.addfile(entry, io.BytesIO(content))

        for name in ("bin", "etc", "root", "data"):
            add(name, tarfile.DIRTYPE, 0o755)
        add("tmp", tarfile.DIRTYPE, 0o1777)
        add("bin/busybox", mode=0o755, content=busybox.read_bytes())
        for name in subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split():
            if name != "busybox":
                add("bin/" + name, tarfile.SYMTYPE, 0o777, link="busybox")
        add("etc/passwd", content=b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
        add("etc/group", content=b"root:x:0:\nwheel:x:10:root\nnobody:x:65534:\n")
        add("data/seed", content=b"from the image\n")
    return data.getvalue()

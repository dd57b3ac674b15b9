"""What differs from run to run, in the place of which a name stands: ids, times, addresses, ports, folders."""

import json
import re

AUTOMATIC_NETWORKS = r"(?:172\.(?:1[6-9]|2\d|3[01])|192\.168)\.\d{1,3}\.\d{1,3}"

PATTERNS = [
    # The zero time is said as such.
    (r"(?!0001-01-01)\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", "<time>"),
    (r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? [+-]\d{4} [A-Z]+", "<time>"),
    (r"\b(?:Less than a second|About a (?:minute|hour)|About an hour|\d+ (?:seconds?|minutes?|hours?)) ago", "<while> ago"),
    (r"\bUp (?:Less than a second|About a minute|\d+ (?:seconds?|minutes?))", "Up <while>"),
    (r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b", "<mac>"),
    (rf"\b{AUTOMATIC_NETWORKS}\b", "<address>"),
    (r"(?<=:)(?:3[2-9]\d{3}|[45]\d{4}|60\d{3})\b", "<port>"),
    (r'(?<="HostPort": ")(?:3[2-9]\d{3}|[45]\d{4}|60\d{3})(?=")', "<port>"),
    (r'(?<="SandboxKey": ")[^"]+', "<path>"),
    (r'(?<="Pid": )[1-9]\d*', "<pid>"),
    # Of images, of which every engine counts other bytes.
    (r'(?<="Size": )[1-9]\d{5,}', "<size>"),
    (r'(?<="Created": )\d{9,}', "<time>"),
    (r'(?<="time": )\d{9,}', "<time>"),
    (r'(?<="timeNano": )\d{9,}', "<time>"),
    (r"\b[0-9a-f]{64}\b", "<id>"),
    (r"(?<![\w.<])(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{12}(?![\w.])", "<short id>"),
]

# What Docker's words have around what is wrong: the chain of programs that it goes through, and its language's own.
PLAINER = [
    (r"(?:failed to create task for container: )?failed to create shim task: OCI runtime create failed: runc create failed: "
     r"(?:unable to start container process: )?(?:error during container init: )?", ""),
    (r"OCI runtime exec failed: exec failed: unable to start container process: ", ""),
    (r"failed to set up container networking: ", ""),
    (r"(driver failed programming external connectivity on endpoint \S+) \([^)]*\)", r"\1"),
    (r'(exec: "[^"]+": )stat \S+: ', r"\1"),
    (r'time: invalid duration ("[^"]*")', r"\1 is not a duration"),
    (r'strconv\.Parse(?:U?Int|Float): parsing ("[^"]*"): (?:invalid syntax|value out of range)', r"\1 is not a number"),
    (r'strconv\.Atoi: parsing ("[^"]*"): invalid syntax', r"\1 is not a number"),
    (r'strconv\.ParseBool: parsing ("[^"]*"): invalid syntax', r"\1 is neither true nor false"),
]


class Names:
    """Knows what ids stand for, from what the engine lists after each command."""

    def __init__(self, folders):
        self.ids = {}
        self.folders = folders  # by path
        self.generated = set()

    def learn(self, listing, text):
        """`listing`: kinds with (id, name) pairs; `text`: the scenario's commands, whose names weren't made up."""
        for identity, name in listing:
            identity = identity.removeprefix("sha256:")
            if re.fullmatch(r"[a-z]+_[a-z]+\d?", name) and name not in text:
                self.generated.add(name)
                name = "an unnamed container"
            self.ids.setdefault(identity, name)

    def mask(self, text):
        for path, name in sorted(self.folders.items(), key=lambda item: -len(item[0])):
            text = text.replace(path, name)
        short = {identity[:12]: name for identity, name in self.ids.items()}
        text = re.sub(r"\b[0-9a-f]{64}\b", lambda m: self._name("id", self.ids, m.group()), text)
        text = re.sub(r"\b[0-9a-f]{12}\b", lambda m: self._name("short id", short, m.group()), text)
        for name in self.generated:
            text = re.sub(rf"\b{name}\b", "<generated name>", text)
        for pattern, mask in PATTERNS + PLAINER:
            text = re.sub(pattern, mask, text)
        return text

    @staticmethod
    def _name(kind, names, identity):
        return f"<{kind} of {names[identity]}>" if identity in names else identity


def pretty(text):
    """JSON in many lines with its keys in order, so that differences are of single fields; other text as it is."""
    try:
        value = json.loads(text)
    except ValueError:
        return pretty_lines(text)
    if isinstance(value, (dict, list)) and value:
        return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    return text


def pretty_lines(text):
    lines = []
    for line in text.split("\n"):
        if line.startswith("{"):
            try:
                line = json.dumps(json.loads(line), sort_keys=True, ensure_ascii=False)
            except ValueError:
                pass
        lines.append(line)
    return "\n".join(lines)


def plain_error(line):
    """An error without what Docker's client and kedge put around it."""
    line = re.sub(r"^(?:docker|kedge): ", "", line)
    return re.sub(r"^Error(?: response from daemon)?: ", "", line)


def plain_row(line):
    """A line of output without what depends on the width of masked columns, and whose end can be seen."""
    line = line.replace("\r", "<return>").rstrip(" ")
    if not line.startswith("  "):
        line = re.sub(r" {3,}", "   ", line)
    return line or "<empty line>"


HINTS = r"time=\"|Usage:  docker|\t|S?(?:Run|See) '(?:docker|kedge)|hint: |exit status 1$|failed to (?:start containers|rename container named)\b"


def is_hint(line):
    """What is said beside the error itself."""
    return not line.strip() or re.match(HINTS, line)


def render(out, err, code, names):
    """An answer as lines of a case file."""
    lines = []
    text = names.mask(pretty(out))
    if text:
        lines = ["  " + plain_row(plain_error(line)) for line in text.removesuffix("\n").split("\n")]
        if not text.endswith("\n"):
            lines[-1] += "<no newline>"
    for line in map(plain_error, names.mask(err).splitlines()):
        if not is_hint(line):
            lines.append("! " + re.sub(r"\bkedge\b", "docker", line))
    if code != 0:
        lines.append(f"? {code}")
    return lines

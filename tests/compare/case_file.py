"""Case files: scenarios of commands with Docker's recorded answers, and where kedge differs on purpose.

    # a comment
    == a scenario's title
    $ docker run busybox sh -c 'echo out; echo err >&2; exit 3'
      out
    ! err
    ? 3
    % [Heading of docs/compatibility.md] why kedge differs
    %-? 3
    %+? 4

`  ` is standard output, `! ` standard error, `? ` an exit code that isn't 0. A command goes on in lines that begin with
`> `. Below `%` stands what of the answer is missing from kedge's (`%-`) and what it has instead (`%+`).
"""

import difflib


class Command:
    """One command line of the shell with its answer, a list of marked lines."""

    def __init__(self, line, number):
        self.line = line
        self.number = number
        self.comments = []
        self.answer = []
        self.reasons = []
        self.difference = []

    def differing_answer(self):
        """What kedge is expected to answer."""
        return apply_difference(self.answer, self.difference)


class Scenario:
    def __init__(self, title, comments):
        self.title = title
        self.comments = comments
        self.commands = []
        self.trailing = []


class CaseFile:
    def __init__(self, path):
        self.path = path
        self.name = path.stem
        self.head = []
        self.scenarios = []
        self._read()

    def _wrong(self, number, what):
        raise SystemExit(f"{self.path}:{number}: {what}")

    def _read(self):
        comments, command = [], None
        for number, line in enumerate(self.path.read_text().splitlines(), 1):
            if line.startswith("== "):
                if not self.scenarios:
                    self.head, comments = split_head(comments)
                self.scenarios.append(Scenario(line[3:], comments))
                comments, command = [], None
            elif line.startswith("$ "):
                if not self.scenarios:
                    self._wrong(number, "a command outside of a scenario")
                command = Command(line[2:], number)
                command.comments, comments = comments, []
                self.scenarios[-1].commands.append(command)
            elif line.startswith("#") or not line:
                comments.append(line)
            elif command is None:
                self._wrong(number, "an answer without a command")
            elif line.startswith("> "):
                command.line += "\n" + line[2:]
            elif line.startswith("% "):
                command.reasons.append(line[2:])
            elif line.startswith(("%-", "%+", "%=")):
                command.difference.append(line[1:])
            elif line.startswith("  ") or line[0] in "!?":
                command.answer.append(line)
            else:
                self._wrong(number, f"what is {line!r}?")
        if comments and self.scenarios:
            self.scenarios[-1].trailing = comments

    def write(self, header=None):
        if header is not None:
            self.head = [line for line in self.head if not line.startswith("# Recorded with")] or [""]
            self.head.insert(0, header)
        lines = list(self.head)
        for scenario in self.scenarios:
            lines += scenario.comments + ["== " + scenario.title]
            for command in scenario.commands:
                lines += command.comments + ["$ " + command.line.replace("\n", "\n> ")] + command.answer
                lines += ["% " + reason for reason in command.reasons]
                lines += ["%" + line for line in command.difference]
            lines += scenario.trailing
        self.path.write_text("\n".join(lines).rstrip("\n") + "\n")


def split_head(comments):
    """The comments of a file, and those of its first scenario, which stand behind the last empty line."""
    for i in range(len(comments) - 1, -1, -1):
        if not comments[i]:
            return comments[: i + 1], comments[i + 1 :]
    return comments, []


def difference_of(answer, other):
    """`-` and `+` lines that make `other` of `answer`, and `=` lines where it must be said which place is meant."""
    result, at = [], 0

    def pass_by(line, end):
        """The places before `end` where the line stands too."""
        result.extend("=" + line for known in answer[at:end] if known == line)

    matcher = difflib.SequenceMatcher(None, answer, other, autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            continue
        if b == a and a > at:  # an insertion needs a place
            pass_by(answer[a - 1], a)
        elif b > a:
            pass_by(answer[a], a)
        result += ["-" + line for line in answer[a:b]] + ["+" + line for line in other[c:d]]
        at = b
    return result


def apply_difference(answer, difference):
    """The answer with the difference in it; None if it doesn't apply to this answer."""
    result, at = [], 0

    def pass_to(line):
        nonlocal at
        try:
            found = answer.index(line, at)
        except ValueError:
            return False
        result.extend(answer[at:found])
        at = found
        return True

    for line in difference:
        mark, text = line[0], line[1:]
        if mark == "+":
            result.append(text)
        elif not pass_to(text):
            return None
        elif mark == "=":
            result.append(text)
            at += 1
        else:
            at += 1
    return result + answer[at:]

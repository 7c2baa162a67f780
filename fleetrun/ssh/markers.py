"""Marks in a command's output that are not its own: sudo's question, a process group's number.

Each watches the stream from its beginning, takes its marks out, and is over once they have come.
Marks may be split anywhere between pieces; what could be half of one is held back until it is not.
"""

from __future__ import annotations

import secrets
import shlex

from fleetrun.session import Dialogue

_MAX_HELD_BYTES = 64 * 1024


class Question:
    """Watches stderr for a dialogue's question and for the marker that it is over."""

    def __init__(self, dialogue: Dialogue | None) -> None:
        self._dialogue = dialogue
        self._held = b""
        self._questions = 0
        self._answered = 0
        self.over = dialogue is None

    @property
    def refused(self) -> bool:
        """Whether the question came a second time."""
        return self._questions > 1

    def next_answer(self) -> bytes | None:
        """Return the answer that is due; None when none is."""
        if self._dialogue is None or self._answered or not self._questions:
            return None
        self._answered = 1
        return self._dialogue.answer.reveal().encode() + b"\n"

    def take(self, data: bytes) -> bytes:
        """Take a piece of stderr and return it without markers; what may be half of one is held."""
        dialogue = self._dialogue
        if dialogue is None:
            return data
        self._held += data
        self._questions += self._held.count(dialogue.question)
        self._held = self._held.replace(dialogue.question, b"")
        if dialogue.begun in self._held:
            self.over = True
            self._held = self._held.replace(dialogue.begun, b"", 1)
            return self.rest()
        keep = max(len(dialogue.question), len(dialogue.begun)) - 1
        split = max(0, len(self._held) - keep)
        ready, self._held = self._held[:split], self._held[split:]
        return ready

    def rest(self) -> bytes:
        """Return what was held back."""
        rest, self._held = self._held, b""
        return rest


class Group:
    """The process group of a command, which says its number on stderr before it begins."""

    def __init__(self) -> None:
        self._marker = f"fleetrun-group-{secrets.token_hex(8)}".encode()
        self._held = b""
        self._number: int | None = None
        self.over = False

    def of(self, line: str) -> str:
        """Return the line that says its group and then becomes the command.

        sshd starts each command as the leader of a session of its own, so its shell's number is
        that of the group.
        """
        marker = self._marker.decode()
        return f'printf "%s %d\\n" {marker} $$ >&2; exec "${{SHELL:-sh}}" -c {shlex.quote(line)}'

    @property
    def known(self) -> bool:
        """Whether the number has been heard."""
        return self._number is not None

    def take(self, data: bytes) -> bytes:
        """Take a piece of the stream and return it without the marker's line.

        What comes is held until then, up to a bound: a forced command never says its group.
        """
        self._held += data
        before, _marker, after = self._held.partition(self._marker + b" ")
        number, newline, rest = after.partition(b"\n")
        if newline and number.strip().isdigit():
            self.over, self._held, self._number = True, b"", int(number)
            return before + rest
        self.over = len(self._held) > _MAX_HELD_BYTES
        return self.rest() if self.over else b""

    def rest(self) -> bytes:
        """Return what was held back."""
        rest, self._held = self._held, b""
        return rest

    def kill_line(self) -> str:
        """Return a line that ends the group, with TERM and then KILL; status 0 when it is gone.

        Gone is what `ps` does not list any more, or lists as a zombie, which runs no more. From
        `kill -0` nothing is learnt of what belongs to somebody else, as a command under sudo does.
        The groups and sessions that its processes have made for themselves are ended too: `timeout`
        makes a group, and sudo a session where it has a terminal (`use_pty`).
        """
        return f"exec sh -c {shlex.quote(_KILL.replace('GROUP', str(self._number)))}"


_KILL = """\
known=GROUP
table() {
    ps -A -o pid= -o ppid= -o sid= -o pgid= -o stat= 2>/dev/null ||
    ps -o pid,ppid,sid,pgid,stat 2>/dev/null ||
    ps -A -o pid= -o ppid= -o pgid= -o pgid= -o stat= 2>/dev/null ||
    ps -o pid,ppid,pgid,pgid,stat 2>/dev/null
}
look() {
    seen=$(table | awk -v known="$known" '
        BEGIN { count = split(known, ids); for (i = 1; i <= count; i++) ours[ids[i]] = 1 }
        $1 ~ /^[0-9]+$/ && $5 !~ /^Z/ { parent[$1] = $2; session[$1] = $3; group[$1] = $4 }
        END {
            for (more = 1; more;) {
                more = 0
                for (one in parent) {
                    if (one in mine) continue
                    if (session[one] in ours || group[one] in ours || parent[one] in mine) {
                        more = mine[one] = ours[session[one]] = ours[group[one]] = 1
                    }
                }
            }
            for (one in mine) { alive[session[one]]; alive[group[one]] }
            for (one in parent) { printf "seen"; break }
            for (id in alive) if (id ~ /^[0-9]+$/ && id > 1) printf " %s", id
        }')
    case $seen in seen*) alive=${seen#seen} ;; *) exit 1 ;; esac
    known="$known $alive"
}
for step in TERM:.1 0:.2 0:.4 KILL:.05 0:.1 0:.2 0:.4; do
    look
    [ -n "$alive" ] || exit 0
    for group in $alive; do kill -${step%:*} -$group 2>/dev/null; done
    sleep ${step#*:}
done
look
[ -z "$alive" ]
"""
"""In POSIX shell; the forms of `ps` are that of Linux, of busybox, of macOS, of an old busybox.

All is looked at before anything is signalled: once a parent is gone, nobody knows its children.
"""

"""Command lines around command lines, in POSIX shell: a time limit, another user."""

from __future__ import annotations

import secrets
import shlex

from fleetrun.hosts import Secret
from fleetrun.session import Dialogue

_KILL_AFTER_S = 5
_LEAST_S = 0.001


def within_seconds(line: str, seconds: float) -> str:
    """Let the host end the line by itself: TERM after the seconds, KILL five later.

    Uses the host's `timeout` (coreutils, busybox); its exit status is 124 when it had to act.
    """
    return f"timeout -k {_KILL_AFTER_S} {_decimal(seconds)} sh -c {shlex.quote(line)}"


def _decimal(seconds: float) -> str:
    """Return the seconds as every `timeout` reads them, never as 0, which is no limit at all.

    Whole where they are whole: busybox may know no fractions.
    """
    return f"{max(seconds, _LEAST_S):.3f}".rstrip("0").rstrip(".")


def as_other_user(line: str, user: str, password: Secret | None) -> tuple[str, Dialogue | None]:
    """Run the line through sudo; return it and the dialogue in which the password is given.

    Without a password sudo must not ask (`-n`). With one it asks on stderr with a random marker
    (`-p`), reads the answer from stdin (`-S`), and a second random marker says that the line has
    begun, so that its own input can follow; none of the markers reaches the output.
    """
    target = shlex.quote(user)
    if password is None:
        return f"sudo -n -H -u {target} -- sh -c {shlex.quote(line)}", None
    question = f"fleetrun-asks-{secrets.token_hex(8)}"
    begun = f"fleetrun-begins-{secrets.token_hex(8)}"
    inner = shlex.quote(f"printf %s {begun} >&2; {line}")
    dialogue = Dialogue(
        question=question.encode(),
        answer=password,
        begun=begun.encode(),
        refused=f"sudo did not take the password (to become {user})",
    )
    return f"sudo -S -p {question} -H -u {target} -- sh -c {inner}", dialogue

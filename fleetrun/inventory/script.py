"""Inventory scripts: programs that print an inventory as JSON when they are called with --list."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fleetrun.inventory.files import MAX_BYTES, decode
from fleetrun.inventory.place import Place
from fleetrun.inventory.remarks import Remarks
from fleetrun.readiness import wait_ready

if TYPE_CHECKING:
    import subprocess

TIMEOUT_S = 120.0
"""For one call: those that ask a cloud for 10,000 hosts take half a minute."""

_SHOWN_LINES = 20
_PIECE_BYTES = 64 * 1024


def is_script(path: Path) -> bool:
    """Whether the file can be run: it is executable, and begins as a script or a binary does.

    On some file systems everything is executable, inventories included.
    """
    if not os.access(path, os.X_OK):
        return False
    with path.open("rb") as file:
        start = file.read(1024)
    return start.startswith(b"#!") or b"\0" in start


def run_script(path: Path, *arguments: str, remarks: Remarks) -> str:
    """Run the script with the arguments, without a shell, and return what it prints.

    What it says on standard error becomes remarks. Raises `InventoryError` when it cannot be run,
    fails, prints too much or takes too long; all that it has started is killed then.
    """
    import subprocess  # noqa: PLC0415 (most inventories are files)

    place = Place(" ".join((str(path), *arguments)))
    try:
        process = subprocess.Popen(
            [path.absolute(), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise place.error(f"it cannot be run: {error.strerror}") from error
    with process, _killed_on_error(process):
        out, err = _output(process, place)
    said = err.decode(errors="backslashreplace").splitlines()
    if process.returncode:
        last = f": {said[-1]}" if said else ""
        raise place.error(f"it ended with status {process.returncode}{last}")
    for line in said[:_SHOWN_LINES]:
        remarks.add(place, line)
    return decode(out, place)


@contextlib.contextmanager
def _killed_on_error(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        raise


def _output(process: subprocess.Popen[bytes], place: Place) -> tuple[bytes, bytes]:
    """Return what the process writes until it has closed both streams and ended."""
    import subprocess  # noqa: PLC0415 (see run_script)

    until_s = time.monotonic() + TIMEOUT_S
    late = place.error(f"it did not end within {TIMEOUT_S:g} s")
    pipes = {pipe.fileno(): bytearray() for pipe in (process.stdout, process.stderr) if pipe}
    out, err = pipes.values()
    while pipes:
        ready = wait_ready(list(pipes), timeout_s=until_s - time.monotonic())
        if time.monotonic() >= until_s:
            raise late
        for descriptor in ready:
            piece = os.read(descriptor, _PIECE_BYTES)
            pipes[descriptor] += piece
            if len(pipes[descriptor]) > MAX_BYTES:
                raise place.error(f"it prints more than {MAX_BYTES >> 20} MiB")
            if not piece:
                del pipes[descriptor]
    try:
        process.wait(until_s - time.monotonic())
    except subprocess.TimeoutExpired:
        raise late from None
    return bytes(out), bytes(err)

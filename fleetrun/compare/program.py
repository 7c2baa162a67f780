"""A program of an experiment: a file that is run by path in a fresh interpreter. Beside the road.

What fleetrun has loaded is not in it, what it patches or pins is its own, and it ends when its
`with` block does, whatever happens.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import IO, Any, Self

from fleetrun.errors import FleetrunError

_END_WITHIN_S = 5.0


class Program:
    """A program under way, and its two pipes. Used by one thread; entered, and left to end it.

    Args:
        file: the program.
        arguments: what it is given.

    Raises `OSError` when it cannot be started.
    """

    def __init__(self, file: Path, *arguments: object) -> None:
        self._name = file.stem
        self._process = subprocess.Popen(
            # -P: a file beside this one must not stand in for a module.
            [sys.executable, "-P", str(file), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.kill()
        self._process.communicate()

    def tell(self, line: str) -> None:
        """Write a line to it; raises `FleetrunError` when it has ended."""
        try:
            _pipe(self._process.stdin).write(f"{line}\n")
            _pipe(self._process.stdin).flush()
        except BrokenPipeError as error:
            raise self._failed() from error

    def line(self) -> str:
        """Return the next line that it prints; raises `FleetrunError` when there is none."""
        said = _pipe(self._process.stdout).readline()
        if not said:
            raise self._failed()
        return said.rstrip("\n")

    def answer(self) -> Any:  # noqa: ANN401 (JSON)
        """Return the next line, read as JSON; raises as `line` does."""
        return json.loads(self.line())

    def _failed(self) -> FleetrunError:
        """Return what its last words, or its end, come to."""
        try:
            _, complaint = self._process.communicate(timeout=_END_WITHIN_S)
        except subprocess.TimeoutExpired:
            return FleetrunError(f"the program {self._name} of the experiment fell silent")
        words = complaint.strip().splitlines()
        last = words[-1] if words else f"exit status {self._process.returncode}"
        return FleetrunError(f"the program {self._name} of the experiment failed: {last}")


def _pipe(stream: IO[str] | None) -> IO[str]:
    """Return a stream that was asked for, so that it is there."""
    assert stream is not None  # noqa: S101 (for the type checker)
    return stream

"""What Ansible makes of inventories, asked of a process of its own that answers many questions.

Starting Ansible takes more than a second, an answer some milliseconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class Oracle:
    """Asks `ansible_answers.py`; a context manager that ends the process."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("ansible_answers.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(folder),
            text=True,
        )

    def ask(self, sources: list[str], patterns: list[str] | None = None) -> Any:  # noqa: ANN401 (JSON)
        """Return groups, variables and what patterns select; raises when Ansible could not."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        question = json.dumps({"sources": sources, "patterns": patterns or []})
        self._process.stdin.write(f"{question}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the process that asks Ansible has ended"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()


def environment(folder: Path) -> dict[str, str]:
    """Return an environment in which nothing of this machine's own Ansible counts."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE")
    }
    config = folder / "ansible.cfg"
    config.touch()
    return {
        **inherited,
        "ANSIBLE_CONFIG": str(config),
        "ANSIBLE_HOME": str(folder),
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",
        "PYTHONWARNINGS": "ignore",
    }

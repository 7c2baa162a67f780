"""The lab's folder: what lies where in it, and how it goes away. Beside the road.

    hosts.yaml    the inventory         written by the parent
    known_hosts   the hosts' keys       written by the parent
    id_ed25519    the key to log in     written by the servers
    lab.log       what the servers say of themselves
    scratch/lab1  home of the first host, and so on

Both processes of the lab remove it, because either may outlive the other.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from fleetrun.errors import UsageError

_PATIENCE_S = 2.0
_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class LabFolder:
    """Paths of one lab, all below `path`, which nobody but the user can enter."""

    path: Path

    @classmethod
    def make(cls, path: Path | None) -> LabFolder:
        """Make the folder, which must not exist; None makes one among the temporary files.

        Raises `UsageError` when it exists or cannot be made.
        """
        try:
            if path is None:
                return cls(path=Path(tempfile.mkdtemp(prefix="fleetrun-lab-")))
            path.mkdir(mode=0o700)
        except FileExistsError as error:
            raise UsageError(
                f"{path} exists; the lab makes its folder itself and removes it at the end"
            ) from error
        except OSError as error:
            raise UsageError(f"the lab's folder cannot be made: {error}") from error
        return cls(path=path.absolute())

    @property
    def inventory(self) -> Path:
        """The inventory of all hosts."""
        return self.path / "hosts.yaml"

    @property
    def known_hosts(self) -> Path:
        """The host keys of all hosts."""
        return self.path / "known_hosts"

    @property
    def private_key(self) -> Path:
        """The only key that is let in."""
        return self.path / "id_ed25519"

    @property
    def log(self) -> Path:
        """Warnings and errors of the servers."""
        return self.path / "lab.log"

    def scratch(self, host: str) -> Path:
        """Return the home of a host."""
        return self.path / "scratch" / host

    def remove(self) -> None:
        """Remove all of it, with patience for commands that were killed and are still dying."""
        until = time.monotonic() + _PATIENCE_S
        while not self._try_to_remove() and time.monotonic() < until:
            time.sleep(_PAUSE_S)

    def _try_to_remove(self) -> bool:
        """Remove what can be removed; return whether all is gone."""
        for parent, names, _ in os.walk(self.path):
            for folder in (Path(parent, name) for name in names):
                with contextlib.suppress(OSError):
                    if not folder.is_symlink():
                        folder.chmod(0o700)  # a command may have made it read-only
        shutil.rmtree(self.path, ignore_errors=True)
        return not self.path.exists()

"""SFTP on a lab host: its scratch folder, and nothing else. In the process of the servers.

asyncssh's own confinement refuses paths and links that lead out, but follows links that a command
has made; here every path is judged by where it really ends.
"""

from __future__ import annotations

import os
from pathlib import Path

import asyncssh


class LabFiles(asyncssh.SFTPServer):
    """Serves one folder as `/`.

    A path that leads out of it through a symbolic link is refused, for whatever purpose, and so is
    opening what is no regular file: opening a FIFO would stop every host of the lab.
    """

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], folder: bytes) -> None:
        super().__init__(channel, chroot=folder)
        self._root = os.path.realpath(folder)

    def map_path(self, path: bytes) -> bytes:
        """Return the local path; raises `SFTPPermissionDenied` when it leads out."""
        local = super().map_path(path)
        real = os.path.realpath(local)
        if real != self._root and not real.startswith(self._root + b"/"):
            raise asyncssh.SFTPPermissionDenied("the path leads out of this host's folder")
        return local

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        """Open a regular file, or one that is to be made."""
        local = Path(os.fsdecode(self.map_path(path)))
        if local.exists() and not local.is_file():
            raise asyncssh.SFTPFailure("not a regular file")
        return super().open(path, pflags, attrs)

"""Write the pictures in docs/images from real runs: `python docs/make_pictures.py [NAME...]`.

Without a name, all of them. The report of a comparison wants chromium, and a machine at rest.

A practice fleet is started, some of its hosts are broken, and what fleetrun then shows on a
terminal of 92 columns is drawn, colours and all. Wants the `lab` extra, and a Unix.

    practice_fleet ─► hosts.yaml ─► on_terminal ─► drawn ─► docs/images/NAME.svg
"""  # noqa: INP001 (a script beside the pages, no package)

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml
from rich.console import Console
from rich.text import Text

from fleetrun import Host, Inventory
from fleetrun.lab import Lab

IMAGES = Path(__file__).parent / "images"
COLUMNS = 92
_CLOSED_PORT = 1
"""Where nothing listens on any machine that we know (RFC 1078, which nobody uses)."""

_WEB = {
    **dict.fromkeys(["web1", "web2", "web3", "web4"], "echo ready"),
    "web5": "echo 'disk 97 % full' >&2; exit 3",
    "web6": "sleep 60",
}
"""What `./check` does on each web host."""

PICTURES = {
    "exec": 'fleetrun exec "./check" --command-timeout 2s',
    "compare": 'fleetrun compare -l web "sleep 0.5"',
}

REPORT = 'fleetrun compare --lab 16 --rtt 50ms "sleep 0.2" --modes all --html report.html'
REPORT_PICTURE = "compare-report"
REPORT_PIXELS = "1000,3540"
"""All of the page, for that many modes and hosts."""


@contextlib.contextmanager
def practice_fleet(folder: Path) -> Iterator[None]:
    """Write hosts.yaml to the folder, and serve the hosts in it until left.

    Of the group web, web5's `./check` ends with 3 and web6's takes a minute. Of the group db,
    nothing listens where db1 should be, and nothing vouches for db2's key.
    """
    with Lab(len(_WEB) + 1) as lab:
        *web, db2 = Inventory.load(lab.inventory).hosts
        for host, script in zip(web, _WEB.values(), strict=True):
            check = lab.folder / "scratch" / host.name / "check"
            check.write_text(f"#!/bin/sh\n{script}\n")
            check.chmod(0o755)
        (folder / "known_hosts").write_text("")
        groups = {
            "web": {name: _reached(host) for name, host in zip(_WEB, web, strict=True)},
            "db": {
                "db1": _reached(db2) | {"port": _CLOSED_PORT},
                "db2": _reached(db2) | {"known_hosts": "known_hosts"},
            },
        }
        inventory = {name: {"hosts": hosts} for name, hosts in groups.items()}
        (folder / "hosts.yaml").write_text(yaml.safe_dump(inventory, sort_keys=False))
        yield


def _reached(host: Host) -> dict[str, object]:
    """Return the variables that reach the host, whatever it is called."""
    return {
        "host": host.address,
        "port": host.port,
        "user": host.user,
        "private_key": host.private_key,
        "known_hosts": list(host.known_hosts),
    }


def on_terminal(command: str, folder: Path) -> str:
    """Run the command in the folder on a terminal, and return what it shows."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    program, *words = shlex.split(command)
    with subprocess.Popen(
        [Path(sys.executable).with_name(program), *words],
        cwd=folder,
        stdin=its,
        stdout=its,
        stderr=its,
        env={**os.environ, "TERM": "xterm-256color"},
    ):
        os.close(its)
        return b"".join(_pieces(ours)).decode().replace("\r\n", "\n")


def _pieces(descriptor: int) -> Iterator[bytes]:
    with contextlib.suppress(OSError):  # Linux says EIO when the last writer has gone
        while piece := os.read(descriptor, 65_536):
            yield piece
    os.close(descriptor)


def drawn(command: str, output: str) -> str:
    """Return the picture of a terminal on which the command was typed, as SVG.

    It asks nobody for a font.
    """
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(f"\x1b[1m$ {command}\x1b[0m"))
    console.print(Text.from_ansi(output.rstrip()))
    svg = console.export_svg(title="fleetrun", unique_id="fleetrun")
    return re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)


def photograph(page: Path, picture: Path) -> None:
    """Have chromium open the page, without a network, and write what it shows."""
    with tempfile.TemporaryDirectory() as profile:
        quiet = ("background-networking", "component-update", "sync", "gpu", "quic")
        subprocess.run(
            [
                *("chromium", "--headless", "--no-sandbox", "--no-first-run", "--hide-scrollbars"),
                *(f"--disable-{what}" for what in quiet),
                f"--user-data-dir={profile}",
                f"--window-size={REPORT_PIXELS}",
                "--force-device-scale-factor=0.85",
                "--virtual-time-budget=5000",  # all of it is drawn by then, on a busy machine too
                f"--screenshot={picture}",
                page.as_uri(),
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )


def make_terminals(names: Sequence[str]) -> None:
    """Write the pictures of terminals that are among the names."""
    with tempfile.TemporaryDirectory() as name, practice_fleet(Path(name)):
        for picture in filter(names.__contains__, PICTURES):
            typed = PICTURES[picture]
            svg = drawn(typed, on_terminal(typed, Path(name)))
            (IMAGES / f"{picture}.svg").write_text(svg, encoding="utf-8")


def make_report() -> None:
    """Write the picture of the report that the README's command makes."""
    with tempfile.TemporaryDirectory() as name:
        on_terminal(REPORT, Path(name))
        photograph(Path(name) / "report.html", IMAGES / f"{REPORT_PICTURE}.png")


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    wanted = sys.argv[1:] or [*PICTURES, REPORT_PICTURE]
    if set(wanted) & set(PICTURES):
        make_terminals(wanted)
    if REPORT_PICTURE in wanted:
        make_report()

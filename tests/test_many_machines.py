"""The page on many machines: its Dask commands parse, its settings exist, its certificates work."""

from __future__ import annotations

import importlib
import shlex
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import dask.config
import distributed
import pytest
import yaml
from pages import DOCS, Block, blocks

PAGE = DOCS / "how-to" / "many-machines.md"


def dask_lines() -> Iterator[str]:
    """Yield each `dask …` that the page shows to be typed."""
    for block in blocks(PAGE):
        if block.language == "sh":
            lines = block.text.replace("\\\n", " ").splitlines()
            yield from (line for line in lines if line.startswith("dask "))


def marked(marker: str) -> Block:
    (block,) = (block for block in blocks(PAGE) if block.marker == marker)
    return block


def test_lines_for_dask_are_found() -> None:
    assert {line.split()[1] for line in dask_lines()} == {"scheduler", "worker", "ssh"}


@pytest.mark.parametrize("line", [*dask_lines()])
def test_dask_understands_every_line_that_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    (tmp_path / "tls").mkdir()
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / "tls" / name).touch()
    _, name, *words = shlex.split(line.replace("~", str(tmp_path)))
    monkeypatch.chdir(tmp_path)
    command: click.Command = importlib.import_module(f"distributed.cli.dask_{name}").main
    context = command.make_context(name, words)
    assert "ignore_unknown_options" not in command.context_settings or not any(
        word.startswith("-") for word in (*context.args, *context.params.get("preload_argv", ()))
    )


def test_dask_has_the_settings_that_are_shown() -> None:
    assert distributed.__version__  # which brings the defaults
    shown = yaml.safe_load(marked("dask configuration").text)
    assert [".".join(path) for path in _leaves(shown) if not _is_setting(path)] == []


def _leaves(settings: dict[str, object], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in settings.items():
        path = (*above, key)
        if isinstance(value, dict) and path != ("distributed", "worker", "resources"):
            yield from _leaves(value, path)
        else:
            yield path


def _is_setting(path: tuple[str, ...]) -> bool:
    missing = object()
    return dask.config.get(".".join(path), missing, config=_defaults()) is not missing


def _defaults() -> dict[str, object]:
    defaults: dict[str, object] = {}
    for each in dask.config.defaults:
        dask.config.update(defaults, dict(each))
    return defaults


def test_dask_reads_the_variables_that_are_shown() -> None:
    lines = marked("dask environment").text.splitlines()
    variables = dict(line.removeprefix("export ").split("=") for line in lines)
    paths = [tuple(path) for path in map(_known_path, _leaves(dask.config.collect_env(variables)))]
    assert len(paths) == len(lines)
    assert [path for path in paths if not _is_setting(path)] == []


def _known_path(path: tuple[str, ...]) -> list[str]:
    """Return the path with the hyphens of the defaults: Dask takes `_` for `-`."""
    known: list[str] = []
    for name in path:
        level = dask.config.get(".".join(known), config=_defaults()) if known else _defaults()
        known.append(dask.config.canonical_name(name, level))
    return known


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")
def test_the_certificates_of_the_page_let_two_ends_trust_each_other(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
    script = f"set -e\n{marked('openssl').text}"
    made = subprocess.run(
        ["sh", "-c", script], check=False, env=env, cwd=tmp_path, capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    tls = tmp_path / "tls"
    assert (tls / "ca-key.pem").stat().st_mode & 0o077 == 0
    _shake_hands(_context(tls, "hub", ssl.PROTOCOL_TLS_SERVER), _context(tls, "ams"))


def _context(tls: Path, name: str, protocol: int = ssl.PROTOCOL_TLS_CLIENT) -> ssl.SSLContext:
    """Return a context as Dask makes one, as strict as Python 3.13 is of itself."""
    context = ssl.SSLContext(protocol)
    context.load_verify_locations(tls / "ca.pem")
    context.load_cert_chain(tls / f"{name}.pem", tls / f"{name}-key.pem")
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    """Do so in memory; raises `SSLError` when one does not accept the other's certificate."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(down, up),
        server.wrap_bio(up, down, server_side=True),
    ]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert all(end.getpeercert() for end in ends)

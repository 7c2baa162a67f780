"""Rows 64 and 65: what stands in inventories, of all kinds; nothing of it may reach a host."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from trial import Ran, Trial

from fleetrun.cli import main

Run = Callable[..., Ran]

_PATIENCE_S = 30.0
"""For what is refused without a look at its end; a machine that is busy takes some of it."""


@pytest.fixture
def run(trial: Trial, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Return a function that calls the command line, with nothing there to connect with."""
    monkeypatch.chdir(trial.folder)
    monkeypatch.setattr("fleetrun.fleet.SshConnect", lambda: pytest.fail("it would connect"))

    def run(*arguments: str) -> Ran:
        began_at_s = time.monotonic()
        code = main(arguments)
        assert time.monotonic() - began_at_s < _PATIENCE_S
        out, err = capfd.readouterr()
        return Ran(code=code, out=out.encode(), err=err)

    return run


@pytest.fixture
def refused(trial: Trial, run: Run) -> Callable[..., str]:
    """Return a function that asserts that an inventory is refused, and returns what is said."""

    def refused(source: str) -> str:
        ran = run("exec", "-i", source, "true", "--mode", trial.mode.value)
        assert (ran.code, ran.out) == (2, b"")
        assert ran.err.startswith("fleetrun: error: ")
        assert ran.err.count("\n") == 1
        return ran.err.removeprefix("fleetrun: error: ")

    return refused


ODD = ["no", "022", "22:22", "1.10", "0x10", "2024-01-01", "1e3", "~/x", "yes", "null", "+1"]
LAYOUTS = {
    "YAML": ("hosts.yaml", "all:\n  hosts:\n    {value}:\n      user: {value}\n      x: {value}\n"),
    "INI": ("hosts.ini", "{value} user={value} x={value}\n"),
    "JSON": (
        "hosts.json",
        '{{"all": {{"hosts": {{"{value}": {{"user": "{value}", "x": "{value}"}}}}}}}}',
    ),
}


@pytest.mark.fault(64, "no, 022, 22:22, 1.10, 0x10, a date as a name", "kept as they are spelled")
@pytest.mark.parametrize("value", ["no", "022", "1.10", "0x10", "2024-01-01", "1e3", "yes"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_row_64_an_odd_value_keeps_its_spelling(
    trial: Trial, run: Run, layout: str, value: str
) -> None:
    name, text = LAYOUTS[layout]
    (trial.folder / name).write_text(text.format(value=value))
    ran = run("hosts", "-i", name, "--format", "json")
    (host,) = json.loads(ran.out)["hosts"]
    assert (host["name"], host["user"], host["vars"]["x"]) == (value, value, value)


@pytest.mark.fault(64, "022, 22:22, 0x16, 1.10 as a port", "refused, with file and line")
@pytest.mark.parametrize("value", ["022", "22:22", "0x16", "1.10", "1e3", "no", "2024-01-01", ""])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_row_64_an_odd_number_is_not_guessed_at(
    trial: Trial, refused: Callable[..., str], layout: str, value: str
) -> None:
    name, _ = LAYOUTS[layout]
    text = {
        "YAML": f"all:\n  hosts:\n    web1: {{port: {value}}}\n",
        "INI": f"[web]\n\nweb1 ansible_port={value}\n",
        "JSON": f'{{"all":\n{{"hosts":\n{{"web1": {{"port": "{value}"}}}}}}}}',
    }
    (trial.folder / name).write_text(text[layout])
    assert refused(name).startswith(f"{name}:3: ")


BROKEN = {
    "duplicate key": (b"all:\n  hosts:\n    a:\n    a:\n", ":4: 'a' stands here twice"),
    "empty": (b"", ": there is no host in it"),
    "tabs": (b"all:\n\thosts:\n", ":2: the line is indented with a tab"),
    "deep nesting": (b"all: " + b"{a: " * 3000, ":1: values stand more than 100 levels deep"),
    "alias bomb": (
        b"a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        + b"".join(
            b"a%d: &a%d [%s]\n" % (i, i, b", ".join([b"*a%d" % (i - 1)] * 10)) for i in range(1, 12)
        ),
        "aliases expand to more than 2,500,000 values",
    ),
    "not UTF-8": (b"all:\n  hosts:\n    \xff:\n", ":3: byte 0xff is not UTF-8"),
    "UTF-16": ("all: {hosts: a}".encode("utf-16"), ":1: byte 0xff is not UTF-8"),
    "NUL": (b"all:\n  hosts:\n    a\0b:\n", ":3: there is a control character (0x00)"),
    "tag": (b"all: !!python/object/apply:os.system [id]\n", ":1: the tag !!python"),
    "range": (b"all:\n  hosts:\n    a[0-99999999]:\n", ":3: 'a[0-99999999]' stands for more than"),
}


@pytest.mark.fault(
    64, "duplicate keys, empty, tabs, deep nesting, alias bomb", "refused, with file and line"
)
@pytest.mark.parametrize(("data", "words"), BROKEN.values(), ids=BROKEN)
def test_row_64_a_broken_file_is_refused(
    trial: Trial, refused: Callable[..., str], data: bytes, words: str
) -> None:
    (trial.folder / "hosts.yaml").write_bytes(data)
    said = refused("hosts.yaml")
    assert said.startswith("hosts.yaml")
    assert words in said


@pytest.mark.fault(64, "a mark of byte order", "read without it")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_row_64_a_mark_of_byte_order_is_no_part_of_a_name(
    trial: Trial, run: Run, layout: str
) -> None:
    name, text = LAYOUTS[layout]
    (trial.folder / name).write_bytes(b"\xef\xbb\xbf" + text.format(value="web1").encode())
    assert run("hosts", "-i", name).out == b"web1\n"


@pytest.mark.fault(64, "100 MB, a pipe without a writer, a folder", "refused, without waiting")
@pytest.mark.parametrize("kind", ["100 MB", "pipe", "folder", "link in a circle", "socket"])
def test_row_64_what_is_no_ordinary_file_is_refused(
    trial: Trial, refused: Callable[..., str], kind: str
) -> None:
    path = trial.folder / "inventory"
    words = {
        "100 MB": "it is larger than 64 MiB",
        "pipe": "it is not an ordinary file",
        "folder": "there is no host in it",
        "link in a circle": "it cannot be read",
        "socket": "it is not an ordinary file",
    }
    _make(path, kind)
    assert refused("inventory").startswith(f"inventory: {words[kind]}")


def _make(path: Path, kind: str) -> None:
    if kind == "100 MB":
        with path.open("wb") as file:
            file.truncate(100 * 1024 * 1024)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "link in a circle":
        path.symlink_to(path)
    else:
        os.mknod(path, 0o600 | 0o140000)  # S_IFSOCK: nobody listens there


BAD_HOSTS = {
    "option": ("-oProxyCommand=x", "begins with '-'"),
    "semicolon": ("a;b", "';'"),
    "300 characters": ("x" * 300, "300 characters"),
    "port 0": ("web1:0", "port '0'"),
    "port 65558": ("web1:65558", "port '65558'"),
    "user": ("-l@web1", "begins with '-'"),
}


@pytest.mark.fault(
    65, "the same in INI, in JSON, in a list and in -w", "exit code 2, before any connection"
)
@pytest.mark.parametrize(("host", "words"), BAD_HOSTS.values(), ids=BAD_HOSTS)
@pytest.mark.parametrize("where", ["INI", "JSON", "list", "-w"])
def test_row_65_an_odd_host_is_refused_wherever_it_stands(
    trial: Trial, run: Run, where: str, host: str, words: str
) -> None:
    (trial.folder / "hosts.ini").write_text(f"[web]\n{host}\n")
    (trial.folder / "hosts.json").write_text(json.dumps({"web": [host]}))
    given = {
        "INI": ["-i", "hosts.ini"],
        "JSON": ["-i", "hosts.json"],
        "list": ["-i", f"{host},"],
        "-w": [f"-w{host}"],
    }[where]
    ran = run("exec", *given, "--mode", trial.mode.value, "true")
    assert (ran.code, ran.out) == (2, b"")
    assert words in ran.err
    assert ran.err.count("\n") == 1

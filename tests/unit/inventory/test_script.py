"""Inventories that are programs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from fleetrun.errors import InventoryError
from fleetrun.inventory import Inventory

Write = Callable[[dict[str, str | bytes]], None]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="scripts are run as POSIX runs them")


@pytest.fixture
def script(write: Write) -> Callable[[str], str]:
    """Return a function that writes a Python program and returns how it is named."""

    def script(body: str) -> str:
        write({"inventory.sh": f"#!{sys.executable}\nimport json, os, sys\n{body}"})
        return "inventory.sh"

    return script


def test_a_script_is_asked_for_the_list_and_for_nothing_else_when_it_tells_all(
    script: Callable[[str], str],
) -> None:
    path = script("""\
open("asked", "a").write(" ".join(sys.argv[1:]) + ";")
print(json.dumps({"web": {"hosts": ["h1"]}, "_meta": {"hostvars": {"h1": {"ansible_port": 2222}}}}))
""")
    inventory = Inventory.load(path)
    assert [(host.name, host.port) for host in inventory.hosts] == [("h1", 2222)]
    assert inventory.hosts[0].sources["port"] == "inventory.sh --list:1"
    assert Path("asked").read_text() == "--list;"


def test_a_script_that_tells_nothing_of_hosts_is_asked_about_each(
    script: Callable[[str], str],
) -> None:
    path = script("""\
open("asked", "a").write(" ".join(sys.argv[1:]) + ";")
if sys.argv[1] == "--list":
    print(json.dumps({"web": ["h1", "h2", "h1"]}))
elif sys.argv[2] == "h1":
    print(json.dumps({"ansible_port": 2222}))
""")
    assert [host.port for host in Inventory.load(path).hosts] == [2222, 22]
    assert Path("asked").read_text() == "--list;--host h1;--host h2;"


def test_it_gets_its_words_as_they_are_and_no_input(script: Callable[[str], str]) -> None:
    path = script("""\
if sys.argv[1] == "--list":
    print(json.dumps({"web": ["h1@$(touch-nothing)" if sys.stdin.read() else "h1"]}))
""")
    assert Inventory.load(path).names == ("h1",)


def test_what_it_says_on_standard_error_is_a_warning(script: Callable[[str], str]) -> None:
    path = script("""\
print("cached\\nold", file=sys.stderr)
print(json.dumps({"web": ["h1"], "_meta": {"hostvars": {}}}))
""")
    assert Inventory.load(path).warnings == (
        "inventory.sh --list: cached",
        "inventory.sh --list: old",
    )


MISTAKES = {
    "fails": (
        "print('no cloud', file=sys.stderr); sys.exit(3)",
        "inventory.sh --list: it ended with status 3: no cloud",
    ),
    "fails silently": ("sys.exit(1)", "inventory.sh --list: it ended with status 1"),
    "is killed": ("os.kill(os.getpid(), 9)", "inventory.sh --list: it ended with status -9"),
    "prints nothing": (
        "",
        "inventory.sh --list: it prints nothing; an inventory as JSON is wanted",
    ),
    "prints something else": (
        "print('web1')",
        "inventory.sh --list: it prints something else than a JSON object",
    ),
    "prints bad JSON": (
        "print('{')",
        "inventory.sh --list:2: this is not JSON: did not find expected node content",
    ),
    "prints bytes": (
        r"os.write(1, b'{}\n\xff')",
        "inventory.sh --list:2: byte 0xff is not UTF-8; save the file as UTF-8",
    ),
    "fails for a host": (
        "print('{\"web\": [\"h1\"]}') if sys.argv[1] == '--list' else sys.exit(2)",
        "inventory.sh --host h1: it ended with status 2",
    ),
    "has a mistake": (
        'print(\'{"web": {"hosts": ["h1"], "vars": {"port": 0}}, "_meta": {}}\')',
        "inventory.sh --list:1: port: the port '0' is not a whole number from 1 to 65535",
    ),
}


@pytest.mark.parametrize(("body", "message"), MISTAKES.values(), ids=MISTAKES)
def test_what_goes_wrong_names_the_script(
    script: Callable[[str], str], body: str, message: str
) -> None:
    with pytest.raises(InventoryError) as caught:
        Inventory.load(script(body))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "goes_on", ["sys.stderr.write('up'); sys.stderr.flush()", "os.close(1); os.close(2)"]
)
def test_a_script_that_does_not_end_is_ended_with_all_that_it_started(
    script: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, goes_on: str
) -> None:
    path = script(f"""\
import time
from subprocess import DEVNULL, Popen
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
child = Popen(sleep, stdout=DEVNULL, stderr=DEVNULL)
open("child", "w").write(str(child.pid))
{goes_on}
time.sleep(600)
""")

    def monotonic() -> float:  # the time is up as soon as there is something to end
        return 1000.0 if Path("child").exists() else 0.0

    monkeypatch.setattr("fleetrun.inventory.script.time", SimpleNamespace(monotonic=monotonic))
    with pytest.raises(InventoryError, match=r"^inventory.sh --list: it did not end within 120 s$"):
        Inventory.load(path)
    child = int(Path("child").read_text())
    until = time.monotonic() + 20
    while is_running(child):
        assert time.monotonic() < until


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{process}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] not in "ZX"


def test_a_script_that_prints_too_much_is_ended(
    script: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleetrun.inventory.script.MAX_BYTES", 1 << 20)
    path = script("while True: print('x' * 10_000)")
    with pytest.raises(InventoryError, match="it prints more than 1 MiB"):
        Inventory.load(path)


def test_a_program_that_cannot_be_run_is_named(write: Write) -> None:
    write({"inventory.sh": "#!/nowhere/python\n"})
    with pytest.raises(InventoryError) as caught:
        Inventory.load("inventory.sh")
    assert str(caught.value) == "inventory.sh --list: it cannot be run: No such file or directory"

"""What a mode comes to."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from dataclasses import replace

import pytest

from fleetrun.errors import UsageError
from fleetrun.executors import Carrier, Mode, Plan, make_plan, mode


@pytest.mark.parametrize(
    ("asked", "forks", "hosts", "workers", "width"),
    [
        pytest.param(Mode.SEQUENTIAL, None, 100, 0, 1, id="sequential"),
        pytest.param(Mode.SEQUENTIAL, 8, 100, 0, 1, id="sequential-is-at-most-any-forks"),
        pytest.param(Mode.THREADS, None, 100, 0, 64, id="threads"),
        pytest.param(Mode.THREADS, 7, 100, 0, 7, id="threads-7"),
        pytest.param(Mode.THREADS, None, 5, 0, 5, id="threads-never-more-than-hosts"),
        pytest.param(Mode.PROCESSES, None, 100, 6, 1, id="processes-twice-the-cores"),
        pytest.param(Mode.PROCESSES, 9, 100, 9, 1, id="processes-9"),
        pytest.param(Mode.PROCESSES, 9, 2, 2, 1, id="processes-never-more-than-hosts"),
        pytest.param(Mode.GREENLETS, None, 1000, 1, 512, id="greenlets"),
        pytest.param(Mode.GREENLETS, 9, 100, 1, 9, id="greenlets-9"),
        pytest.param(Mode.GREENLETS, None, 5, 1, 5, id="greenlets-never-more-than-hosts"),
        pytest.param(Mode.HYBRID, None, 1000, 3, 170, id="hybrid-a-worker-a-core"),
        pytest.param(Mode.HYBRID, 7, 100, 3, 2, id="hybrid-never-more-than-forks"),
        pytest.param(Mode.HYBRID, 2, 100, 2, 1, id="hybrid-2"),
        pytest.param(Mode.HYBRID, None, 4, 3, 2, id="hybrid-shares-few-hosts"),
    ],
)
def test_a_plan_is_workers_and_width(
    asked: Mode,
    forks: int | None,
    hosts: int,
    workers: int,
    width: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mode, "cores", lambda: 3)
    plan = make_plan(asked, forks=forks, hosts=hosts)
    greenlets = asked in {Mode.GREENLETS, Mode.HYBRID}
    carrier = Carrier.GREENLETS if greenlets else Carrier.THREADS
    assert plan == Plan(mode=asked, workers=workers, width=width, carrier=carrier)
    assert plan.at_once == max(1, workers) * width
    assert forks is None or asked is Mode.SEQUENTIAL or plan.at_once <= forks


@pytest.mark.parametrize(
    ("forks", "hosts", "chosen"),
    [
        pytest.param(None, 1, Mode.SEQUENTIAL, id="one-host"),
        pytest.param(1, 5000, Mode.SEQUENTIAL, id="one-at-once"),
        pytest.param(None, 96, Mode.THREADS, id="few-hosts"),
        pytest.param(32, 5000, Mode.THREADS, id="few-at-once"),
        pytest.param(None, 97, Mode.HYBRID, id="many-hosts"),
        pytest.param(64, 5000, Mode.HYBRID, id="many-at-once"),
    ],
)
def test_auto_chooses_by_hosts_and_forks_and_says_why(
    forks: int | None, hosts: int, chosen: Mode
) -> None:
    plan = make_plan(None, forks=forks, hosts=hosts)
    assert plan.mode is chosen
    assert plan.why
    assert plan == replace(make_plan(chosen, forks=forks, hosts=hosts), why=plan.why)


@pytest.mark.parametrize("asked", Mode, ids=str)
@pytest.mark.parametrize("forks", [0, -1])
def test_forks_below_one_are_refused(asked: Mode, forks: int) -> None:
    with pytest.raises(UsageError, match=f"forks is {forks}"):
        make_plan(asked, forks=forks, hosts=3)


def test_threads_fill_the_workers_of_hybrid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mode, "cores", lambda: 2)
    plan = make_plan(Mode.HYBRID, forks=None, hosts=1000, carrier=Carrier.THREADS)
    assert (plan.workers, plan.width, plan.carrier) == (2, 64, Carrier.THREADS)


@pytest.mark.parametrize("asked", [None, *(each for each in Mode if each is not Mode.HYBRID)])
@pytest.mark.parametrize("carrier", Carrier)
def test_no_other_mode_has_a_choice_of_carrier(asked: Mode | None, carrier: Carrier) -> None:
    with pytest.raises(UsageError, match="for the mode hybrid alone"):
        make_plan(asked, forks=None, hosts=3, carrier=carrier)


@pytest.mark.parametrize(
    ("workers", "width", "hosts", "expected"),
    [
        pytest.param(0, 64, 5, (0, 5), id="this-process"),
        pytest.param(0, 64, 500, (0, 64), id="never-wider"),
        pytest.param(4, 100, 2, (2, 1), id="fewer-workers"),
        pytest.param(4, 100, 10, (4, 3), id="shared"),
        pytest.param(4, 100, 0, (0, 1), id="none"),
    ],
)
def test_a_part_of_the_hosts_needs_a_part_of_the_plan(
    workers: int, width: int, hosts: int, expected: tuple[int, int]
) -> None:
    plan = Plan(mode=Mode.HYBRID, workers=workers, width=width).for_some(hosts)
    assert (plan.workers, plan.width) == expected


def run_with_descriptors(soft: int, hard: int, script: str) -> str:
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
    command = [sys.executable, "-c", limit + textwrap.dedent(script)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_the_soft_limit_on_descriptors_is_raised_when_it_is_too_low() -> None:
    said = run_with_descriptors(
        40,
        900,
        """
        from fleetrun.executors import Mode, make_plan
        plan = make_plan(Mode.THREADS, forks=100, hosts=100)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        print(plan.width, plan.note, 300 < soft < hard == 900)
        """,
    )
    assert said == "100 None True\n"


@pytest.mark.parametrize("asked", [Mode.THREADS, Mode.PROCESSES], ids=str)
def test_forty_descriptors_for_a_hundred_hosts_are_fewer_at_once_and_a_note(asked: Mode) -> None:
    said = run_with_descriptors(
        40,
        40,
        f"""
        from fleetrun import Fleet, Host
        from fleetrun.testing import FakeConnect
        hosts = [Host(name=f"h{{number}}") for number in range(100)]
        fleet = Fleet(hosts, mode="{asked}", forks=100, connect=FakeConnect())
        report = fleet.exec("true")
        print(report.ok, len(report), 1 < fleet.plan.at_once < 40, fleet.plan.note, sep="; ")
        """,
    )
    assert said.startswith("True; 100; True; ")
    assert said.endswith("the limit on open files is too low for more (ulimit -n)\n")

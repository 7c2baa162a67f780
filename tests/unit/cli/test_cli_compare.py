from __future__ import annotations

import html
import json
import os
import shlex
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from command_line import CommandLine

from fleetrun.cli import main
from fleetrun.executors import LOCAL_MODES
from fleetrun.results import Phase
from fleetrun.testing import FakeHost

pytestmark = pytest.mark.long

SOME_MODES = ["sequential", "threads", "processes"]


def test_every_mode_is_a_row_with_the_same_hosts(fleetrun: CommandLine) -> None:
    modes = ",".join(SOME_MODES)
    ran = fleetrun("compare", "-i", "h1,h2,", "uptime", "--modes", modes, "--repeat", "1")

    title, *rows = ran.out.split("\n\n")[0].splitlines()
    assert title.split()[:4] == ["mode", "forks", "wall", "s"]
    assert [row.split()[0] for row in rows] == SOME_MODES
    assert [row.split()[-2:] for row in rows] == [["2", "0"]] * 3
    assert ran.err.splitlines()[:5] == [
        "fleetrun: warm-up on h1, not measured",
        "fleetrun: a look at threads, processes and memory in each mode, not measured",
        "fleetrun: sequential: 2 hosts, 1 at once",
        "fleetrun: threads: 2 hosts, 2 at once",
        "fleetrun: processes: 2 hosts, 2 at once",
    ]
    assert ran.code == 0


def test_all_modes_of_this_machine_are_the_default(fleetrun: CommandLine) -> None:
    ran = fleetrun("compare", "-i", "h1,", "uptime", "--repeat", "1", "--format", "json")

    assert [run["mode"] for run in json.loads(ran.out)["runs"]] == list(LOCAL_MODES)


def test_dask_is_compared_where_it_is_named(fleetrun: CommandLine) -> None:
    arguments = ["uptime", "--modes", "hybrid,dask", "--repeat", "1", "--format", "json"]
    ran = fleetrun("compare", "-i", "h1,h2,", *arguments)

    runs = json.loads(ran.out)["runs"]
    assert [(run["mode"], run["ok"], run["peak_overlap"] > 0) for run in runs] == [
        ("hybrid", 2, True),
        ("dask", 2, True),
    ]
    assert min(run["peak_processes"] for run in runs) > 1
    assert ran.code == 0


def test_options_stand_around_the_command_and_never_among_its_words(fleetrun: CommandLine) -> None:
    behind = fleetrun("compare", "uptime", "--modes", "threads", "-f", "1", "-i", "h1,h2,")
    among = fleetrun("compare", "-i", "h1,", "ls", "-la")

    assert "threads: 2 hosts, 1 at once" in behind.err
    assert (among.code, among.out) == (2, "")
    assert "quote the command, or put -- before it" in among.err


def test_the_speedup_is_over_sequential_and_null_without_it(fleetrun: CommandLine) -> None:
    fleetrun.meets({f"h{number}": FakeHost(takes_s=0.05) for number in range(4)})

    def speedups(modes: str) -> dict[str, float | None]:
        arguments = ["-i", "h0,h1,h2,h3,", "nap", "--modes", modes, "--repeat", "1"]
        ran = fleetrun("compare", *arguments, "--format", "json")
        return {run["mode"]: run["speedup"] for run in json.loads(ran.out)["runs"]}

    assert speedups("threads,processes") == {"threads": None, "processes": None}
    with_sequential = speedups("threads,sequential")
    assert with_sequential["sequential"] == 1.0
    assert with_sequential["threads"] is not None


def test_a_run_with_a_failure_is_flagged_and_gets_no_speedup(fleetrun: CommandLine) -> None:
    fleetrun.meets({"h2": FakeHost(exit_status=3), "h3": FakeHost(fails_in=Phase.KEX)})

    ran = fleetrun(
        "compare", "-i", "h1,h2,h3,", "uptime", "--modes", "sequential,threads", "--format", "json"
    )

    runs = json.loads(ran.out)["runs"]
    assert [(run["ok"], run["not_ok"], run["speedup"]) for run in runs] == [(1, 2, None)] * 2
    assert "fleetrun: threads is not comparable: 2 of 3 hosts not ok, first h" in ran.err
    assert ran.code == 4


def test_the_problem_of_a_run_is_shown_where_the_table_is(fleetrun: CommandLine) -> None:
    fleetrun.meets({"h1": FakeHost(exit_status=3)})

    ran = fleetrun("compare", "-i", "h1,", "uptime", "--modes", "threads")

    assert ran.out.splitlines()[1].split()[-2:] == ["0", "1"]
    assert (
        "fleetrun: threads is not comparable: 1 of 1 hosts not ok, "
        "first h1: failed in run: exit status 3\n"
    ) in ran.err
    assert ran.code == 1


def test_keys_that_nobody_checks_are_warned_of(fleetrun: CommandLine) -> None:
    ran = fleetrun("compare", "-i", "h1,", "--host-keys", "off", "uptime", "--modes", "threads")

    assert ran.err.startswith("fleetrun: warning: the keys of 1 of 1 hosts are not checked")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["-i", "h1,", "uptime", "--modes", "thread"], id="no such mode"),
        pytest.param(["-i", "h1,", "-l", "h2", "uptime"], id="no such host"),
        pytest.param(["-i", "h1,", "   "], id="no command"),
        pytest.param(["uptime"], id="no inventory"),
        pytest.param(["-i", "h1,", "uptime", "--forks", "0"], id="no forks"),
        pytest.param(["-i", "h1,", "uptime", "--forks", "4,many"], id="no number of forks"),
        pytest.param(["-i", "h1,", "uptime", "--repeat", "0"], id="no rounds"),
        pytest.param(["-i", "h1,"], id="no words at all"),
        pytest.param(["-i", "h1,", "uptime", "--workload", "wait"], id="two pieces of work"),
        pytest.param(["-i", "h1,", "--workload", "sleep"], id="no such workload"),
        pytest.param(["-i", "h1,", "uptime", "--html", "no/such/folder.html"], id="no folder"),
    ],
)
def test_what_cannot_be_compared_is_a_mistake_in_the_call(
    arguments: list[str], fleetrun: CommandLine
) -> None:
    ran = fleetrun("compare", *arguments)

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("fleetrun: error: ")


def test_a_signal_ends_the_comparison_and_keeps_the_runs_that_are_there(
    fleetrun: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = tmp_path / "begun"
    fleetrun.meets({"h1": FakeHost(), "h2": FakeHost(takes_s=600, log=begun)})

    def interrupt() -> None:
        while not begun.exists():
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    monkeypatch.setattr("fleetrun.cli.compare_modes.can_look", lambda: False)
    ran = fleetrun("compare", "-i", "h1,h2,h3,", "uptime", "--format", "json")
    thread.join()

    (run,) = json.loads(ran.out)["runs"]
    assert (run["mode"], run["ok"], run["not_ok"]) == ("sequential", 1, 2)
    assert "sequential is not comparable: 2 of 3 hosts not ok" in ran.err
    assert ran.code == 130


def test_a_signal_before_the_first_round_leaves_nothing_to_show(
    fleetrun: CommandLine, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    fleetrun.meets({"h1": FakeHost(takes_s=600, log=begun)})

    def interrupt() -> None:
        while not begun.exists():
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    ran = fleetrun("compare", "-i", "h1,", "uptime", "--html", "report.html")
    thread.join()

    assert (ran.code, ran.out) == (130, "")
    assert "fleetrun: it was stopped before anything was measured" in ran.err
    assert not Path("report.html").exists()


def test_a_table_that_cannot_be_written_is_no_success(
    fleetrun: CommandLine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    fleetrun.meets({})
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)

        code = main(["compare", "-i", "h1,", "uptime", "--modes", "threads"])

    assert code == 1
    assert "No space left on device" in capfd.readouterr().err


def test_each_mode_is_measured_at_each_width_in_rounds(fleetrun: CommandLine) -> None:
    ran = fleetrun(
        *("compare", "-i", "h1,h2,h3,", "uptime", "--modes", "sequential,threads"),
        *("--forks", "2,8", "--repeat", "2", "--format", "json"),
    )

    runs = json.loads(ran.out)["runs"]
    widths = [(run["mode"], run["forks"], len(run["rounds"])) for run in runs]
    assert widths == [("sequential", 1, 2), ("threads", 2, 2), ("threads", 3, 2)]


@pytest.mark.parametrize("there", [True, False], ids=["with psutil", "without"])
def test_peaks_are_there_with_psutil_and_dashes_without_it_which_is_said_once(
    fleetrun: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    there: bool,  # noqa: FBT001 (a row of the table)
) -> None:
    if there:
        pytest.importorskip("psutil", reason="psutil comes with the extra report")
    monkeypatch.setattr("fleetrun.cli.compare_modes.can_look", lambda: there)

    ran = fleetrun("compare", "-i", "h1,", "uptime", "--modes", "threads", "--repeat", "2")

    _, cost, *_ = ran.out.split("\n\n")
    known = [cell.isdigit() for cell in cost.splitlines()[1].split()[-4:]]
    assert known == [there] * 4
    assert ran.err.count("psutil") == (0 if there else 1)


def test_a_workload_stands_in_the_place_of_a_command(fleetrun: CommandLine) -> None:
    log = Path("log").absolute()
    fleetrun.meets({"h1": FakeHost(log=log)})

    ran = fleetrun(
        *("compare", "-i", "h1,", "--workload", "cpu-local 1", "--modes", "threads"),
        *("--repeat", "1", "--format", "json"),
    )

    document = json.loads(ran.out)
    assert document["work"] == "cpu-local: each result is worked on here for 1 ms"
    assert document["runs"][0]["ok"] == 1
    assert log.exists()


def test_the_report_is_written_beside_the_table_and_shows_the_call(fleetrun: CommandLine) -> None:
    ran = fleetrun(
        *("compare", "-i", "h1,", "echo 'a b'", "--modes", "threads", "--repeat", "1"),
        *("--html", "report.html"),
    )

    page = html.unescape(Path("report.html").read_text())
    call = ["compare", "-i", "h1,", "echo 'a b'", "--modes", "threads", "--repeat", "1"]
    assert shlex.join(["fleetrun", *call, "--html", "report.html"]) in page
    assert ran.out.startswith("mode")
    assert "fleetrun: the report is in report.html" in ran.err


def test_the_timeline_is_drawn_when_it_is_asked_for(fleetrun: CommandLine) -> None:
    arguments = ["compare", "-i", "h1,h2,", "uptime", "--modes", "threads", "--repeat", "1"]

    assert "\nthreads, 2 at once, " in fleetrun(*arguments, "--timeline").out
    assert "\nthreads, 2 at once, " not in fleetrun(*arguments).out


def test_the_table_ends_with_what_it_means(fleetrun: CommandLine) -> None:
    fleetrun.meets({f"h{number}": FakeHost(takes_s=0.05) for number in range(8)})
    hosts = "".join(f"h{number}," for number in range(8))

    ran = fleetrun(
        *("compare", "-i", hosts, "nap", "--modes", "sequential,threads", "--repeat", "2")
    )

    *_, paragraph = ran.out.split("\n\n")
    assert any(said in paragraph for said in ("Fastest: ", "A draw "))

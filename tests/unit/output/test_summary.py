from __future__ import annotations

import io

import pytest

from fleetrun.output import Summary, Writer
from fleetrun.output.summary import MOST_NAMES
from fleetrun.results import Outcome, Phase, Report, Result, not_run


def ok(host: str) -> Result:
    return Result(
        host=host,
        outcome=Outcome.OK,
        phase=Phase.RUN,
        seconds=0.31,
        phase_seconds={Phase.CONNECT: 0.01, Phase.RUN: 0.3},
    )


def unreachable(host: str, error: str = "connection refused") -> Result:
    return Result(host=host, outcome=Outcome.UNREACHABLE, phase=Phase.CONNECT, error=error)


def summary(
    *results: Result,
    quiet: bool = False,
    verbose: bool = False,
    coloured: bool = False,
    wall_seconds: float = 4.2,
) -> str:
    err = io.BytesIO()
    sink = Summary(Writer(file=err, coloured=coloured), quiet=quiet, verbose=verbose)
    sink.close(Report(results=results, wall_seconds=wall_seconds))
    return err.getvalue().decode()


def test_when_all_is_well_one_line_says_so() -> None:
    assert summary(ok("web1"), ok("web2")) == "2 hosts: 2 ok in 4.2 s\n"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.044, "0.04"), (1.0, "1.0"), (83.26, "83.3")], ids=str
)
def test_the_time_has_as_many_digits_as_matter(seconds: float, shown: str) -> None:
    assert summary(ok("web1"), wall_seconds=seconds) == f"1 host: 1 ok in {shown} s\n"


def test_each_failure_says_where_and_why_before_the_counts() -> None:
    failed = Result(host="web3", outcome=Outcome.FAILED, phase=Phase.RUN, error="exit status 3")

    assert summary(ok("web1"), failed, unreachable("db1"), not_run("db2", "cancelled")) == (
        "web3: failed in run: exit status 3\n"
        "db1: unreachable in connect: connection refused\n"
        "db2: not run: cancelled\n"
        "4 hosts: 1 ok, 1 failed, 1 unreachable, 1 not run in 4.2 s\n"
    )


def test_hosts_that_failed_alike_share_a_line() -> None:
    shown = summary(unreachable("db1"), unreachable("db2", "no route"), unreachable("db3"))

    assert shown.splitlines()[:-1] == [
        "db1, db3: unreachable in connect: connection refused",
        "db2: unreachable in connect: no route",
    ]


@pytest.mark.parametrize(
    ("more", "tail"), [(0, "web10"), (1, "web10 and 1 more")], ids=["just fits", "one too many"]
)
def test_a_line_names_so_many_hosts_and_counts_the_rest(more: int, tail: str) -> None:
    hosts = [unreachable(f"web{number + 1}") for number in range(MOST_NAMES + more)]

    assert summary(*hosts).startswith(
        f"web1, web2, web3, web4, web5, web6, web7, web8, web9, {tail}: unreachable"
    )


def test_verbose_names_every_host() -> None:
    hosts = [unreachable(f"web{number}") for number in range(MOST_NAMES + 5)]

    assert "more" not in summary(*hosts, verbose=True)


def test_a_command_that_may_still_run_is_flagged() -> None:
    late = Result(
        host="web1",
        outcome=Outcome.TIMEOUT,
        phase=Phase.RUN,
        error="no end within 5 s",
        may_still_run=True,
    )

    assert summary(late).startswith("web1: timeout in run: no end within 5 s (it may still run)\n")


def test_verbose_tells_each_hosts_seconds_by_phase() -> None:
    assert summary(ok("web1"), verbose=True).startswith(
        "web1: ok in 0.31 s (connect 0.010, run 0.300)\n"
    )


def test_quiet_is_silent_when_all_is_well_and_only_then() -> None:
    assert not summary(ok("web1"), quiet=True)
    assert summary(ok("web1"), unreachable("db1"), quiet=True) == summary(
        ok("web1"), unreachable("db1")
    )


def test_the_servers_words_cannot_steer_a_terminal_or_begin_a_line() -> None:
    shown = summary(unreachable("db1", "it said \x1b]0;x\x07\nweb1: ok"))

    assert shown.splitlines()[0] == (
        r"db1: unreachable in connect: it said \x1b]0;x\x07\x0aweb1: ok"
    )


def test_only_the_outcome_is_coloured() -> None:
    assert summary(unreachable("db1"), coloured=True).startswith(
        "db1: \x1b[31munreachable\x1b[0m in connect: connection refused\n"
    )

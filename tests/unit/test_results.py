"""Results and reports: exactly one result a host, whatever order they come in."""

from __future__ import annotations

import dataclasses
import pickle
import random
from typing import Any

import pytest

from fleetrun.results import Outcome, Phase, Report, Result, Stream, not_run


def result(
    host: str = "web1",
    outcome: Outcome = Outcome.OK,
    **fields: Any,  # noqa: ANN401 (Result's)
) -> Result:
    """Return a result."""
    return dataclasses.replace(Result(host=host, outcome=outcome), **fields)


# --- one result ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome.OK, 0),
        (Outcome.FAILED, 1),
        (Outcome.TIMEOUT, 1),
        (Outcome.NOT_RUN, 1),
        (Outcome.UNREACHABLE, 4),
        (Outcome.LOST, 4),
    ],
    ids=str,
)
def test_an_outcome_leads_to_an_exit_code(outcome: Outcome, code: int) -> None:
    assert outcome.exit_code == code
    assert result(outcome=outcome).ok == (code == 0)


def test_the_outcomes_and_phases_are_closed() -> None:
    assert list(Outcome) == ["ok", "failed", "timeout", "unreachable", "lost", "not_run"]
    assert list(Phase) == [
        *("resolve", "connect", "banner", "kex", "hostkey", "auth"),
        *("session", "exec", "run", "transfer"),
    ]
    assert list(Stream) == ["stdout", "stderr"]


@pytest.mark.parametrize(
    ("kept", "total", "cut"),
    [((b"", b""), (0, 0), False), ((b"ab", b"c"), (2, 1), False), ((b"ab", b"c"), (2, 9), True)],
    ids=["nothing", "all of it", "stderr cut"],
)
def test_a_result_tells_whether_output_was_cut(
    kept: tuple[bytes, bytes], total: tuple[int, int], *, cut: bool
) -> None:
    (stdout, stderr), (stdout_bytes, stderr_bytes) = kept, total
    whole = result(stdout=stdout, stderr=stderr)
    sizes: dict[str, Any] = {"stdout_bytes": stdout_bytes, "stderr_bytes": stderr_bytes}
    assert dataclasses.replace(whole, **sizes).truncated is cut


@pytest.mark.parametrize(
    ("stdout", "text"),
    [
        (b"", ""),
        (b"up 3 days\n", "up 3 days"),
        (b"a\n\nb\n\n", "a\n\nb"),
        (b" kept \n", " kept "),
        ("grüße\n".encode(), "grüße"),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
    ids=["nothing", "a line", "lines", "spaces", "UTF-8", "no text"],
)
def test_text_is_the_output_without_its_last_newlines(stdout: bytes, text: str) -> None:
    assert result(stdout=stdout).text == text


def test_a_host_that_was_never_begun_has_a_result_of_its_own() -> None:
    never = not_run("web1", "cancelled")
    assert (never.outcome, never.error) == (Outcome.NOT_RUN, "cancelled")
    assert (never.phase, never.started_at_s, never.attempts) == (None, None, 0)


def test_a_result_crosses_process_boundaries_whole() -> None:
    whole = result(stdout=b"\0", phase=Phase.RUN, phase_seconds={Phase.RUN: 0.5}, killed=False)
    assert pickle.loads(pickle.dumps(whole)) == whole  # noqa: S301 (our own)


# --- a report ------------------------------------------------------------------------------------

NAMES = [f"web{number}" for number in range(20)]


def test_results_stand_in_the_order_of_the_hosts() -> None:
    results = [result(name) for name in NAMES]
    random.Random(0).shuffle(results)  # noqa: S311 (only an order)
    report = Report.of(NAMES, results, wall_seconds=1.5)
    assert [each.host for each in report] == NAMES
    assert (len(report), report.wall_seconds) == (20, 1.5)
    assert report["web7"].host == "web7"


@pytest.mark.parametrize(
    ("results", "words"),
    [
        (["a"], "do not match: ['b']"),
        (["a", "b", "c"], "do not match: ['c']"),
        (["a", "b", "a"], "'a' has two results"),
        ([], "do not match: ['a', 'b']"),
    ],
    ids=["one missing", "one invented", "one twice", "none"],
)
def test_a_lost_or_invented_result_is_a_bug(results: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=r"two results|do not match") as wrong:
        Report.of(["a", "b"], map(result, results))
    assert words in str(wrong.value)


def test_a_report_counts_every_outcome() -> None:
    outcomes = [Outcome.OK, Outcome.OK, Outcome.LOST]
    report = Report.of("abc", [result(h, o) for h, o in zip("abc", outcomes, strict=True)])
    assert report.counts == {
        Outcome.OK: 2,
        Outcome.FAILED: 0,
        Outcome.TIMEOUT: 0,
        Outcome.UNREACHABLE: 0,
        Outcome.LOST: 1,
        Outcome.NOT_RUN: 0,
    }
    assert [each.host for each in report.failed] == ["c"]
    assert not report.ok


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([], 0),
        ([Outcome.OK], 0),
        ([Outcome.OK, Outcome.FAILED], 1),
        ([Outcome.LOST, Outcome.FAILED, Outcome.OK], 4),
        ([Outcome.UNREACHABLE, Outcome.NOT_RUN], 4),
    ],
    ids=["nobody", "ok", "failed", "lost", "unreachable"],
)
def test_the_exit_code_is_the_worst_of_all(outcomes: list[Outcome], code: int) -> None:
    names = [str(number) for number in range(len(outcomes))]
    report = Report.of(names, [result(n, o) for n, o in zip(names, outcomes, strict=True)])
    assert report.exit_code == code
    assert report.ok == (code == 0)


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ([], 0),
        ([(Outcome.OK, 0), (Outcome.FAILED, 3), (Outcome.FAILED, 2)], 3),
        ([(Outcome.FAILED, 3), (Outcome.UNREACHABLE, None)], 4),
        ([(Outcome.FAILED, 7), (Outcome.LOST, None)], 7),
        ([(Outcome.FAILED, None), (Outcome.OK, 0)], 1),
        ([(Outcome.FAILED, 300)], 255),
    ],
    ids=["nobody", "the largest", "one unreachable", "one lost", "no status", "more than can be"],
)
def test_the_largest_status_is_that_of_a_command_that_failed(
    results: list[tuple[Outcome, int | None]], code: int
) -> None:
    each = [
        Result(host=str(number), outcome=outcome, exit_status=status)
        for number, (outcome, status) in enumerate(results)
    ]
    assert Report(results=tuple(each)).max_rc == code


def test_a_host_that_is_not_in_the_report_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="web9"):
        Report(results=(result(),))["web9"]

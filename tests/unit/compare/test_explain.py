from __future__ import annotations

import dataclasses

import pytest
from made_runs import IDLE, made_run

from fleetrun.compare.explain import Cause, findings
from fleetrun.runs import START, Run

SEQUENTIAL = made_run("sequential", [8.3, 8.2, 8.4], forks=1, cpu_s=0.1)
COMPUTING = made_run("sequential", [8.3, 8.2, 8.4], forks=1, cpu_s=6.0)
"""Sequential runs of 16 hosts that wait, and that compute here, for most of their half second."""


def told(*runs: Run, cores: int = 2, load: float = 0.1) -> dict[Cause, str]:
    machine = dataclasses.replace(IDLE, cores=cores, load=load)
    found = findings(faster(runs), machine)
    assert len({finding.cause for finding in found}) == len(found)
    return {finding.cause: finding.sentence for finding in found}


def faster(runs: tuple[Run, ...]) -> list[Run]:
    """Give the runs the speed-up that their figures say."""
    base = next((run for run in runs if run.mode == "sequential"), None)
    if base is None:
        return list(runs)
    return [dataclasses.replace(run, speedup=base.wall_seconds / run.wall_seconds) for run in runs]


def test_waiting_that_overlaps_is_named_with_its_share_and_the_cores_that_it_takes() -> None:
    threads = made_run("threads", [0.55, 0.54, 0.56], cpu_s=0.06)

    causes = told(SEQUENTIAL, threads)

    assert list(causes) == [Cause.FASTEST, Cause.WAITING]
    assert causes[Cause.FASTEST] == "Fastest: threads, 0.55 s, 15.1 times as fast as sequential."
    assert causes[Cause.WAITING] == (
        "99% of each session is waiting, and in threads it overlaps: 16 hosts at once, for which "
        "11% of one core is enough."
    )


def test_without_a_sequential_run_the_waiting_is_known_from_threads() -> None:
    threads = made_run("threads", [1.0, 1.0], cpu_s=0.8)
    processes = made_run("processes", [2.0, 2.0], workers=16, cpu_s=3.0, start_s=0.1)

    assert "90% of each session is waiting" in told(threads, processes)[Cause.WAITING]


def test_threads_that_compute_in_one_interpreter_are_told_from_processes_that_do_not() -> None:
    threads = made_run("threads", [6.4, 6.3, 6.5], cpu_s=6.2, host_s=6.0)
    processes = made_run(
        "processes", [4.4, 4.3, 4.5], forks=4, workers=4, cpu_s=7.0, host_s=0.8, start_s=0.3
    )

    causes = told(COMPUTING, threads, processes)

    assert Cause.WAITING not in causes
    assert causes[Cause.ONE_INTERPRETER] == (
        "Python computes in one thread of a process at a time (the GIL): threads had 16 hosts at "
        "once and kept 1.0 cores busy, processes with 4 processes 1.6."
    )


def test_one_interpreter_is_no_limit_where_there_is_one_core() -> None:
    threads = made_run("threads", [6.4, 6.3, 6.5], cpu_s=6.2, host_s=6.0)

    causes = told(COMPUTING, threads, cores=1)

    assert Cause.ONE_INTERPRETER not in causes
    assert "the one core was busy (1.0)" in causes[Cause.PROCESSORS]


def test_processors_that_are_all_busy_are_the_limit() -> None:
    hybrid = made_run("hybrid", [4.0, 4.1, 4.2], workers=2, cpu_s=8.0, host_s=3.0, start_s=0.3)

    assert told(COMPUTING, hybrid)[Cause.PROCESSORS] == (
        "In hybrid, 2 of 2 cores were busy (2.0): this machine's processors are its limit."
    )


def test_a_start_of_the_workers_that_takes_much_of_the_time_is_named_with_its_price() -> None:
    threads = made_run("threads", [0.55, 0.54, 0.56], cpu_s=0.06)
    processes = made_run(
        "processes", [2.6, 2.5, 2.7], forks=4, workers=4, cpu_s=1.14, start_s=1.3, host_s=0.3
    )

    causes = told(SEQUENTIAL, threads, processes)

    assert causes[Cause.START_UP] == (
        "In processes, 1.30 of 2.60 s pass until its 4 workers are at work: each pays 0.27 s of "
        "processor time to start."
    )


def test_a_start_that_is_short_beside_the_work_is_not_told() -> None:
    greenlets = made_run("greenlets", [9.0, 9.1], workers=1, cpu_s=0.6, host_s=8.0, start_s=0.4)

    assert Cause.START_UP not in told(SEQUENTIAL, greenlets)


def test_workers_that_are_busy_with_starting_are_not_a_machine_that_is_too_small() -> None:
    processes = made_run("processes", [3.8, 3.9], workers=16, cpu_s=7.0, start_s=3.0, host_s=0.5)

    causes = told(SEQUENTIAL, processes)

    assert Cause.START_UP in causes
    assert Cause.PROCESSORS not in causes


def test_a_width_that_is_less_than_the_hosts_is_named_with_its_turns() -> None:
    threads = made_run("threads", [2.1, 2.0, 2.2], forks=4, cpu_s=0.06)

    causes = told(SEQUENTIAL, threads)

    assert causes[Cause.NARROW] == (
        "With 4 hosts at once, threads takes 4 turns for 16, and 0.03 cores are busy: more forks "
        "would overlap more."
    )


@pytest.mark.parametrize(
    "others",
    [
        pytest.param([made_run("threads", [0.55, 0.54], cpu_s=0.06)], id="wide enough"),
        pytest.param(
            [
                made_run("threads", [2.1, 2.0], forks=4, cpu_s=0.06),
                made_run("threads", [0.55, 0.54], cpu_s=0.06),
            ],
            id="wider ones were measured too",
        ),
        pytest.param([made_run("threads", [2.1, 2.0], forks=4, cpu_s=1.9)], id="the core is busy"),
    ],
)
def test_a_width_is_not_blamed_where_more_would_not_help_or_was_tried(others: list[Run]) -> None:
    assert Cause.NARROW not in told(SEQUENTIAL, *others)


def test_hosts_that_get_slow_together_while_this_side_idles_are_the_limit() -> None:
    threads = made_run("threads", [4.1, 4.0, 4.2], cpu_s=0.2, host_s=3.0)

    assert told(SEQUENTIAL, threads)[Cause.HOSTS] == (
        "A host takes 6.0 times as long in threads as alone, while 0.05 of 2 cores are busy here: "
        "the hosts, or the way to them, are its limit."
    )


def test_hosts_are_not_blamed_for_the_start_of_the_worker_that_works_on_them() -> None:
    processes = made_run("processes", [4.1, 4.0], workers=16, cpu_s=0.2, host_s=3.0)
    spans = tuple(
        dataclasses.replace(span, phases=((START, 2.5), ("run", 0.5)))
        for span in processes.rounds[0].spans
    )
    rounds = tuple(dataclasses.replace(each, spans=spans) for each in processes.rounds)

    causes = told(SEQUENTIAL, dataclasses.replace(processes, rounds=rounds))

    assert Cause.HOSTS not in causes
    assert Cause.START_UP in causes


def test_hosts_are_not_blamed_while_this_side_computes() -> None:
    threads = made_run("threads", [4.1, 4.0, 4.2], cpu_s=4.0, host_s=3.0)

    assert Cause.HOSTS not in told(COMPUTING, threads)


def test_rounds_that_overlap_are_a_draw() -> None:
    threads = made_run("threads", [0.55, 0.50, 0.60], cpu_s=0.06)
    greenlets = made_run("greenlets", [0.58, 0.57, 0.66], workers=1, cpu_s=0.06, start_s=0.01)

    causes = told(SEQUENTIAL, threads, greenlets)

    assert Cause.FASTEST not in causes
    assert causes[Cause.DRAW] == (
        "A draw between threads and greenlets: their rounds overlap, at 0.50 to 0.60 and 0.57 to "
        "0.66 s, 15.1 times as fast as sequential."
    )


def test_a_draw_with_sequential_is_no_gain_over_it() -> None:
    threads = made_run("threads", [8.1, 8.35], cpu_s=0.06)

    assert told(SEQUENTIAL, threads)[Cause.DRAW].endswith("8.10 to 8.35 and 8.20 to 8.40 s.")


def test_one_round_names_no_fastest_beyond_that_round_and_is_unfair() -> None:
    causes = told(made_run("sequential", [8.3], forks=1), made_run("threads", [0.55], cpu_s=0.06))

    assert causes[Cause.FASTEST].startswith("Fastest in its one round: threads, 0.55 s")
    assert "one round of each" in causes[Cause.UNFAIR]


def test_what_is_unfair_comes_first() -> None:
    threads = made_run("threads", [0.55, 0.54, 0.56], cpu_s=0.06)

    causes = told(SEQUENTIAL, threads, load=7.5)

    assert next(iter(causes)) is Cause.UNFAIR
    assert causes[Cause.UNFAIR] == (
        "Take this with care, for the comparison is not fair: the machine was busy before the "
        "first run: a load of 7.5 on 2 cores."
    )


def test_where_no_run_did_the_work_nothing_is_claimed_but_that() -> None:
    threads = made_run("threads", [0.01, 0.01], not_ok=16)

    assert list(told(threads)) == [Cause.UNFAIR]


def test_a_run_that_did_not_do_the_work_is_never_the_fastest() -> None:
    refused = made_run("greenlets", [0.01, 0.01], workers=1, not_ok=16)
    threads = made_run("threads", [0.55, 0.54], cpu_s=0.06)

    assert told(SEQUENTIAL, threads, refused)[Cause.FASTEST].startswith("Fastest: threads")


def test_widths_are_named_where_a_mode_has_several() -> None:
    causes = told(
        made_run("threads", [2.1, 2.0], forks=4, cpu_s=0.06),
        made_run("threads", [0.55, 0.54], cpu_s=0.06),
    )

    assert causes[Cause.FASTEST] == "Fastest: threads/16, 0.55 s."


def test_what_the_system_does_not_tell_is_not_made_up() -> None:
    causes = told(
        made_run("sequential", [8.3, 8.2], forks=1, cpu_s=None),
        made_run("threads", [0.55, 0.54], cpu_s=None),
    )

    assert list(causes) == [Cause.FASTEST]

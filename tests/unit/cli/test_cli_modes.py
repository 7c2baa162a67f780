from __future__ import annotations

import click
import pytest

from fleetrun.cli.modes import complete_modes, modes
from fleetrun.executors import LOCAL_MODES, Mode


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("all", LOCAL_MODES),
        ("threads", (Mode.THREADS,)),
        ("threads,sequential", (Mode.THREADS, Mode.SEQUENTIAL)),
        ("hybrid,dask", (Mode.HYBRID, Mode.DASK)),
        ("sequential, processes", (Mode.SEQUENTIAL, Mode.PROCESSES)),
    ],
)
def test_modes_keep_the_order_given(text: str, meant: tuple[Mode, ...]) -> None:
    assert modes(text) == meant


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("thread", "'thread' is no mode; there are sequential, threads, "),
        ("threads,", "'' is no mode"),
        ("", "'' is no mode"),
        ("all,threads", "'all' is no mode"),
        ("threads,threads", "'threads' is there twice"),
    ],
)
def test_what_is_no_list_of_different_modes_is_refused(text: str, why: str) -> None:
    with pytest.raises(click.BadParameter) as refused:
        modes(text)

    assert refused.value.message.startswith(why)


@pytest.mark.parametrize(
    ("begun", "offered"),
    [
        ("", list(Mode)),
        ("t", ["threads"]),
        ("threads,", [f"threads,{mode}" for mode in Mode if mode is not Mode.THREADS]),
        ("threads,sequential,p", ["threads,sequential,processes"]),
        ("x", []),
    ],
)
def test_completion_offers_the_modes_that_are_not_there_yet(begun: str, offered: list[str]) -> None:
    command = click.Command("compare")

    assert complete_modes(click.Context(command), click.Option(["--modes"]), begun) == offered

from __future__ import annotations

import click
import pytest

from fleetrun.cli.workloads import workload
from fleetrun.compare import Kind, Workload
from fleetrun.compare.workloads import DEFAULTS


@pytest.mark.parametrize("kind", Kind, ids=str)
def test_a_name_alone_means_the_usual_amount(kind: Kind) -> None:
    assert workload(kind) == DEFAULTS[kind]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("wait=0.5", Workload(kind=Kind.WAIT, seconds=0.5)),
        ("wait 250ms", Workload(kind=Kind.WAIT, seconds=0.25)),
        ("cpu-local 20", Workload(kind=Kind.CPU_LOCAL, seconds=0.02)),
        ("cpu-local=20ms", Workload(kind=Kind.CPU_LOCAL, seconds=0.02)),
        ("cpu-local=2s", Workload(kind=Kind.CPU_LOCAL, seconds=2.0)),
        ("cpu-remote=5000", Workload(kind=Kind.CPU_REMOTE, turns=5000)),
        ("transfer=500", Workload(kind=Kind.TRANSFER, size_bytes=500)),
        ("transfer 100k", Workload(kind=Kind.TRANSFER, size_bytes=100_000)),
        ("transfer=10M", Workload(kind=Kind.TRANSFER, size_bytes=10_000_000)),
        ("transfer=1GB", Workload(kind=Kind.TRANSFER, size_bytes=1_000_000_000)),
    ],
)
def test_the_amount_stands_behind_the_name(text: str, meant: Workload) -> None:
    assert workload(text) == meant


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "'' is no workload; there are wait, cpu-remote, "),
        ("waiting", "'waiting' is no workload"),
        ("wait=soon", "'soon' is not a time"),
        ("wait=0", "work that takes no time"),
        ("cpu-local=0", "work that takes no time"),
        ("cpu-remote=1.5", "'1.5' is no number of turns"),
        ("cpu-remote=0", "'0' is no number of turns"),
        ("transfer=big", "'big' is not a size such as"),
        ("transfer=0", "'0' is not a size such as"),
        ("mixed=2", "mixed takes no amount"),
    ],
)
def test_what_is_no_workload_is_refused(text: str, why: str) -> None:
    with pytest.raises(click.BadParameter) as refused:
        workload(text)

    assert refused.value.message.startswith(why)

"""Figures of the experiments as SVG, drawn with matplotlib (the extra `report`).

    rows of panels ─► drawn ─► FILE.svg

Light background, text as text, nothing fetched; the same findings give the same file.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleetrun.errors import DependencyError

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = (
    "#2c6fbb",
    "#d9822b",
    "#3a9d5d",
    "#b8405e",
    "#7b5ea7",
    "#4d9fa8",
    "#8a6d3b",
    "#5f6670",
    "#111111",
)
"""One for each series, in its order; told apart also in shades of grey."""

PALE = "#d8dce2"
"""For what is there but is not the point: waiting, a frame."""

_STYLE: Any = {
    "font.family": ["DejaVu Sans", "sans-serif"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.axisbelow": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "fleetrun",
}
_METADATA = {"Date": None, "Creator": "fleetrun"}


def check_drawable() -> None:
    """Raise `DependencyError` when figures cannot be drawn; to be called before the measuring."""
    if importlib.util.find_spec("matplotlib") is None:
        raise DependencyError("a figure needs matplotlib: pip install 'fleetrun[report]'")


@contextlib.contextmanager
def drawn(
    path: Path, *, title: str, rows: int = 1, columns: int = 1, inches: tuple[float, float]
) -> Iterator[list[Axes]]:
    """Yield the panels of a figure, row by row, to be filled; then write the figure to the path.

    Raises `OSError` when it cannot be written.
    """
    import matplotlib as mpl  # noqa: PLC0415 (slow, and few runs draw)
    from matplotlib.figure import Figure  # noqa: PLC0415

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=inches, layout="constrained", facecolor="white")
        panels = figure.subplots(rows, columns, squeeze=False)
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        yield list(panels.flat)
        _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, format="svg", metadata=_METADATA)
    text = path.read_text(encoding="utf-8")
    path.write_text("\n".join(map(str.rstrip, text.splitlines())) + "\n", encoding="utf-8")


def bars(
    panel: Axes,
    names: list[str],
    series: dict[str, list[float | None]],
    *,
    label: str,
    form: str = "{:.3g}",
    log: bool = False,
    show_names: bool = True,
) -> None:
    """Fill a panel with lying bars: for each name one of every series; None leaves a gap.

    Args:
        panel: the panel.
        names: from top to bottom.
        series: for each one its values, in the order of the names.
        label: what the values are, with their unit.
        form: how a value is written at the end of its bar.
        log: whether the scale is logarithmic.
        show_names: whether the names stand beside the bars.
    """
    high = 0.8 / len(series)
    for number, (called, values) in enumerate(series.items()):
        places = [place + (number - (len(series) - 1) / 2) * high for place in range(len(names))]
        there = [
            (place, value)
            for place, value in zip(places, values, strict=True)
            if value is not None and (value > 0 or not log)
        ]
        drawn_bars = panel.barh(
            [place for place, _ in there],
            [value for _, value in there],
            height=high,
            color=COLOURS[number],
            label=called,
        )
        panel.bar_label(drawn_bars, fmt=form, padding=2, fontsize=7)
    panel.margins(x=0.12)
    panel.set_yticks(range(len(names)), names if show_names else [""] * len(names))
    panel.set_ylim(len(names) - 0.5, -0.5)
    panel.tick_params(axis="y", length=0)
    if log:
        panel.set_xscale("log")
        panel.minorticks_off()
        panel.xaxis.set_major_formatter("{x:g}")
    panel.set_xlabel(label)
    panel.grid(visible=True, axis="x", color=PALE, linewidth=0.6)


def legend(panel: Axes, handles: list[Artist] | None = None, *, columns: int = 4) -> None:
    """Explain the series of a panel, or what is handed in, beside the title of the figure."""
    figure = panel.get_figure(root=True)
    assert figure is not None  # noqa: S101 (a panel is part of one)
    shown = panel.get_legend_handles_labels()[0] if handles is None else handles
    figure.legend(
        handles=shown,
        ncols=min(len(shown), columns),
        loc="outside upper right",
        frameon=False,
        fontsize=8,
    )

from __future__ import annotations

import pytest

from fleetrun.output.color import Color, host_color, wants_color

NOWHERE: dict[str, str] = {}


@pytest.mark.parametrize(
    ("choice", "is_terminal", "environ", "wanted"),
    [
        pytest.param(Color.AUTO, True, {}, True, id="terminal"),
        pytest.param(Color.AUTO, False, {}, False, id="pipe"),
        pytest.param(Color.AUTO, True, {"TERM": "dumb"}, False, id="dumb terminal"),
        pytest.param(Color.AUTO, True, {"NO_COLOR": "1"}, False, id="NO_COLOR"),
        pytest.param(Color.AUTO, True, {"NO_COLOR": ""}, True, id="empty NO_COLOR is none"),
        pytest.param(Color.AUTO, False, {"CLICOLOR_FORCE": "1"}, True, id="CLICOLOR_FORCE"),
        pytest.param(Color.AUTO, False, {"CLICOLOR_FORCE": "0"}, False, id="CLICOLOR_FORCE=0"),
        pytest.param(
            Color.AUTO, True, {"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, False, id="NO_COLOR wins"
        ),
        pytest.param(Color.ALWAYS, False, {"NO_COLOR": "1"}, True, id="always beats all"),
        pytest.param(Color.NEVER, True, {"CLICOLOR_FORCE": "1"}, False, id="never beats all"),
    ],
)
def test_the_option_then_the_environment_then_the_terminal_decides_on_color(
    *, choice: Color, is_terminal: bool, environ: dict[str, str], wanted: bool
) -> None:
    assert wants_color(choice, is_terminal=is_terminal, environ=environ) is wanted


def test_a_host_keeps_its_color_and_hosts_differ() -> None:
    colors = [host_color(f"web{number}") for number in range(40)]

    assert colors == [host_color(f"web{number}") for number in range(40)]
    assert len(set(colors)) > 3

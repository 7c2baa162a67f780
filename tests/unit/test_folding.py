"""Names that are folded into few words, and unfolded again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetrun.folding import fold
from fleetrun.inventory.ranges import expand

FOLDED = {
    "nothing": ([], []),
    "a run": (["web1", "web2", "web3"], ["web[1-3]"]),
    "two are a run": (["web1", "web2"], ["web[1-2]"]),
    "one is no range": (["web1", "db1"], ["web1", "db1"]),
    "gaps": (["web1", "web2", "web4", "web9", "web10"], ["web[1-2,4,9-10]"]),
    "in any order": (["web3", "web1", "web2"], ["web[1-3]"]),
    "the first one's place": (["web1", "db1", "web2"], ["web[1-2]", "db1"]),
    "leading zeros": (["web08", "web09", "web10", "web11"], ["web[08-11]"]),
    "leading zeros and none": (["web1", "web01", "web2", "web02"], ["web[1-2,01-02]"]),
    "beyond the width": (["web99", "web100", "web098"], ["web[098,99,100]"]),
    "zero": (["web0", "web1"], ["web[0-1]"]),
    "behind the number": (["web1.ams", "web2.ams", "web3.fra"], ["web[1-2].ams", "web3.fra"]),
    "two numbers": (["r1n1", "r1n2", "r2n1", "r2n2"], ["r[1-2]n[1-2]"]),
    "not all of both": (["r1n1", "r1n2", "r2n1"], ["r1n[1-2]", "r2n1"]),
    "addresses": (["10.0.0.1", "10.0.0.2", "10.0.1.1", "10.0.1.2"], ["10.0.[0-1].[1-2]"]),
    "ports": (["lab:2201", "lab:2202"], ["lab:[2201-2202]"]),
    "no numbers": (["b", "a", "b"], ["b", "a"]),
    "nothing but a number": (["9", "10"], ["[9-10]"]),
}


@pytest.mark.parametrize(("names", "folded"), FOLDED.values(), ids=FOLDED)
def test_names_fold(names: list[str], folded: list[str]) -> None:
    assert list(fold(names)) == folded


@pytest.mark.long
@given(st.lists(st.from_regex(r"[ab]{0,2}[0-9]{1,3}(-[0-9]{1,2}[xy]?)?", fullmatch=True)))
def test_what_is_folded_expands_to_the_same_names(names: list[str]) -> None:
    expanded = [name for word in fold(names) for name in expand(word)]
    assert sorted(expanded) == sorted(set(names))

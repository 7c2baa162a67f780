"""YAML to a tree: spelling, lines, merges and bounds."""

from __future__ import annotations

import pytest
import yaml

from fleetrun.errors import InventoryError
from fleetrun.inventory import yaml_tree
from fleetrun.inventory.tree import Mapping, Node, Scalar, Sequence
from fleetrun.inventory.yaml_tree import parse_yaml


@pytest.fixture(params=["libyaml", "pure Python"], autouse=True)
def _both_parsers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "pure Python":
        monkeypatch.delattr(yaml, "CSafeLoader")


def _mapping(text: str) -> Mapping:
    tree = parse_yaml(text, "hosts.yaml")
    assert isinstance(tree, Mapping)
    return tree


def _plain(node: Node) -> object:
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Sequence):
        return [_plain(item) for item in node.items]
    return {key: _plain(entry.value) for key, entry in node.entries.items()}


@pytest.mark.parametrize(
    "spelling",
    ["no", "off", "022", "22:22", "1.10", "0x10", "1e3", "2024-01-01", "True", "~", "null", "+1"],
)
def test_scalars_keep_their_spelling(spelling: str) -> None:
    assert _plain(_mapping(f"{spelling}: {spelling}\n")) == {spelling: spelling}


def test_every_part_knows_the_line_it_began_in() -> None:
    tree = _mapping("a:\n  b: 1\n\n  c:\n    - x\n    - y\n")
    outer = tree.entries["a"]
    assert outer.line == 1
    assert isinstance(outer.value, Mapping)
    assert [entry.line for entry in outer.value.entries.values()] == [2, 4]
    items = outer.value.entries["c"].value
    assert isinstance(items, Sequence)
    assert [item.line for item in items.items] == [5, 6]


@pytest.mark.parametrize(
    ("written", "empty"),
    [("", True), ("~", True), ("null", True), ("''", False), ("'null'", False), ("no", False)],
)
def test_only_what_is_not_quoted_can_be_nothing(written: str, empty: bool) -> None:  # noqa: FBT001 (a case)
    value = _mapping(f"a: {written}\n").entries["a"].value
    assert isinstance(value, Scalar)
    assert value.is_empty is empty


@pytest.mark.parametrize("tag", ["!vault", "!unsafe"])
def test_ansibles_tags_are_kept_on_values(tag: str) -> None:
    value = _mapping(f"a: {tag} '{{{{ x }}}}'\n").entries["a"].value
    assert value == Scalar("{{ x }}", 1, tag, quoted=True)


def test_an_alias_is_the_very_part_that_its_anchor_names() -> None:
    tree = _mapping("a: &x {k: v}\nb: *x\n")
    assert tree.entries["b"].value is tree.entries["a"].value


MERGES = {
    "what is written wins": ("{<<: *x, k: own}", {"k": "own", "l": "x"}),
    "wherever it stands": ("{k: own, <<: *x}", {"k": "own", "l": "x"}),
    "the first of several wins": ("{<<: [*y, *x]}", {"k": "y", "l": "x"}),
    "in place": ("{<<: {m: 1}}", {"m": "1"}),
    "quoted it is a key": ("{'<<': z}", {"<<": "z"}),
}


@pytest.mark.parametrize(("written", "merged"), MERGES.values(), ids=MERGES)
def test_merging(written: str, merged: dict[str, str]) -> None:
    tree = _mapping(f"x: &x {{k: x, l: x}}\ny: &y {{k: y}}\nz: {written}\n")
    assert _plain(tree.entries["z"].value) == merged


def test_a_merged_key_keeps_the_line_where_it_was_written() -> None:
    merged = _mapping("x: &x\n  k: v\ny:\n  <<: *x\n").entries["y"].value
    assert isinstance(merged, Mapping)
    assert merged.entries["k"].line == 2


def test_aliases_that_expand_beyond_the_bound_are_refused() -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{i}: &a{i} [{f'*a{i - 1}, ' * 10}]" for i in range(1, 30))]
    with pytest.raises(InventoryError, match=r"hosts.yaml:\d: aliases expand to more than 2,500,"):
        parse_yaml("\n".join(lines), "hosts.yaml")


def test_the_bound_counts_what_aliases_add_and_not_what_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(yaml_tree, "MAX_ALIASED", 6)
    parse_yaml("[a, b, c, d, e, f, g, &x {k: v}, *x, *x]", "hosts.yaml")  # twice three
    with pytest.raises(InventoryError, match="more than 6 values"):
        parse_yaml("[&x {k: v}, *x, *x, *x]", "hosts.yaml")


def test_depth_is_counted_through_aliases() -> None:
    deep = ["a0: &a0 x", *(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 200))]
    parse_yaml("\n".join(deep[:100]), "hosts.yaml")
    with pytest.raises(InventoryError, match=r"hosts.yaml:101: values stand more than 100 levels"):
        parse_yaml("\n".join(deep), "hosts.yaml")


@pytest.mark.parametrize("text", ["", "# nothing\n", "\n\n"])
def test_nothing_has_no_tree(text: str) -> None:
    assert parse_yaml(text, "hosts.yaml") is None


@pytest.mark.parametrize(
    ("text", "line"),
    [("a: [1\nb: 2\n", 2), ("a: 'x\n", 2), ("a:\n  b: 1\n c: 2\n", 3), ("a: \x01\n", 1)],
    ids=["bracket", "quote", "indentation", "control"],
)
def test_either_parser_points_to_the_same_line(text: str, line: int) -> None:
    with pytest.raises(InventoryError) as caught:
        parse_yaml(text, "hosts.yaml")
    assert caught.value.line == line

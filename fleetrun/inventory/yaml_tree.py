"""YAML text to a tree, strictly. First step of the inventory; knows nothing of hosts.

PyYAML's parser (libyaml, where it is there) gives events; the tree is made of them here, so that
scalars keep their spelling and every part keeps its line. Refused, with their lines: a key that
stands twice, tags (but Ansible's `!vault` and `!unsafe`), a second document, and what nests or
expands beyond the bounds below. Anchors, aliases and `<<:` work.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from fleetrun.errors import InventoryError
from fleetrun.inventory.place import Place
from fleetrun.inventory.tree import Entry, Mapping, Node, Scalar, Sequence, kind

if TYPE_CHECKING:
    import yaml

    _Content = yaml.ScalarEvent | yaml.CollectionStartEvent

MAX_DEPTH = 100
"""Levels that may stand in each other, aliases followed: room for 48 nested groups. The tree is
walked recursively, and Python allows 1,000 calls in each other."""

_TOO_DEEP = f"values stand more than {MAX_DEPTH} levels deep in each other"

MAX_ALIASED = 2_500_000
"""Keys and values that aliases may add to what was written: 100,000 hosts that merge ten shared
variables each. A file of one kilobyte can ask for more than memory holds (a "billion laughs")."""

_ANSIBLE_TAGS = frozenset({"!vault", "!unsafe"})
_YAML_TAG = "tag:yaml.org,2002:"
_MERGE = "<<"


_SURROGATES = re.compile(
    r"(?<!\\)((?:\\\\)*)\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})", re.IGNORECASE
)


def parse_json(text: str, source: str) -> Node | None:
    r"""Return the tree of a JSON text, with lines; as `parse_yaml`.

    JSON is YAML, but for characters beyond U+FFFF, which it may write as pairs (`\ud83d\ude00`),
    and for tabs, which stand between its values alone and which not every YAML parser takes.
    """
    yaml_text = _SURROGATES.sub(_joined, text.replace("\t", " "))
    return parse_yaml(yaml_text, source, language="JSON")


def _joined(match: re.Match[str]) -> str:
    high, low = (int(match[number], 16) for number in (2, 3))
    return f"{match[1]}\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08x}"


def parse_yaml(text: str, source: str, *, language: str = "YAML") -> Node | None:
    """Return the tree of the only document in the text; None when there is nothing in it.

    Raises `InventoryError` with the source and the line of whatever is wrong; the language is the
    one that it is said not to be.
    """
    import yaml  # noqa: PLC0415 (20 ms that inline lists and --help do without)

    loader = None
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
        return _Builder(loader, source).document()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, text.find(chr(error.character))) + 1
        raise Place(source, line).error(
            f"there is a control character ({error.character:#04x}), "
            f"which {language} does not allow"
        ) from error
    except yaml.MarkedYAMLError as error:
        raise _explained(error, text, source, language) from error
    finally:
        if loader is not None:
            loader.dispose()


def _explained(
    error: yaml.MarkedYAMLError, text: str, source: str, language: str
) -> InventoryError:
    """Say what the parser found wrong, in one sentence."""
    mark = error.problem_mark or error.context_mark
    line = 0 if mark is None else mark.line
    written = text.split("\n")[line : line + 1]
    if written and "\t" in written[0][: len(written[0]) - len(written[0].lstrip())]:
        message = "the line is indented with a tab; YAML allows only spaces there"
    elif "nesting depth" in str(error.problem):  # libyaml has a bound of its own since 0.2.6
        message = _TOO_DEEP
    else:
        message = f"this is not {language}: {error.problem}"
        begun = error.context_mark
        if begun is not None and begun.line != line:
            message += f" ({error.context}, begun in line {begun.line + 1})"
    return Place(source, line + 1).error(message)


class _Anchored(NamedTuple):
    """What an anchor names, how many values that is, and how many levels."""

    node: Node
    size: int
    height: int


class _Builder:
    """Turns events into nodes. Used once, by one thread."""

    def __init__(self, loader: yaml.SafeLoader, source: str) -> None:
        import yaml  # noqa: PLC0415 (see parse_yaml)

        self._next: Callable[[], yaml.Event] = loader.get_event
        self._events = yaml.events
        self._source = source
        self._anchors: dict[str, _Anchored | None] = {}  # None while it is being read
        self._depth = 0
        self._height = 0
        self._values = 0
        self._aliased = 0

    def document(self) -> Node | None:
        """Read the whole stream."""
        self._next()  # the stream's start
        if isinstance(self._next(), self._events.StreamEndEvent):
            return None
        node = self._node(self._next())
        self._next()  # the document's end
        more = self._next()
        if not isinstance(more, self._events.StreamEndEvent):
            self._fail(more, "a second document begins here; an inventory is one document")
        return node

    def _node(self, event: yaml.Event) -> Node:
        if isinstance(event, self._events.AliasEvent):
            return self._alias(event)
        if not isinstance(event, (self._events.ScalarEvent, self._events.CollectionStartEvent)):
            raise TypeError(f"the YAML parser gave {event}, which its grammar rules out here")
        if event.anchor is None:
            return self._content(event)
        return self._anchored(event, event.anchor)

    def _anchored(self, event: _Content, name: str) -> Node:
        """Read a value that has a name, and note it with its size and height."""
        height, before = self._height, self._values
        self._anchors[name] = None
        self._height = self._depth
        node = self._content(event)
        size, levels = self._values - before, self._height - self._depth
        self._anchors[name] = _Anchored(node, size, levels)
        self._height = max(height, self._height)
        return node

    def _alias(self, event: yaml.AliasEvent) -> Node:
        name = str(event.anchor)
        if name not in self._anchors:
            self._fail(event, f"the alias *{name} has no anchor &{name} before it")
        anchored = self._anchors[name]
        if anchored is None:
            self._fail(event, f"the alias *{name} stands within what it names")
        self._values += anchored.size
        self._aliased += anchored.size
        if self._aliased > MAX_ALIASED:
            self._fail(event, f"aliases expand to more than {MAX_ALIASED:,} values")
        self._reach(event, self._depth + anchored.height)
        return anchored.node

    def _content(self, event: _Content) -> Node:
        self._values += 1
        if isinstance(event, self._events.ScalarEvent):
            return self._scalar(event)
        self._check_tag(event, allowed=frozenset())
        self._depth += 1
        self._reach(event, self._depth)
        mapping = isinstance(event, self._events.MappingStartEvent)
        node = self._mapping(event) if mapping else self._sequence(event)
        self._depth -= 1
        return node

    def _check_tag(self, event: _Content, *, allowed: frozenset[str]) -> str | None:
        if event.tag is not None and event.tag not in allowed:
            tag = event.tag.replace(_YAML_TAG, "!!")
            self._fail(event, f"the tag {tag} is not read; leave it out")
        return event.tag

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        tag = self._check_tag(event, allowed=_ANSIBLE_TAGS)
        return Scalar(event.value, _line(event), tag, quoted=not event.implicit[0])

    def _sequence(self, start: yaml.Event) -> Sequence:
        items = []
        while not isinstance(event := self._next(), self._events.SequenceEndEvent):
            items.append(self._node(event))
        return Sequence(tuple(items), _line(start))

    def _mapping(self, start: yaml.Event) -> Mapping:
        """Read keys and values; what is merged in comes first and gives way to what is written."""
        own: dict[str, Entry] = {}
        merged: dict[str, Entry] = {}
        while not isinstance(event := self._next(), self._events.MappingEndEvent):
            key = self._key(event, own)
            value_event = self._next()
            value = self._node(value_event)
            if key.text == _MERGE and not key.quoted:
                merged |= self._merge(value_event, value)
            else:
                own[key.text] = Entry(value, key.line)
        return Mapping(merged | own if merged else own, _line(start))

    def _key(self, event: yaml.Event, before: dict[str, Entry]) -> Scalar:
        key = self._node(event)
        if not isinstance(key, Scalar):
            self._fail(
                event, f"a key must be text, not {kind(key)}; quote what begins with {{ or ["
            )
        if key.text in before:
            first = before[key.text].line
            self._fail(event, f"{key.text!r} stands here twice, the first time in line {first}")
        return key

    def _merge(self, event: yaml.Event, value: Node) -> dict[str, Entry]:
        """Put mappings into one; of several, the first one wins (https://yaml.org/type/merge)."""
        entries: dict[str, Entry] = {}
        for part in reversed(value.items if isinstance(value, Sequence) else (value,)):
            if not isinstance(part, Mapping):
                self._fail(event, f"'<<' merges mappings, and this is {kind(part)}")
            entries |= part.entries
        return entries

    def _reach(self, event: yaml.Event, depth: int) -> None:
        if depth > MAX_DEPTH:
            self._fail(event, _TOO_DEEP)
        self._height = max(self._height, depth)

    def _fail(self, event: yaml.Event, message: str) -> NoReturn:
        raise Place(self._source, _line(event)).error(message)


def _line(event: yaml.Event) -> int:
    """Return the line on which the event begins, counted from 1."""
    mark = event.start_mark
    return 0 if mark is None else mark.line + 1

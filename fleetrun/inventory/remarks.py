"""What is worth a warning while an inventory is read: not wrong, but not what one might expect."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice

from fleetrun.inventory.place import Place

_SHOWN = 50
"""How many warnings are enough: a script may have something to say of each of 10,000 hosts."""

_NAMED = 5
"""How many names a warning spells out: a file of Ansible's may have hundreds of templates."""


@dataclass(slots=True)
class _Remark:
    """A sentence about one file: where it was first true, how often, and of which names."""

    place: Place
    sentence: str
    names: dict[str, None] = field(default_factory=dict)
    times: int = 0

    def __str__(self) -> str:
        named = list(self.names)
        more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        names = f": {', '.join(named[:_NAMED])}{more}" if named else ""
        return f"{self.place}: {self.sentence}{names or _again(self.times - 1)}"


def _again(times: int) -> str:
    if times < 1:
        return ""
    return " (and once more)" if times == 1 else f" (and {times} times more)"


class Remarks:
    """Collects remarks, those alike of one file once. Used by one thread."""

    def __init__(self) -> None:
        self._remarks: dict[tuple[str, str], _Remark] = {}

    def add(self, place: Place, sentence: str, name: str | None = None) -> None:
        """Note that the sentence is true here; the name is one of those that it is true of."""
        key = (place.source, sentence)
        remark = self._remarks.get(key)
        if remark is None:
            remark = self._remarks[key] = _Remark(place, sentence)
        remark.times += 1
        if name is not None:
            remark.names[name] = None

    def sentences(self) -> tuple[str, ...]:
        """Return them as `file:line: sentence`, in the order in which they first came up."""
        shown = [str(remark) for remark in islice(self._remarks.values(), _SHOWN)]
        more = len(self._remarks) - len(shown)
        return (*shown, f"and {more} more warnings about the inventory") if more else tuple(shown)

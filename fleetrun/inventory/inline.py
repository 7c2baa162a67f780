"""Hosts that are listed on the spot (`-i 'web[1-3],db1,'`, `Fleet(["web1"])`), into a draft."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from fleetrun.errors import InventoryError
from fleetrun.inventory.address import Address, parse_address
from fleetrun.inventory.draft import UNGROUPED, Draft
from fleetrun.inventory.place import Place
from fleetrun.inventory.ranges import expand


def read_inline(texts: Iterable[str], place: Place, draft: Draft) -> None:
    """Add hosts, each written `[USER@]NAME[:PORT]`, to the draft; repeated ones once.

    As `read_listed`, for texts that may have ranges and stand in one place.
    """
    read_listed(((name, place) for text in texts for name in _expanded(text, place)), draft)


def read_listed(listed: Iterable[tuple[str, Place]], draft: Draft) -> None:
    """Add hosts, each written `[USER@]NAME[:PORT]` in a place, to the draft; repeated ones once.

    A host is called NAME. Where that would call two hosts the same (`127.0.0.1:2201` and
    `127.0.0.1:2202`), each is called what was written. Raises `InventoryError` with the place.
    """
    first: dict[str, Place] = {}
    for text, place in listed:
        first.setdefault(text, place)
    addresses = {text: _address(text, place) for text, place in first.items()}
    namesakes = Counter(address.name for address in addresses.values())
    for text, address in addresses.items():
        told, name = address.variables, address.name
        if namesakes[name] > 1:
            told, name = {**told, "ansible_host": name}, text
        draft.add_host(name, first[text], group=UNGROUPED, told=told)


def _expanded(text: str, place: Place) -> Iterable[str]:
    try:
        return expand(text)
    except InventoryError as error:
        raise place.error(error.message) from error


def _address(text: str, place: Place) -> Address:
    try:
        return parse_address(text)
    except InventoryError as error:
        raise place.error(f"{text!r}: {error.message}") from error

"""Hosts that are listed on the spot (`-i 'web1,web2,'`, `Fleet(["web1"])`), into a draft."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from fleetrun.errors import InventoryError
from fleetrun.inventory.address import Address, parse_address
from fleetrun.inventory.draft import ALL, Draft
from fleetrun.inventory.place import Place
from fleetrun.inventory.tree import Entry, Scalar
from fleetrun.inventory.variables import read_variables


def read_inline(texts: Iterable[str], source: str, draft: Draft) -> None:
    """Add hosts, each written `[USER@]NAME[:PORT]`, to the draft; repeated ones once.

    A host is called NAME. Where that would call two hosts the same (`127.0.0.1:2201` and
    `127.0.0.1:2202`), each is called what was written. Raises `InventoryError` with the source.
    """
    place = Place(source)
    addresses = {text: _address(text, place) for text in texts}
    namesakes = Counter(address.name for address in addresses.values())
    for text, address in addresses.items():
        unique = namesakes[address.name] == 1
        host = draft.host(address.name if unique else text, place, group=ALL)
        told = address.variables
        if not unique:
            told["ansible_host"] = Scalar(address.name, None)
        entries = {name: Entry(value, None) for name, value in told.items()}
        host.variables.update(read_variables(entries, source))


def _address(text: str, place: Place) -> Address:
    try:
        return parse_address(text)
    except InventoryError as error:
        raise place.error(f"{text!r}: {error.message}") from error

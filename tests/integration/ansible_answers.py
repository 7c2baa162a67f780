"""Answers questions about inventories as Ansible does; started by `ansible_oracle.Oracle`.

One question a line on standard input, `{"sources": […], "patterns": […]}` as JSON, and one answer
a line on standard output: groups, the variables of hosts, and what each pattern selects.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from ansible import constants
from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.vars.manager import VariableManager


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """Load the sources, as `ansible-inventory` does, and look at what came of it."""
    loader = DataLoader()
    inventory = InventoryManager(loader=loader, sources=question["sources"])
    manager = VariableManager(loader=loader, inventory=inventory)
    return {
        "hosts": {name: variables(manager, host) for name, host in inventory.hosts.items()},
        "groups": {
            name: {
                "hosts": [host.name for host in group.hosts],
                "children": [child.name for child in group.child_groups],
                "all": [host.name for host in group.get_hosts()],
            }
            for name, group in inventory.groups.items()
        },
        "patterns": {it: selected(inventory, it) for it in question["patterns"]},
    }


def variables(manager: VariableManager, host: Any) -> dict[str, Any]:  # noqa: ANN401 (Ansible's)
    found = manager.get_vars(host=host, include_hostvars=False, stage="all")
    return {name: it for name, it in found.items() if name not in constants.INTERNAL_STATIC_VARS}


def selected(inventory: InventoryManager, pattern: str) -> list[str]:
    try:
        inventory.subset(pattern)
        return [host.name for host in inventory.get_hosts("all")]
    except AnsibleError:
        return []
    finally:
        inventory.subset(None)


def serve() -> None:
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Ansible's own words go elsewhere
    for line in sys.stdin:
        try:
            found = answer(json.loads(line))
        except Exception as error:  # noqa: BLE001 (whatever it is, the test is told)
            found = {"error": f"{type(error).__name__}: {error}"}
        out.write(json.dumps(found, default=str) + "\n")
        out.flush()


if __name__ == "__main__":
    serve()

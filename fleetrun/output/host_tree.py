"""The groups of an inventory and the hosts in them, as a tree: `fleetrun hosts --graph`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping


def host_tree(
    top: str,
    *,
    groups: Mapping[str, Iterable[str]],
    hosts: Mapping[str, Iterable[str]],
    is_shown: Callable[[str], bool],
    shown_hosts: Collection[str],
    below: Callable[[str], Iterable[str]],
) -> Iterator[str]:
    """Yield the lines, without their ends, drawn as Ansible's users know them.

    Args:
        top: the group to begin with; the hosts directly in it stand in other groups as well.
        groups: for each group those directly in it.
        hosts: for each group the hosts directly in it.
        is_shown: whether a group is to be shown.
        shown_hosts: the hosts to show.
        below: returns the lines that stand below a host.

    A group that stands in several others is shown in full once, and then by its name alone.
    """
    done = {top}
    waiting = [(child, 1) for child in reversed([*groups[top]])]
    yield f"@{top}:"
    while waiting:
        group, depth = waiting.pop()
        if not is_shown(group):
            continue
        if group in done:
            yield f"{_branch(depth)}@{group}: (as above)"
            continue
        done.add(group)
        yield f"{_branch(depth)}@{group}:"
        for host in (name for name in hosts[group] if name in shown_hosts):
            yield f"{_branch(depth + 1)}{host}"
            yield from (f"{_branch(depth + 2)}{line}" for line in below(host))
        waiting += [(child, depth + 1) for child in reversed([*groups[group]])]


def _branch(depth: int) -> str:
    return "  |" * depth + "--"

"""The fleet that a benchmark runs on, as files in every form that a client reads.

    a lab, or --hosts-from ADDRESS:PORT*COUNT ─► Addresses.write ─► inventory, known_hosts,
                                                                    ssh_config, list of names

Any server that answers on many loopback addresses serves as a simulated fleet: on Linux every
127.x.y.z is this machine, so one process that listens on 0.0.0.0:PORT is as many hosts as there
are addresses to dial. All of them show the same host key.
"""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fleetrun.hosts import current_user
from fleetrun.inventory import Inventory
from fleetrun.lab import Lab


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where one host answers, and the public host key (type and base64) that it shows."""

    name: str
    address: str
    port: int
    host_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The hosts of a benchmark, and the files in the folder that tell clients of them."""

    hosts: Sequence[Address]
    folder: Path
    user: str
    private_key: Path

    @property
    def inventory(self) -> Path:
        """For fleetrun and ansible."""
        return self.folder / "inventory.json"

    @property
    def known_hosts(self) -> Path:
        """For every client that checks host keys: a line a host."""
        return self.folder / "known_hosts"

    @property
    def ssh_config(self) -> Path:
        """For clients that start `ssh`."""
        return self.folder / "ssh_config"

    @property
    def ansible_cfg(self) -> Path:
        """Empty, so that ansible heeds no settings of this machine."""
        return self.folder / "ansible.cfg"

    @property
    def names(self) -> Path:
        """For clients that start `ssh`: a name a line."""
        return self.folder / "names"

    @property
    def table(self) -> Path:
        """For the scripts in `peers/`: address and port, a host a line."""
        return self.folder / "hosts.txt"

    def write(self) -> None:
        """Write all the files."""
        self.inventory.write_text(json.dumps(self._inventory(), indent=1))
        self.known_hosts.write_text(
            "".join(f"{known_name(host)} {host.host_key}\n" for host in self.hosts)
        )
        self.names.write_text("".join(f"{host.name}\n" for host in self.hosts))
        self.table.write_text("".join(f"{host.address} {host.port}\n" for host in self.hosts))
        self.ssh_config.write_text(self._ssh_config())
        self.ansible_cfg.touch()

    def _inventory(self) -> dict[str, object]:
        shared = {
            "ansible_user": self.user,
            "ansible_ssh_private_key_file": str(self.private_key),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={self.known_hosts}",
        }
        hosts = {
            host.name: {"ansible_host": host.address, "ansible_port": host.port}
            for host in self.hosts
        }
        return {"all": {"vars": shared, "hosts": hosts}}

    def _ssh_config(self) -> str:
        """Return the settings of all hosts; shared ones once, since ssh reads every line."""
        ports = {host.port for host in self.hosts}
        each = [
            f"Host {host.name}\n HostName {host.address}\n Port {host.port}\n"
            for host in self.hosts
            if len(ports) > 1 or host.name != host.address
        ]
        return "".join(each) + (
            f"Host *\n User {self.user}\n Port {self.hosts[0].port}\n BatchMode yes\n"
            f" IdentityFile {self.private_key}\n IdentitiesOnly yes\n"
            f" StrictHostKeyChecking yes\n UserKnownHostsFile {self.known_hosts}\n"
        )


def known_name(host: Address) -> str:
    """Return the name under which known_hosts has the host."""
    return host.address if host.port == 22 else f"[{host.address}]:{host.port}"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say on which hosts to run."""
    hosts = parser.add_argument_group("the hosts: a lab, or a server on many loopback addresses")
    hosts.add_argument("--lab", type=int, default=50, metavar="N", help="hosts in the lab [50]")
    hosts.add_argument(
        "--rtt-ms", type=float, default=50, help="round trip to the lab's hosts [50]"
    )
    hosts.add_argument(
        "--hosts-from",
        metavar="ADDRESS:PORT*COUNT",
        help="instead of the lab: so many addresses from that one on, e.g. 127.2.0.1:2350*1000",
    )
    hosts.add_argument("--host-key", type=Path, help="public host key that all of them show")
    hosts.add_argument("--private-key", type=Path, help="key that logs in to all of them")
    hosts.add_argument("--user", default=current_user())


@contextlib.contextmanager
def addresses(options: argparse.Namespace, folder: Path) -> Iterator[Addresses]:
    """Yield the hosts that the options name, as files in the folder; a lab lasts until the end."""
    if options.hosts_from:
        yield _written(_counted(options), folder, options.user, options.private_key.resolve())
        return
    with Lab(hosts=options.lab, rtt_s=options.rtt_ms / 1000) as lab:
        keys = dict(line.split(" ", 1) for line in lab.known_hosts.read_text().splitlines())
        hosts = [
            Address(
                name=host.name,
                address=host.address,
                port=host.port,
                host_key=keys[f"[{host.address}]:{host.port}"],
            )
            for host in Inventory.load(lab.inventory).hosts
        ]
        yield _written(hosts, folder, current_user(), lab.private_key)


def _written(hosts: Sequence[Address], folder: Path, user: str, private_key: Path) -> Addresses:
    made = Addresses(hosts=hosts, folder=folder, user=user, private_key=private_key)
    made.write()
    return made


def _counted(options: argparse.Namespace) -> list[Address]:
    match = re.fullmatch(r"([0-9.]+):(\d+)\*(\d+)", options.hosts_from)
    if match is None or options.host_key is None or options.private_key is None:
        raise SystemExit("--hosts-from is ADDRESS:PORT*COUNT; --host-key, --private-key go with it")
    first, port, count = ipaddress.IPv4Address(match[1]), int(match[2]), int(match[3])
    host_key = " ".join(options.host_key.read_text().split()[:2])
    names = [str(first + number) for number in range(count)]
    return [Address(name=name, address=name, port=port, host_key=host_key) for name in names]

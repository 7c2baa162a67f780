"""A Dask cluster, as a program names it: `Fleet(hosts, mode=Dask(client))`."""

from __future__ import annotations

import contextlib
import ipaddress
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fleetrun.errors import DependencyError, UsageError
from fleetrun.executors.cluster.embedded import EMBEDDED
from fleetrun.executors.limits import cores
from fleetrun.executors.line import site_of
from fleetrun.executors.mode import Carrier
from fleetrun.hosts import Host, KeysFrom

if TYPE_CHECKING:
    from distributed import Client

    from fleetrun.executors.cluster.workplace import DaskWorker
    from fleetrun.executors.line import Workplace

LEASE_S = 30.0
_EMBEDDED_LEASE_S = 3.0
"""Within one process nothing stands between both ends; so much longer it may take to end, when a
second Ctrl-C came between."""
_NO_WORKERS_S = 10.0
_PAUSE_S = 0.2


@dataclass(frozen=True, slots=True)
class Dask:
    """The workers of a Dask cluster, for `Fleet(…, mode=…)`. Immutable; safe to share.

    Attributes:
        client: a client of the cluster, which is not closed; not an asynchronous one. None means a
            cluster within this process, which lasts while a run, or a fleet that is used as a
            context manager, needs it. Its Dask workers share one thread, and the worker processes
            that carry the hosts are children of this process.
        site_key: a variable of the hosts. A host that has it is worked on by a Dask worker that was
            started with a resource, or under a name, of that value: from within its site. Others
            are worked on anywhere. None means that all hosts are.
        keys_from: whose private keys and known_hosts log in to the hosts.
        private: whether all of the cluster must be spoken to over TLS, or be on this machine: else
            it is an error, and a Dask worker that joins later is not used. A fleet that has keys or
            passwords to send insists on it anyway.
        lease_s: how many seconds a worker process goes on without hearing anything of this process;
            of no use without a client.

    Raises `DependencyError` when Dask is not installed, `UsageError` for an asynchronous client and
    for a lease that is not positive.
    """

    client: Client | None = None
    _: KW_ONLY
    site_key: str | None = None
    keys_from: KeysFrom = KeysFrom.WORKER
    private: bool = False
    lease_s: float = LEASE_S

    def __post_init__(self) -> None:
        if find_spec("distributed") is None:
            raise DependencyError(
                "the mode dask needs Dask; install it with: pip install 'fleetrun[dask]'"
            )
        if not self.lease_s > 0:
            raise UsageError(f"lease_s is {self.lease_s}; a positive number of seconds is needed")
        if self.client is not None and self.client.asynchronous:
            raise UsageError("the Dask client is asynchronous; make one without asynchronous=True")

    @property
    def is_away(self) -> bool:
        """Whether the workers may be on other machines."""
        return self.client is not None

    def capacity(self) -> int:
        """Return how many worker processes there would be now.

        Waits up to 10 s for the first. Raises `UsageError` when there is none.
        """
        if self.client is None:
            return cores()
        until_s = time.monotonic() + _NO_WORKERS_S
        while not (workers := self._workers(self.client)):
            if time.monotonic() > until_s:
                address = self.client.scheduler.address
                raise UsageError(
                    f"the Dask scheduler at {address} has no workers; "
                    f"start some with: dask worker {address}"
                )
            time.sleep(_PAUSE_S)
        return sum(worker.threads for worker in workers)

    def guarding(self, hosts: Sequence[Host]) -> Dask:
        """Return it as it is to be used for the hosts: private when there are secrets to send."""
        return replace(self, private=self.private or self._secrets_of(hosts) is not None)

    def check(self, hosts: Sequence[Host]) -> None:
        """Raise `UsageError` when a site has no worker, or secrets would travel in the clear."""
        workers = [] if self.client is None else self._workers(self.client)
        self._check_sites(hosts, workers)
        what = self._secrets_of(hosts) or ("your commands" if self.private else None)
        if self.client is not None and what is not None:
            addresses = [self.client.scheduler.address, *(worker.address for worker in workers)]
            _check_secrecy(what, addresses)

    def open(self) -> Workplace:
        """Open the cluster; the caller closes it."""
        from fleetrun.executors.cluster.workplace import DaskWorkplace  # noqa: PLC0415 (slow)

        if self.client is not None:
            with _answering(self.client):
                return DaskWorkplace(
                    self.client,
                    Carrier.GREENLETS,
                    lease_s=self.lease_s,
                    may_use=_is_private if self.private else None,
                )
        opened = contextlib.ExitStack()
        client = opened.enter_context(EMBEDDED.client())
        try:
            return DaskWorkplace(
                client, Carrier.GREENLETS, lease_s=_EMBEDDED_LEASE_S, on_close=opened.close
            )
        except BaseException:
            opened.close()
            raise

    def _secrets_of(self, hosts: Sequence[Host]) -> str | None:
        """Return what is to be sent that nobody may read, in the plural; None for nothing."""
        if self.keys_from is KeysFrom.OPERATOR:
            return "your private keys"
        if any(host.password or host.become_password or host.key_passphrase for host in hosts):
            return "the hosts' passwords"
        return None

    @staticmethod
    def _workers(client: Client) -> list[DaskWorker]:
        from fleetrun.executors.cluster.workplace import workers_of  # noqa: PLC0415 (slow)

        with _answering(client):
            workers: list[DaskWorker] = client.sync(workers_of, client)
        return workers

    def _check_sites(self, hosts: Sequence[Host], workers: Sequence[DaskWorker]) -> None:
        if self.site_key is None:
            return
        served = {site for worker in workers for site in worker.sites}
        sites = Counter(site_of(host, self.site_key) for host in hosts)
        missing = [site for site in sites if site is not None and site not in served]
        if missing:
            some = missing[0]
            raise UsageError(
                f"no Dask worker is at the site {some!r} ({self.site_key} of {sites[some]} hosts)"
                f"{f', nor at {len(missing) - 1} others' if len(missing) > 1 else ''}; "
                f"start one there with: dask worker … --resources '{some}=1'"
            )


@contextlib.contextmanager
def _answering(client: Client) -> Iterator[None]:
    """Raise `UsageError` when the client was closed or its scheduler does not answer."""
    if client.status in {"closing", "closed"}:
        raise UsageError("the Dask client is closed; make a new one")
    try:
        yield
    except OSError as error:
        raise UsageError(f"the Dask scheduler does not answer: {error}") from error


def _check_secrecy(what: str, addresses: Sequence[str]) -> None:
    """Raise `UsageError` unless what is sent to the addresses is encrypted, or stays here."""
    for address in addresses:
        if not _is_private(address):
            raise UsageError(
                f"{what} would travel unencrypted to {address}; run the Dask cluster over TLS"
            )


def _is_private(address: str) -> bool:
    """Return whether what is sent to that address is encrypted or stays on this machine."""
    parts = urlsplit(address)
    if parts.scheme in {"tls", "wss", "inproc"}:
        return True
    if parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False

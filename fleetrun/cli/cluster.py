"""From options to a Dask cluster: `--scheduler` and what belongs to it. Closes what it opened."""

from __future__ import annotations

import contextlib
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fleetrun.cli.options import RunOptions
from fleetrun.errors import UsageError
from fleetrun.executors import Mode
from fleetrun.fleet import AUTO
from fleetrun.hosts import KeysFrom

if TYPE_CHECKING:
    from distributed import Client, Security

    from fleetrun.executors.cluster import Dask

_CONNECT_S = 10.0


@contextlib.contextmanager
def opened_mode(run: RunOptions) -> Iterator[str | Dask]:
    """Yield the mode that was asked for; with a scheduler, its cluster, whose client ends with it.

    Raises `UsageError` when the scheduler cannot be reached, and for options of a cluster that has
    no scheduler.
    """
    if run.scheduler is None:
        yield _without_scheduler(run)
        return
    if run.mode not in {AUTO, Mode.DASK}:
        raise UsageError(f"--scheduler is for --mode dask, and not for {run.mode}")
    from fleetrun.executors.cluster import Dask  # noqa: PLC0415 (few runs need it)

    Dask()  # raises when Dask is not installed
    with _connected(run) as client:
        yield Dask(client, site_key=run.site_key, keys_from=run.keys_from or KeysFrom.WORKER)


def _without_scheduler(run: RunOptions) -> str:
    given = {
        "--site-key": run.site_key,
        "--tls-ca-file": run.tls_ca_file,
        "--tls-cert": run.tls_cert,
        "--tls-key": run.tls_key,
        "--keys-from": run.keys_from,
    }
    for option, value in given.items():
        if value is not None:
            raise UsageError(f"{option} belongs to a cluster: name its --scheduler too")
    return run.mode


@contextlib.contextmanager
def _connected(run: RunOptions) -> Iterator[Client]:
    from fleetrun.executors.cluster.hush import import_quietly  # noqa: PLC0415 (few runs need it)

    import_quietly()
    from distributed import Client  # noqa: PLC0415 (slow, and an extra)

    from fleetrun.executors.cluster.reach import go_direct, knock  # noqa: PLC0415

    address = _address(run)
    with _explained(address):
        security = _security(run)
        knock(address, security, bound_s=_CONNECT_S)
        client = Client(
            address,
            security=security,
            set_as_default=False,
            timeout=_CONNECT_S,
            name="fleetrun",
        )
    try:
        with _explained(address):
            go_direct(client)
        yield client
    finally:
        with contextlib.suppress(TimeoutError):  # the scheduler may be gone by now
            client.close()


def _address(run: RunOptions) -> str:
    """Return the address, which may stand in a file that the scheduler wrote (--scheduler-file).

    One that names no protocol means TLS when there are files for it.
    """
    given = str(run.scheduler)
    path = Path(given)
    if not path.is_file():
        return f"tls://{given}" if given and "://" not in given and _tls_files(run) else given
    try:
        return str(json.loads(path.read_text())["address"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{given}: is no file of a Dask scheduler") from error


def _security(run: RunOptions) -> Security:
    """Return how the connections are secured: by what was given, else as Dask is configured."""
    from distributed import Security  # noqa: PLC0415 (slow, and an extra)

    files = _tls_files(run)
    return Security(**files, require_encryption=True) if files else Security()


def _tls_files(run: RunOptions) -> dict[str, str]:
    """Return the files that were given, by the names that Dask has for them."""
    files = {
        "tls_ca_file": run.tls_ca_file,
        "tls_client_cert": run.tls_cert,
        "tls_client_key": run.tls_key,
    }
    return {name: file for name, file in files.items() if file is not None}


@contextlib.contextmanager
def _explained(address: str) -> Iterator[None]:
    """Raise `UsageError` for what is raised when a scheduler cannot be connected to."""
    try:
        yield
    except (ssl.SSLError, FileNotFoundError) as error:  # one of Dask's configuration may be missing
        raise UsageError(f"the files for TLS cannot be used: {_reason(error)}") from error
    except OSError as error:
        raise UsageError(
            f"the Dask scheduler at {address} cannot be reached: {_reason(error)}"
        ) from error
    except ValueError as error:
        raise UsageError(
            f"--scheduler {address!r} is neither an address such as tls://10.0.0.1:8786 "
            "nor a file that a scheduler wrote"
        ) from error
    except TypeError as error:
        raise UsageError(
            f"{address} is reached over TLS: give --tls-ca-file and --tls-cert, or configure Dask"
        ) from error
    except RuntimeError as error:
        raise UsageError(
            f"{address} would be reached without TLS, for which there are files; "
            "its address begins with tls://"
        ) from error


def _reason(error: OSError) -> str:
    """Return a line on the error, or on what led to it, as far as that says why."""
    if isinstance(error.__cause__, OSError) and str(error.__cause__):
        return _reason(error.__cause__)
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return (error.strerror or str(error)).partition("\n")[0]

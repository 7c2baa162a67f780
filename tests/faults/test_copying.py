"""Rows 59 to 63: files that are copied whole, or not at all."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from faulty_files import Fault, FaultyFiles
from memory import peak_growth
from servers import ServerAccount, start_sshd, wait_until
from trial import Trial, ended

from fleetrun import Fleet, Report, Result
from fleetrun.faults import Direction, FaultProxy
from fleetrun.hosts import Host
from fleetrun.results import Outcome, Phase

REFUSED = (Outcome.FAILED, Phase.TRANSFER)
PIECE = 32 * 1024
NEW = bytes(range(256)) * 640  # five pieces
OLD = b"as it was"
_PLACES_OF_SFTP_SERVER = (
    "/usr/lib/openssh",
    "/usr/libexec",
    "/usr/libexec/openssh",
    "/usr/lib/ssh",
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A local file of five pieces."""
    path = tmp_path / "app.conf"
    path.write_bytes(NEW)
    return path


def put(trial: Trial, hosts: list[Host], source: Path, target: str = "") -> Report:
    """Put the file on the hosts, and check what holds of every report."""
    with Fleet(hosts, mode=trial.mode) as fleet:
        return checked(fleet.put(source, target), hosts)


def get(trial: Trial, hosts: list[Host], source: str) -> Report:
    """Get the file of the hosts below the folder `got`."""
    with Fleet(hosts, mode=trial.mode) as fleet:
        return checked(fleet.get(source, trial.folder / "got"), hosts)


def checked(report: Report, hosts: list[Host]) -> Report:
    assert [result.host for result in report] == [host.name for host in hosts]
    for result in report:
        assert result.ok == (result.error is None), result
        assert "bug in fleetrun" not in (result.error or ""), result
        assert not result.may_still_run
    return report


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, hidden ones included."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def left_over(folder: Path, result: Result) -> set[str]:
    """Return the files beside app.conf that nobody has told of."""
    told = str(result.error).split()
    names = contents(folder).keys() - {"app.conf"}
    return {name for name in names if f"{folder}/{name}" not in told}


# --- put -----------------------------------------------------------------------------------------

REFUSALS = {
    "open": Fault(refuses="open"),
    **{f"piece{n}": Fault(refuses="write", after=n) for n in range(5)},
    "bits": Fault(refuses="fsetstat"),
    "close": Fault(refuses="close"),
    "size": Fault(refuses="stat"),
    "rename": Fault(refuses="rename"),
}


@pytest.mark.fault(
    59,
    "put: any one request is refused, each piece's write among them",
    "failed; the old file intact, the temporary one gone",
)
def test_row_59_a_refused_write_leaves_the_old_file(
    trial: Trial, file: Path, user_key: Path
) -> None:
    with FaultyFiles(trial.folder, {**REFUSALS, "good": Fault()}) as server:
        for user in server.faults:
            (server.files_of(user) / "app.conf").write_bytes(OLD)
        hosts = [server.host(user, user_key) for user in server.faults]
        report = put(trial, hosts, file)
    assert report["good"].ok, report["good"].error
    assert contents(server.files_of("good")) == {"app.conf": NEW}
    for user, fault in REFUSALS.items():
        assert ended(report[user]) == REFUSED, report[user]
        assert f"no {fault.refuses} today" in str(report[user].error)
        assert contents(server.files_of(user)) == {"app.conf": OLD}


@pytest.mark.fault(
    59, "put: the host says that fewer bytes have arrived", "failed; the old file intact"
)
def test_row_59_what_did_not_arrive_whole_is_not_renamed(
    trial: Trial, file: Path, user_key: Path
) -> None:
    with FaultyFiles(trial.folder, {"web1": Fault(claims_bytes=len(NEW) - 1)}) as server:
        folder = server.files_of("web1")
        (folder / "app.conf").write_bytes(OLD)
        (result,) = put(trial, [server.host("web1", user_key)], file, "app.conf")
    assert ended(result) == REFUSED
    assert f"{len(NEW)} bytes were sent" in str(result.error)
    assert contents(folder) == {"app.conf": OLD}


def sftp_server() -> str:
    """Return OpenSSH's file server as a program; skip the test where there is none."""
    found = shutil.which("sftp-server", path=os.pathsep.join(_PLACES_OF_SFTP_SERVER))
    return found or pytest.skip("there is no sftp-server program on this machine")


@pytest.mark.fault(60, "put: the remote disk is full", "failed; the old file intact, nothing left")
def test_row_60_a_full_disk_leaves_the_old_file(trial: Trial, file: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "app.conf").write_bytes(OLD)
    # no file may have more than 100 KiB; a signal would say so to who does not ignore it
    serve = tmp_path / "serve"
    serve.write_text(f"#!/bin/sh\ntrap '' XFSZ\nulimit -f 200\nexec {shlex.quote(sftp_server())}\n")
    serve.chmod(0o755)
    with start_sshd(tmp_path, extra=[f"Subsystem sftp {serve}"]) as account:
        (result,) = put(trial, [account.host("web1")], file, str(tmp_path / "there" / "app.conf"))
    assert ended(result) == REFUSED
    assert contents(tmp_path / "there") == {"app.conf": OLD}


@pytest.mark.fault(
    60,
    "put: the connection is cut, at 12 places",
    "never ok without the whole file; the old one intact until then; what may be left is named",
)
def test_row_60_a_cut_leaves_one_file_or_the_other(
    trial: Trial, sshd: ServerAccount, file: Path, tmp_path: Path
) -> None:
    public = " ".join(Path(sshd.known_hosts).read_text().split()[1:3])
    trial.vouch(f"{sshd.address} {public}\n")  # at whatever port
    to_server = Direction.TO_SERVER
    with FaultProxy((sshd.address, sshd.port), direction=to_server) as clean:
        host = sshd.host("clean", port=clean.port, known_hosts=(str(trial.known_hosts),))
        assert put(trial, [host], file, f"{tmp_path}/clean.conf").ok
    with contextlib.ExitStack() as stack:
        hosts = []
        for number in range(12):
            cut = clean.bytes_to_server * (number + 1) // 12 - 1
            proxy = FaultProxy((sshd.address, sshd.port), direction=to_server, cut_after_bytes=cut)
            stack.enter_context(proxy)
            folder = tmp_path / f"cut{number}"
            folder.mkdir()
            (folder / "app.conf").write_bytes(OLD)
            hosts.append(dataclasses.replace(host, name=f"cut{number}", port=proxy.port))
        reports = [put(trial, [each], file, f"{tmp_path}/{each.name}/") for each in hosts]
    outcomes = set()
    for host, (result,) in zip(hosts, reports, strict=True):
        folder = tmp_path / host.name
        outcomes.add(result.outcome)
        assert (folder / "app.conf").read_bytes() in {OLD, NEW}
        assert not result.ok or contents(folder) == {"app.conf": NEW}
        assert {f"{folder}/{name}" for name in contents(folder)} - {
            f"{folder}/app.conf",
            *str(result.error).split(),
        } == set()
    assert outcomes <= {Outcome.UNREACHABLE, Outcome.LOST, Outcome.OK}
    assert Outcome.LOST in outcomes


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A local file that takes longer to copy than anybody waits: a pipe would be refused."""
    path = tmp_path / "endless"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # takes no room here
    return path


@pytest.mark.fault(60, "put: the time is up half-way", "timeout; the old file intact")
def test_row_60_a_deadline_leaves_the_old_file(
    trial: Trial, sshd: ServerAccount, endless: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    (folder / "app.conf").write_bytes(OLD)
    host = sshd.host("web1", command_timeout_s=0.3)
    (result,) = put(trial, [host], endless, f"{folder}/app.conf")
    assert ended(result) == (Outcome.TIMEOUT, Phase.TRANSFER)
    assert (folder / "app.conf").read_bytes() == OLD
    assert left_over(folder, result) == set()


@pytest.mark.fault(60, "put: cancelled half-way", "lost; the old file intact")
def test_row_60_a_cancel_leaves_the_old_file(
    trial: Trial, sshd: ServerAccount, endless: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    (folder / "app.conf").write_bytes(OLD)
    hosts = [sshd.host("web1")]
    with Fleet(hosts, mode=trial.mode) as fleet:

        def cancel_half_way() -> None:
            wait_until(lambda: len(list(folder.iterdir())) == 2)
            fleet.cancel()

        thread = threading.Thread(target=cancel_half_way)
        thread.start()
        (result,) = checked(fleet.put(endless, f"{folder}/app.conf"), hosts)
        thread.join()
    assert ended(result) == (Outcome.LOST, Phase.TRANSFER)
    assert (folder / "app.conf").read_bytes() == OLD
    assert left_over(folder, result) == set()


# --- get -----------------------------------------------------------------------------------------

LIES = {
    "missing": (Fault(), "no such file on the host", None),
    "shrinks": (Fault(cuts_to=PIECE), f"{PIECE} bytes came and the host had said {len(NEW)}", None),
    "empties": (Fault(cuts_to=0), f"0 bytes came and the host had said {len(NEW)}", None),
    "claims2to60": (Fault(claims_bytes=1 << 60), f"the host had said {1 << 60}", None),
    "unreadable": (Fault(refuses="read"), "no read today", None),
    "unopened": (Fault(refuses="open"), "no open today", None),
    "grows": (Fault(appends=b"more"), None, NEW),
    "claimsless": (Fault(claims_bytes=PIECE + 1), None, NEW[: PIECE + 1]),
    "claimsnothing": (Fault(claims_bytes=0), None, NEW),
}
"""For each user: what goes wrong, what is said of it, and what arrives."""


@pytest.mark.fault(
    61,
    "get: missing, shrinks, empties, claims 2^60 bytes, grows, claims too little or nothing",
    "failed, the local file untouched; or as long as it was when it was asked for",
)
def test_row_61_a_file_is_exact_or_untouched(trial: Trial, user_key: Path) -> None:
    for user in LIES:
        (trial.folder / "got" / user).mkdir(parents=True)
        (trial.folder / "got" / user / "app.conf").write_bytes(OLD)
    with FaultyFiles(trial.folder, {user: fault for user, (fault, _, _) in LIES.items()}) as server:
        for user in LIES.keys() - {"missing"}:
            (server.files_of(user) / "app.conf").write_bytes(NEW)
        hosts = [server.host(user, user_key) for user in LIES]
        with peak_growth() as memory:
            report = get(trial, hosts, "app.conf")
    for user, (_, words, arrives) in LIES.items():
        result = report[user]
        assert contents(trial.folder / "got" / user) == {"app.conf": arrives or OLD}, result
        assert result.ok == (words is None), result
        if words is not None:
            assert ended(result) == REFUSED
            assert words in str(result.error)
    assert memory.peak_bytes < 300_000_000  # all worker processes together


@pytest.mark.fault(61, "get: a file in /proc, which has no size", "ok, to its end")
@pytest.mark.skipif(not Path("/proc/version").exists(), reason="/proc is Linux's")
def test_row_61_a_file_of_the_kernel_is_read_to_its_end(trial: Trial, sshd: ServerAccount) -> None:
    (result,) = get(trial, [sshd.host("web1")], "/proc/version")
    assert result.ok, result.error
    assert contents(trial.folder / "got") == {
        "web1/proc/version": Path("/proc/version").read_bytes()
    }


@pytest.mark.fault(61, "get: a log that is written to all the time", "ok, a beginning of it")
def test_row_61_a_log_that_grows_can_be_fetched(
    trial: Trial, sshd: ServerAccount, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"0123456789abcde\n" * 100_000)
    stop = threading.Event()

    def write() -> None:
        with log.open("ab") as file:
            while not stop.is_set():
                file.write(b"0123456789abcde\n" * 100)
                time.sleep(0.001)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        (result,) = get(trial, [sshd.host("web1")], str(log))
    finally:
        stop.set()
        writer.join()
    assert result.ok, result.error
    (arrived,) = contents(trial.folder / "got").values()
    assert log.read_bytes().startswith(arrived)
    assert len(arrived) >= 1_600_000


@pytest.mark.fault(62, "get: a name that leads out of the folder", "exit code 2, nobody is asked")
@pytest.mark.parametrize("name", ["../x", "a/../../x", "..", "/.."])
def test_row_62_a_name_that_leads_out_is_refused_before_any_connection(
    trial: Trial, name: str
) -> None:
    host = trial.host(1)  # nobody listens there, and nobody is to be asked
    ran = trial.command_line("get", name, "got", inventory=host, within_s=0.0)
    assert ran.code == 2
    assert ran.out == b""
    assert "does not name a file" in ran.err


@contextlib.contextmanager
def kept_as_it_is(folder: Path) -> Iterator[None]:
    before = contents(folder)
    yield
    assert contents(folder) == before


@pytest.mark.fault(
    62, "get: a link at the destination, or on the way to it", "failed; not followed"
)
@pytest.mark.parametrize("link", ["web1", "web1/etc", "web1/etc/app.conf"])
def test_row_62_a_link_is_not_followed(
    trial: Trial, user_key: Path, tmp_path: Path, link: str
) -> None:
    outside = tmp_path / "outside"
    (outside / "etc").mkdir(parents=True)
    (outside / "app.conf").write_bytes(OLD)
    (outside / "etc" / "app.conf").write_bytes(OLD)
    place = trial.folder / "got" / link
    place.parent.mkdir(parents=True)
    place.symlink_to(outside / "app.conf" if link.endswith("conf") else outside)
    with FaultyFiles(trial.folder, {"web1": Fault()}) as server, kept_as_it_is(outside):
        (server.files_of("web1") / "etc").mkdir()
        (server.files_of("web1") / "etc" / "app.conf").write_bytes(NEW)
        (result,) = get(trial, [server.host("web1", user_key)], "/etc/app.conf")
    assert ended(result) == REFUSED
    assert f"{place}: is a link" in str(result.error)
    assert place.is_symlink()


@pytest.mark.fault(62, "get: an absolute name", "ok, below the host's own folder")
def test_row_62_an_absolute_name_stays_below_the_hosts_folder(trial: Trial, user_key: Path) -> None:
    with FaultyFiles(trial.folder, {"web1": Fault()}) as server:
        (server.files_of("web1") / "etc").mkdir()
        (server.files_of("web1") / "etc" / "x").write_bytes(NEW)
        (result,) = get(trial, [server.host("web1", user_key)], "/etc/x")
    assert result.ok, result.error
    assert contents(trial.folder / "got") == {"web1/etc/x": NEW}


# --- what the server has -------------------------------------------------------------------------


@pytest.mark.fault(63, "no sftp subsystem", "unreachable, phase session, says so")
def test_row_63_a_host_without_the_file_service_is_named(
    trial: Trial, file: Path, tmp_path: Path
) -> None:
    with start_sshd(tmp_path, extra=["Subsystem another /bin/false"]) as account:
        (result,) = put(trial, [account.host("web1")], file)
    assert ended(result) == (Outcome.UNREACHABLE, Phase.SESSION)
    assert "it has no sftp subsystem" in str(result.error)


@pytest.mark.fault(63, "no posix-rename", "ok: the old file steps aside for the new one")
def test_row_63_without_posix_rename_an_old_file_is_replaced(
    trial: Trial, file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    (folder / "app.conf").write_bytes(OLD)
    line = f"Subsystem sftp {sftp_server()} -P posix-rename"
    with start_sshd(tmp_path, extra=[line]) as account:
        (result,) = put(trial, [account.host("web1")], file, f"{folder}/app.conf")
    assert result.ok, result.error
    assert contents(folder) == {"app.conf": NEW}

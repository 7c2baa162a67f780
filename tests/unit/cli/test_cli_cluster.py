"""The options of a cluster, given wrongly, or for a cluster that is not there: a sentence and 2."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from command_line import CommandLine, Ran
from throwaway_tls import make_tls_files

from fleetrun.cli import cluster
from fleetrun.cli.debug_log import debug_log
from fleetrun.executors import LOCAL_MODES, Mode
from fleetrun.executors.cluster import dask as our_dask
from fleetrun.executors.cluster import reach
from fleetrun.hosts import KeysFrom

NOWHERE = "tcp://127.0.0.1:1"
OVER_TLS = "tls://127.0.0.1:1"


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_CONNECT_S", 0.5)
    monkeypatch.setattr(reach, "_BOUND_S", 0.5)


class Refusal:
    """Calls `exec` with options that are refused; returns the sentence, which is all it writes."""

    def __init__(self, fleetrun: CommandLine) -> None:
        self._fleetrun = fleetrun

    def __call__(self, *options: str | Path) -> str:
        ran: Ran = self._fleetrun("exec", "-i", "h1,", "true", *map(str, options))
        assert (ran.code, ran.out) == (2, "")
        (line,) = ran.err.splitlines()
        assert line.startswith("fleetrun: error: ")
        return line.removeprefix("fleetrun: error: ")


@pytest.fixture
def refusal(fleetrun: CommandLine) -> Refusal:
    return Refusal(fleetrun)


@contextlib.contextmanager
def server(words: bytes) -> Iterator[str]:
    """Yield the address of something on this machine that says these words and is no scheduler."""
    with socket.create_server(("127.0.0.1", 0)) as listening, contextlib.ExitStack() as opened:

        def serve() -> None:
            with contextlib.suppress(OSError):  # it is closed
                while True:
                    connection, _ = listening.accept()
                    opened.enter_context(connection).sendall(words)

        serving = Thread(target=serve)
        serving.start()
        try:
            yield f"tcp://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            serving.join()


@pytest.mark.parametrize("mode", LOCAL_MODES, ids=str)
def test_a_scheduler_is_for_the_mode_dask_alone(mode: Mode, refusal: Refusal) -> None:
    said = refusal("--mode", mode, "--scheduler", NOWHERE)
    assert said == f"--scheduler is for --mode dask, and not for {mode}"


@pytest.mark.parametrize("option", ["--site-key", "--tls-ca-file", "--tls-cert", "--tls-key"])
@pytest.mark.parametrize("mode", ["auto", "dask"])
def test_what_belongs_to_a_cluster_is_refused_without_a_scheduler(
    option: str, mode: str, refusal: Refusal, tmp_path: Path
) -> None:
    (tmp_path / "it").touch()
    said = refusal("--mode", mode, option, "it")
    assert said == f"{option} belongs to a cluster: name its --scheduler too"


@pytest.mark.parametrize("whose", list(KeysFrom), ids=str)
def test_whose_keys_log_in_is_no_question_without_a_scheduler(
    whose: KeysFrom, refusal: Refusal
) -> None:
    said = refusal("--mode", "dask", "--keys-from", whose)
    assert said == "--keys-from belongs to a cluster: name its --scheduler too"


@pytest.mark.parametrize("option", ["--tls-ca-file", "--tls-cert", "--tls-key"])
def test_a_file_that_is_missing_is_named(option: str, refusal: Refusal) -> None:
    said = refusal("--scheduler", OVER_TLS, option, "nothing.pem")
    assert said == f"Invalid value for '{option}': File 'nothing.pem' does not exist."


@pytest.mark.parametrize("text", ["", "{}", "[1]", '"tcp://127.0.0.1:1"', "address = 1"])
def test_a_file_that_no_scheduler_wrote_is_refused(
    text: str, refusal: Refusal, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text(text)
    assert refusal("--scheduler", "file") == "file: is no file of a Dask scheduler"


@pytest.mark.parametrize("address", ["", "here", "no/such/file.json", ".", "ssh://h1:22"])
def test_what_is_neither_an_address_nor_a_file_is_refused(address: str, refusal: Refusal) -> None:
    said = refusal("--scheduler", address)
    assert said.startswith(f"--scheduler {address!r} is neither an address such as tls://")


@pytest.mark.parametrize("given", [(), ("--tls-ca-file",), ("--tls-cert",), ("--tls-key",)])
def test_tls_without_its_files_is_refused_and_they_are_named(
    given: tuple[str, ...], refusal: Refusal, tmp_path: Path
) -> None:
    ca = make_tls_files(tmp_path).ca
    said = refusal("--scheduler", OVER_TLS, *(word for option in given for word in (option, ca)))
    assert said.startswith(f"{OVER_TLS} is reached over TLS: give --tls-ca-file and --tls-cert")


def test_files_for_tls_are_not_left_aside_for_an_address_without_it(
    refusal: Refusal, tmp_path: Path
) -> None:
    tls = make_tls_files(tmp_path)
    files = ("--tls-ca-file", tls.ca, "--tls-cert", tls.certificate, "--tls-key", tls.key)
    said = refusal("--scheduler", NOWHERE, *files)
    assert said.startswith(f"{NOWHERE} would be reached without TLS, for which there are files")


def test_an_address_without_a_protocol_is_reached_over_tls_when_there_are_files_for_it(
    refusal: Refusal, tmp_path: Path
) -> None:
    tls = make_tls_files(tmp_path)
    files = ("--tls-ca-file", tls.ca, "--tls-cert", tls.certificate, "--tls-key", tls.key)
    said = refusal("--scheduler", "127.0.0.1:1", *files)
    assert said == f"the Dask scheduler at {OVER_TLS} cannot be reached: Connection refused"


def test_files_that_are_no_certificates_are_refused(refusal: Refusal, tmp_path: Path) -> None:
    (tmp_path / "junk").write_text("junk")
    files = ("--tls-ca-file", "junk", "--tls-cert", "junk")
    said = refusal("--scheduler", OVER_TLS, *files)
    assert said.startswith("the files for TLS cannot be used: ")
    assert "_ssl.c" not in said


def test_a_file_of_dasks_configuration_that_is_missing_is_not_called_an_unreachable_scheduler(
    refusal: Refusal, tmp_path: Path
) -> None:
    import dask  # noqa: PLC0415 (slow)

    tls = {"ca-file": str(make_tls_files(tmp_path).ca), "client.cert": str(tmp_path / "none.pem")}
    with dask.config.set({f"distributed.comm.tls.{key}": file for key, file in tls.items()}):
        said = refusal("--scheduler", OVER_TLS)
    assert said == "the files for TLS cannot be used: No such file or directory"


def test_a_scheduler_that_is_not_there_is_a_sentence_with_its_address(refusal: Refusal) -> None:
    said = refusal("--scheduler", NOWHERE)
    assert said == f"the Dask scheduler at {NOWHERE} cannot be reached: Connection refused"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        pytest.param(b"", "whatever is there says nothing", id="silent"),
        pytest.param(b"SSH-2.0-x\r\n", "whatever answers there is no Dask scheduler", id="another"),
    ],
)
def test_what_is_no_scheduler_is_not_taken_for_one(
    words: bytes, why: str, refusal: Refusal
) -> None:
    with server(words) as address:
        said = refusal("--scheduler", address)
    assert said == f"the Dask scheduler at {address} cannot be reached: {why}"


@pytest.mark.parametrize("options", [("--mode", "dask"), ("--scheduler", NOWHERE)])
def test_without_dask_it_is_said_how_to_install_it(
    options: tuple[str, ...], refusal: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(our_dask, "find_spec", lambda _name: None)
    said = refusal(*options)
    assert said == "the mode dask needs Dask; install it with: pip install 'fleetrun[dask]'"


def test_the_debug_log_has_what_dask_says_but_not_its_messages(tmp_path: Path) -> None:
    with debug_log(str(tmp_path / "log")):
        logging.getLogger("distributed.worker").info("it said so")
        logging.getLogger("distributed.core").debug("a whole message, with a secret")
    written = (tmp_path / "log").read_text()
    assert "it said so" in written
    assert "secret" not in written

"""The ssh-agent: a real one, and some that are in trouble."""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import paramiko
import pytest
from host_key_pool import MadeKey, keygen, make_host_key, sign
from paramiko.agent import AgentKey
from servers import wait_until

from fleetrun import Host
from fleetrun.ssh import agent, keys
from fleetrun.ssh.agent import TimedAgent, agent_keys
from fleetrun.ssh.keys import MAX_OFFERS, login_keys

LIST_ANSWER = 12
FAILURE = 5
PATIENCE_S = 30.0


@pytest.fixture
def place() -> Iterator[Path]:
    """Return where an agent's socket may be: a short path, since AF_UNIX allows 107 bytes."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "agent"


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Return what names an agent to us, in a home folder without keys."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    keys._own_keys.cache_clear()
    return lambda path: monkeypatch.setenv("SSH_AUTH_SOCK", path)


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """Let go of the keys that a test has asked for, and of the connection to the agent."""
    yield
    keys._own_keys.cache_clear()


@contextlib.contextmanager
def asked() -> Iterator[list[AgentKey]]:
    """Yield the agent's keys, and close the connection to it afterwards."""
    found = agent_keys()
    try:
        yield found
    finally:
        for key in found:
            key.agent._close()


@pytest.fixture
def real_agent(place: Path, use: Callable[[str], None]) -> Iterator[Callable[[MadeKey], None]]:
    """Run an ssh-agent, and return what adds a key to it."""
    with subprocess.Popen(
        ["ssh-agent", "-D", "-a", str(place)], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    ) as process:
        wait_until(place.exists)
        use(str(place))

        def add(key: MadeKey) -> None:
            command = ["ssh-add", "-q", str(key.path)]
            subprocess.run(command, check=True, timeout=PATIENCE_S, stdin=subprocess.DEVNULL)

        try:
            yield add
        finally:
            process.terminate()


# --- a real one ----------------------------------------------------------------------------------


def test_the_agents_keys_sign(real_agent: Callable[[MadeKey], None], tmp_path: Path) -> None:
    made = [
        make_host_key(tmp_path / kind, kind, *bits)
        for kind, bits in (("ed25519", ()), ("rsa", ("-b", "2048")), ("ecdsa", ()))
    ]
    for key in made:
        real_agent(key)
    with asked() as found:
        assert [key.asbytes() for key in found] == [key.public.blob for key in made]
        for key, algorithm in zip(
            found, ("ssh-ed25519", "rsa-sha2-512", "ecdsa-sha2-nistp256"), strict=True
        ):
            signature = key.sign_ssh_data(b"data", algorithm)
            assert key.inner_key.verify_ssh_sig(b"data", paramiko.Message(signature))


def test_one_connection_serves_many_threads_and_mixes_no_answers_up(
    real_agent: Callable[[MadeKey], None], tmp_path: Path
) -> None:
    real_agent(make_host_key(tmp_path / "key"))
    with asked() as (key,), ThreadPoolExecutor(8) as pool:
        texts = [f"text {number}".encode() for number in range(64)]
        signatures = list(pool.map(key.sign_ssh_data, texts))
        for text, signature in zip(texts, signatures, strict=True):
            assert key.inner_key.verify_ssh_sig(text, paramiko.Message(signature))


def test_a_certificate_in_the_agent_does_not_cost_the_other_keys(
    real_agent: Callable[[MadeKey], None], tmp_path: Path
) -> None:
    key, other = make_host_key(tmp_path / "key"), make_host_key(tmp_path / "other")
    sign(make_host_key(tmp_path / "authority"), key, "-n", "me", host=False)
    real_agent(key)  # ssh-add takes the certificate beside it along
    real_agent(other)
    with asked() as found:
        names = [key.get_name() for key in found]
        assert names[0] == "ssh-ed25519"
        assert other.public.blob in [key.asbytes() for key in found]
        assert all(key.sign_ssh_data(b"data", key.get_name()) for key in found)


def test_of_nine_keys_five_are_offered_and_the_rest_are_named_in_a_hint(
    real_agent: Callable[[MadeKey], None], tmp_path: Path
) -> None:
    made = [make_host_key(tmp_path / f"key{number}") for number in range(9)]
    for key in made:
        real_agent(key)
    own = login_keys(Host(name="web1"))
    try:
        blobs = [key.asbytes() for key in own.keys]
        assert blobs == [key.public.blob for key in made[:MAX_OFFERS]]
        assert "4 more keys" in own.hint
        assert "--private-key" in own.hint
        assert login_keys(Host(name="web2")) is own
    finally:
        own.keys[0].agent._close()


def test_the_usual_files_and_the_agents_keys_are_no_more_than_a_server_takes(
    real_agent: Callable[[MadeKey], None], tmp_path: Path
) -> None:
    """A key that is in both is offered once."""
    (tmp_path / ".ssh").mkdir()
    usual = make_host_key(tmp_path / ".ssh" / "id_ed25519")
    make_host_key(tmp_path / ".ssh" / "id_ecdsa", "ecdsa")
    for key in [usual, *(make_host_key(tmp_path / f"key{number}") for number in range(4))]:
        real_agent(key)
    own = login_keys(Host(name="web1"))
    try:
        blobs = [key.asbytes() for key in own.keys]
        assert len(blobs) == len(set(blobs)) == MAX_OFFERS
        assert usual.public.blob in blobs
    finally:
        own.keys[0].agent._close()


def test_a_named_key_is_offered_alone_and_the_agent_is_not_asked(
    use: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(str(tmp_path / "nobody"))
    monkeypatch.setattr(keys, "agent_keys", lambda: pytest.fail("the agent was asked"))
    named = make_host_key(tmp_path / "named")
    own = login_keys(Host(name="web1", private_key=str(named.path)))
    assert [key.asbytes() for key in own.keys] == [named.public.blob]


# --- scripted ones -------------------------------------------------------------------------------


@contextlib.contextmanager
def scripted_agent(place: Path, *answers: bytes | None) -> Iterator[None]:
    """Answer one connection's questions with these bytes, then hang up; None never answers."""
    over = threading.Event()

    def serve(door: socket.socket) -> None:
        connection, _ = door.accept()
        with connection:
            for answer in answers:
                (size,) = struct.unpack(">I", connection.recv(4))
                connection.recv(size)
                if answer is None:
                    over.wait(PATIENCE_S)
                    return
                connection.sendall(answer)

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.bind(str(place))
        door.listen()
        thread = threading.Thread(target=serve, args=[door])
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(PATIENCE_S)


def framed(kind: int, body: bytes) -> bytes:
    """Return an answer as the agent sends it."""
    return struct.pack(">IB", len(body) + 1, kind) + body


def listing(*blobs_and_comments: tuple[bytes, bytes], count: int | None = None) -> bytes:
    """Return an agent's list of keys; count is what it claims their number to be."""
    body = b"".join(
        struct.pack(">I", len(part)) + part for pair in blobs_and_comments for part in pair
    )
    number = len(blobs_and_comments) if count is None else count
    return framed(LIST_ANSWER, struct.pack(">I", number) + body)


def blob_of(key_type: bytes, *rest: bytes) -> bytes:
    """Return a public key's blob of any type."""
    return b"".join(struct.pack(">I", len(part)) + part for part in (key_type, *rest))


ODD_KEYS = {
    "security key": (blob_of(b"sk-ssh-ed25519@openssh.com", bytes(32), b"ssh:"), b"yubi"),
    "unknown type": (blob_of(b"ssh-quantum", b"?"), b"new"),
    "broken ed25519": (blob_of(b"ssh-ed25519", b"short"), b"odd"),
    "broken rsa": (blob_of(b"ssh-rsa", b"", b""), b"odd"),
    "no type": (b"", b"odd"),
    "type of bytes": (blob_of(b"\xff\xfe"), b"odd"),
    "Latin-1 comment": (blob_of(b"ssh-quantum", b"?"), b"caf\xe9"),
    "certificate": (blob_of(b"ssh-ed25519-cert-v01@openssh.com", b"?"), b"odd"),
}


@pytest.mark.parametrize("odd", ODD_KEYS)
def test_an_odd_key_does_not_cost_the_others(
    odd: str, place: Path, use: Callable[[str], None], tmp_path: Path
) -> None:
    good = make_host_key(tmp_path / "good").public.blob
    use(str(place))
    with (
        scripted_agent(place, listing(ODD_KEYS[odd], (good, b"good"))),
        asked() as found,
    ):
        assert found[-1].asbytes() == good
        assert found[-1].comment == "good"


def test_a_comment_that_is_no_text_does_not_cost_its_key(
    place: Path, use: Callable[[str], None], tmp_path: Path
) -> None:
    good = make_host_key(tmp_path / "good").public.blob
    use(str(place))
    with scripted_agent(place, listing((good, b"caf\xe9"))), asked() as found:
        assert [key.asbytes() for key in found] == [good]


@pytest.mark.parametrize(
    "answer",
    [
        listing(),
        listing(count=100_000),
        framed(FAILURE, b""),
        framed(LIST_ANSWER, b""),
        framed(LIST_ANSWER, b"\0\0\0\x01\0\0\1\0abc"),
        b"\0\0\0\x09\x0c",
        b"\0\0\0\0",
        b"",
    ],
    ids=[
        "no keys",
        "far fewer than it claims",
        "refusal",
        "nothing in it",
        "cut short in a key",
        "cut short",
        "empty",
        "hung up",
    ],
)
def test_an_agent_without_a_usable_answer_has_no_keys(
    answer: bytes, place: Path, use: Callable[[str], None]
) -> None:
    use(str(place))
    with scripted_agent(place, answer), asked() as found:
        assert found == []


def test_a_hung_agent_is_left_out_in_time(
    place: Path,
    use: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(agent, "AGENT_TIMEOUT_S", 0.05)
    use(str(place))
    with scripted_agent(place, None), asked() as found:
        assert found == []
    assert "was left out: timed out" in caplog.text


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_one(
    place: Path, use: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent, "AGENT_TIMEOUT_S", 0.05)
    good = make_host_key(tmp_path / "good").public.blob
    use(str(place))
    with scripted_agent(place, listing((good, b"good")), None), asked() as (key,):
        with pytest.raises(TimeoutError):
            key.sign_ssh_data(b"data")
        with pytest.raises(OSError, match="Bad file descriptor"):
            key.sign_ssh_data(b"data")


@pytest.mark.parametrize("what", ["unset", "missing", "a file", "nobody listens"])
def test_without_an_agent_there_are_no_keys(
    what: str, place: Path, use: Callable[[str], None]
) -> None:
    if what == "a file":
        place.touch()
    if what == "nobody listens":
        with socket.socket(socket.AF_UNIX) as door:
            door.bind(str(place))
    if what != "unset":
        use(str(place))
    assert agent_keys() == []


def test_ssh_keygen_and_the_agent_name_a_key_alike(
    real_agent: Callable[[MadeKey], None], tmp_path: Path
) -> None:
    made = make_host_key(tmp_path / "key")
    real_agent(made)
    with asked() as (key,):
        assert key.fingerprint in keygen("-lf", f"{made.path}.pub")


def test_connecting_to_nobody_leaves_no_descriptor(place: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        TimedAgent(str(place))

"""Our reader of known_hosts: a table, and its verdicts beside those of ssh and ssh-keygen."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import re
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from host_key_pool import MadeKey, keygen, make_host_key, sign
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import require_sshd

from fleetrun import Host, HostKeyPolicy
from fleetrun.errors import HostKeyError
from fleetrun.ssh import known_hosts
from fleetrun.ssh.hostkeys import check_host_key, offered_key_types
from fleetrun.ssh.known_hosts import HostKey, KnownHosts, read_known_hosts

DIFFERENTIAL = settings(
    deadline=None,
    derandomize=True,  # CI must not fail for what nobody has changed
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
PORT = 2222


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The keys that generated files are made of, and the server that shows one of them."""

    folder: Path
    shown: MadeKey
    certificate: HostKey
    authority: MadeKey
    others: tuple[MadeKey, ...]

    @property
    def all(self) -> tuple[MadeKey, ...]:
        """Every key that a line may have."""
        return (self.shown, self.authority, *self.others)


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    """Return a pool of keys, made once."""
    folder = tmp_path_factory.mktemp("pool")
    shown, authority, other = (
        make_host_key(folder / name) for name in ("shown", "authority", "other")
    )
    return Pool(
        folder=folder,
        shown=shown,
        certificate=sign(authority, shown, "-n", "web1.example,web2.example"),
        authority=authority,
        others=(other, make_host_key(folder / "ecdsa", "ecdsa")),
    )


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Keep the warnings about thousands of bad lines out of a failure's report."""
    caplog.set_level(logging.CRITICAL, "fleetrun.ssh.known_hosts")


def lines_matching(content: str | bytes, name: str) -> list[int]:
    """Return the numbers of the lines that are about a name, as we read them."""
    raw = content.encode() if isinstance(content, str) else content
    found = KnownHosts.parse(raw.splitlines(), source="file").matching(name)
    return sorted(int(entry.place.rpartition(":")[2]) for entry in found)


def hashed(name: str, salt: bytes = b"s" * 20) -> str:
    """Return a name as `HashKnownHosts` writes it."""
    digest = hmac.digest(salt, name.encode(), "sha1")
    return "|1|" + "|".join(base64.b64encode(part).decode() for part in (salt, digest))


KEY = (
    "ssh-ed25519 "
    + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + hashlib.sha256(b"").digest()).decode()
)


# --- a table -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "name", "found"),
    [
        ("web1", "web1", True),
        ("web1", "web2", False),
        ("WEB1", "web1", True),
        ("web1", "WEB1", True),
        ("web1,web2,10.0.0.1", "10.0.0.1", True),
        ("web1", "[web1]:2222", False),
        ("[web1]:2222", "[web1]:2222", True),
        ("[web1]:2222", "web1", False),
        ("[WEB1]:2222", "[web1]:2222", True),
        ("[::1]:2222", "[::1]:2222", True),
        ("*.example", "web1.example", True),
        ("*.EXAMPLE", "web1.example", True),
        ("*.example", "[web1.example]:2222", False),
        ("[*.example]:2222", "[web1.example]:2222", True),
        ("[*]:*", "[web1.example]:2222", True),
        ("web?", "web1", True),
        ("web?", "web", False),
        ("*,!web1", "web1", False),
        ("!web1,*", "web1", False),
        ("*,!web1", "web2", True),
        ("!web1", "web2", False),
        ("web[12]", "web1", False),
        ("web[12]*", "web[12]x", True),
        (hashed("web1"), "web1", True),
        (hashed("web1"), "WEB1", True),
        (hashed("web1"), "web2", False),
        (hashed("[web1]:2222"), "[web1]:2222", True),
    ],
)
def test_a_line_is_about_the_names_that_it_lists(names: str, name: str, *, found: bool) -> None:
    assert lines_matching(f"{names} {KEY}\n", name) == [1] * found


@pytest.mark.parametrize(
    "line",
    [
        "web1",
        "web1 ssh-ed25519",
        "web1 ssh-ed25519 !!!",
        "web1 ssh-ed25519 AAAA",
        "web1 ssh-rsa " + KEY.split()[1],
        "web1 ssh-ed " + KEY.split()[1],
        "web1 1024 35 1234567890",
        "@unknown web1 " + KEY,
        "@revoked",
        "|1|not base64|x " + KEY,
        "|1|onlyonepart " + KEY,
        f"web1 {KEY[:-20]}",
        "\xff\xfe garbage",
    ],
    ids=str,
)
def test_a_bad_line_is_a_warning_with_its_number_and_the_rest_is_used(
    line: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "fleetrun.ssh.known_hosts")
    content = f"# a comment\n{line}\nweb1 {KEY}\n".encode("latin-1")
    assert lines_matching(content, "web1") == [3]
    (record,) = caplog.records
    assert "file:2: " in record.getMessage()


@pytest.mark.parametrize(
    "content",
    [
        f"web1 {KEY}",
        f"web1 {KEY}\r\n",
        f"  web1\t{KEY}  a comment\n",
        f"web1 {KEY} {'c' * 5000}\n",
        f"web1 {KEY} caf\xe9\n",
        f"\n\n#x\nweb1 {KEY}\n",
    ],
    ids=["no final newline", "CRLF", "white space", "long comment", "Latin-1", "blank lines"],
)
def test_a_line_that_ssh_would_read_is_read(content: str) -> None:
    assert len(lines_matching(content.encode("latin-1"), "web1")) == 1


def test_a_fingerprint_is_what_ssh_keygen_prints(pool: Pool) -> None:
    assert pool.shown.public.fingerprint in keygen("-lf", f"{pool.shown.path}.pub")


# --- read once, indexed --------------------------------------------------------------------------


def test_ten_thousand_lines_are_read_once_and_found_without_a_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "known_hosts"
    path.write_text("".join(f"host{number} {KEY}\n" for number in range(10_000)))
    parsed: list[int] = []
    parse = known_hosts._entry

    def noting(line: str, *, source: str, number: int) -> known_hosts.Entry:
        parsed.append(number)
        return parse(line, source=source, number=number)

    monkeypatch.setattr(known_hosts, "_entry", noting)
    for number in range(0, 10_000, 1000):
        (entry,) = read_known_hosts(path).matching(f"host{number}")
        assert entry.place == f"{path}:{number + 1}"
    assert len(parsed) == 10_000
    index = read_known_hosts(path)
    assert not index._hashed
    assert not index._patterns
    assert len(index._by_name) == 10_000


def test_hashed_lines_are_tried_once_for_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"{hashed(f'web{number}', bytes([number]) * 20)} {KEY}" for number in range(50)]
    index = KnownHosts.parse([line.encode() for line in lines], source="file")
    tried: list[bytes] = []
    digest = hmac.digest

    def noting(key: bytes, msg: bytes, name: str) -> bytes:
        tried.append(msg)
        return digest(key, msg, name)

    monkeypatch.setattr(hmac, "digest", noting)
    for name in ("web7", "WEB7", "web7", "web99", "web99"):
        places = [entry.place for entry in index.matching(name)]
        assert places == (["file:8"] if name.lower() == "web7" else [])
    assert tried == [b"web7"] * 50 + [b"web99"] * 50


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    assert list(read_known_hosts(path).matching("web1")) == []
    path.write_text(f"web1 {KEY}\n")
    assert len(list(read_known_hosts(path).matching("web1"))) == 1
    assert read_known_hosts(path) is read_known_hosts(path)
    path.write_text(f"web1 {KEY}\nweb1 {KEY}\n")
    assert len(list(read_known_hosts(path).matching("web1"))) == 2


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HostKeyError, match=f"{tmp_path}: cannot be read"):
        read_known_hosts(tmp_path)


# --- beside ssh-keygen and ssh -------------------------------------------------------------------

HOSTS = ("web1.example", "web2.example", "10.0.0.1")
PATTERNS = (
    *("*", "*.example", "web?.example", "web[12].example", "10.*", "!web1.example", "!10.0.0.1"),
    *("[*]:2222", "[*.example]:2222", "[web1.example]:*", "![web1.example]:2222", "*:2222"),
)


def spellings() -> st.SearchStrategy[str]:
    """Return names as they may stand in a file, in any letter case, with and without a port."""
    plain = st.sampled_from(HOSTS)
    with_port = plain.map(lambda host: f"[{host}]:{PORT}")
    name = st.one_of(plain, with_port, st.sampled_from(PATTERNS))
    return st.one_of(name, name, name.map(str.upper))


def name_lists() -> st.SearchStrategy[str]:
    """Return the first word of a line: a comma list, or a hashed name."""
    listed = st.lists(spellings(), min_size=1, max_size=3).map(",".join)
    name = st.one_of(st.sampled_from(HOSTS), st.sampled_from(HOSTS).map(lambda h: f"[{h}]:{PORT}"))
    return st.one_of(listed, listed, st.builds(hashed, name, st.binary(min_size=20, max_size=20)))


def good_lines(pool: Pool) -> st.SearchStrategy[str]:
    """Return lines that can be read."""
    marker = st.sampled_from(["", "", "", "@revoked ", "@cert-authority "])
    key = st.sampled_from([pool.shown, *pool.all]).map(lambda made: made.words)
    comment = st.sampled_from(["", " me@here", "\tcaf\xe9 # x"])
    return st.builds("{}{} {}{}".format, marker, name_lists(), key, comment)


def lines(pool: Pool) -> st.SearchStrategy[str]:
    """Return lines that can be read, and some that cannot."""
    good = good_lines(pool)
    cut = st.builds(lambda line, at: line[: at % len(line)], good, st.integers(1, 10_000))
    other = st.sampled_from(["", "# comment", "   ", "garbage", "@revoked", "a b c", "\xff\xfe"])
    return st.one_of(good, good, good, cut, other)


def contents(pool: Pool) -> st.SearchStrategy[bytes]:
    """Return the contents of a known_hosts file."""
    end = st.sampled_from(["\n", "\n", "\n", ""])
    text = st.builds(
        lambda body, last: "\n".join(body) + last, st.lists(lines(pool), max_size=5), end
    )
    return text.map(lambda text: text.encode("latin-1"))


def hosts_to_ask_for() -> st.SearchStrategy[tuple[str, int]]:
    """Return an address, in any letter case, and a port."""
    address = st.sampled_from([*HOSTS, HOSTS[0].upper()])
    return st.tuples(address, st.sampled_from([22, PORT]))


@pytest.mark.long
@given(data=st.data())
@settings(DIFFERENTIAL, max_examples=80)
def test_the_lines_about_a_name_are_those_that_ssh_keygen_finds(
    data: st.DataObject, pool: Pool, tmp_path: Path
) -> None:
    content = data.draw(contents(pool), label="file")
    address, port = data.draw(hosts_to_ask_for(), label="host")
    name = address if port == 22 else f"[{address}]:{port}"
    file = tmp_path / "asked"
    file.write_bytes(content)
    found = re.findall(r"found: line (\d+)", keygen("-l", "-F", name.lower(), "-f", str(file)))
    assert lines_matching(content, name) == sorted(map(int, found))


class SshVerdict:
    """Asks ssh itself: it is given a known_hosts file and sshd as its ProxyCommand."""

    def __init__(self, sshd: str, pool: Pool) -> None:
        self._folder = pool.folder
        for name, certificate in (("plain", ""), ("certified", "-cert.pub")):
            lines = [f"HostKey {pool.shown.path}", "UsePAM no", "StrictModes no", "PidFile none"]
            if certificate:
                lines.append(f"HostCertificate {pool.shown.path}{certificate}")
            (pool.folder / f"{name}_config").write_text("\n".join(lines) + "\n")
        self._command = f"{sshd} -i -f {pool.folder}/%s_config"

    def __call__(self, host: Host, *, certified: bool) -> bool:
        """Return whether ssh goes on to the login, which always fails."""
        policy = {HostKeyPolicy.STRICT: "yes", HostKeyPolicy.ACCEPT_NEW: "accept-new"}
        server = self._command % ("certified" if certified else "plain")
        options = {
            "BatchMode": "yes",
            "GlobalKnownHostsFile": "none",
            "HashKnownHosts": "no",
            "LogLevel": "ERROR",
            "PreferredAuthentications": "none",
            "ProxyCommand": server,
            "StrictHostKeyChecking": policy[host.host_keys],
            "UserKnownHostsFile": host.known_hosts[0],
        }
        said = subprocess.run(
            [
                *("ssh", "-F", "none", "-T", "-p", str(host.port)),
                *(f"-o{name}={value}" for name, value in options.items()),
                *(f"nobody@{host.address}", "true"),
            ],
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
        ).stderr
        accepted, refused = b"Permission denied" in said, b"verification failed" in said
        assert accepted != refused, said
        return accepted


@pytest.fixture(scope="session")
def ssh_verdict(pool: Pool) -> SshVerdict:
    """Return what asks ssh whether it takes the pool's server for a host."""
    return SshVerdict(require_sshd(), pool)


def our_verdict(host: Host, pool: Pool, *, certified: bool) -> bool:
    """Return whether we would go on to the login, with the type of key that we would ask for."""
    asked_for = offered_key_types(host, [pool.shown.public.key_type])[0]
    certificate = certified and asked_for == pool.certificate.key_type
    try:
        check_host_key(host, pool.certificate if certificate else pool.shown.public)
    except HostKeyError:
        return False
    return True


def both_verdicts(
    content: bytes,
    host: Host,
    pool: Pool,
    ssh_verdict: SshVerdict,
    folder: Path,
    *,
    certified: bool,
) -> tuple[bool, bool]:
    """Return our verdict and that of ssh, each on a file of its own with that content."""
    ours, theirs = (folder / f"{name}{len(list(folder.iterdir()))}" for name in ("ours", "theirs"))
    ours.write_bytes(content)
    theirs.write_bytes(content)
    return (
        our_verdict(replace(host, known_hosts=(str(ours),)), pool, certified=certified),
        ssh_verdict(replace(host, known_hosts=(str(theirs),)), certified=certified),
    )


@pytest.mark.long
@pytest.mark.parametrize("policy", [HostKeyPolicy.STRICT, HostKeyPolicy.ACCEPT_NEW], ids=str)
@given(data=st.data())
@settings(DIFFERENTIAL, max_examples=12)
def test_a_key_is_taken_for_the_hosts_when_ssh_takes_it(
    data: st.DataObject,
    pool: Pool,
    ssh_verdict: SshVerdict,
    tmp_path: Path,
    policy: HostKeyPolicy,
) -> None:
    content = data.draw(contents(pool), label="file")
    address, port = data.draw(hosts_to_ask_for(), label="host")
    host = Host(name="h", address=address, port=port, host_keys=policy)
    ours, theirs = both_verdicts(content, host, pool, ssh_verdict, tmp_path, certified=False)
    assert ours == theirs


@pytest.mark.long
@given(data=st.data())
@settings(DIFFERENTIAL, max_examples=12)
def test_a_certificate_is_taken_for_the_hosts_only_when_ssh_takes_it(
    data: st.DataObject, pool: Pool, ssh_verdict: SshVerdict, tmp_path: Path
) -> None:
    """What ssh takes beyond that, it takes by going back to the plain key in odd ways.

    Only under the strict policy: we ask for a certificate where an authority is known, ssh asks
    for one always, so that the two are not shown the same key by a host that is new.
    """
    content = data.draw(contents(pool), label="file")
    address, port = data.draw(hosts_to_ask_for(), label="host")
    host = Host(name="h", address=address, port=port)
    ours, theirs = both_verdicts(content, host, pool, ssh_verdict, tmp_path, certified=True)
    assert theirs or not ours


@pytest.mark.long
@pytest.mark.parametrize(
    ("text", "port", "certified", "taken"),
    [
        ("{web1} {shown}", 22, False, True),
        ("{web1} {shown}", PORT, False, True),
        ("{web1} {other}\n{web1} {shown}", 22, False, True),
        ("[{web1}]:2222 {other}\n{web1} {shown}", PORT, False, False),
        ("{web1} {shown}\n@revoked {web1} {shown}", 22, False, False),
        ("{web1} {shown}\n@revoked {web1} {shown}", PORT, False, False),
        ("@cert-authority {web1} {authority}", 22, True, True),
        ("@cert-authority *.example {authority}", PORT, True, True),
        ("@cert-authority [*.example]:2222 {authority}", PORT, True, True),
        ("@cert-authority {web1} {other}\n{web1} {shown}", 22, True, True),
        ("@cert-authority {web1} {other}", 22, True, False),
        ("{web1} {authority}", 22, True, False),
        ("@cert-authority * {authority}\n@revoked * {authority}", 22, True, False),
        ("@cert-authority * {authority}\n@revoked * {shown}", 22, True, False),
    ],
    ids=[
        "known",
        "known without its port",
        "one of two",
        "another one at the port",
        "revoked",
        "revoked without its port",
        "authority",
        "authority without the port",
        "authority with the port",
        "unknown authority, known key",
        "unknown authority",
        "an authority's key as a plain one",
        "revoked authority",
        "revoked key of a certificate",
    ],
)
def test_a_verdict_is_that_of_ssh(
    text: str,
    port: int,
    pool: Pool,
    ssh_verdict: SshVerdict,
    tmp_path: Path,
    *,
    certified: bool,
    taken: bool,
) -> None:
    content = text.format(
        web1=HOSTS[0],
        shown=pool.shown.words,
        other=pool.others[0].words,
        authority=pool.authority.words,
    ).encode()
    host = Host(name="h", address=HOSTS[0], port=port)
    verdicts = both_verdicts(content, host, pool, ssh_verdict, tmp_path, certified=certified)
    assert verdicts == (taken, taken), "ours, theirs"


def test_pool_keys_are_of_different_kinds(pool: Pool) -> None:
    """What the differential tests rest on."""
    assert {made.public.key_type for made in pool.all} == {"ssh-ed25519", "ecdsa-sha2-nistp256"}
    assert pool.certificate.key_type == "ssh-ed25519-cert-v01@openssh.com"

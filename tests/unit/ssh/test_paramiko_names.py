"""What we override and use of paramiko's insides: an upgrade that moves it fails here, by name."""

from __future__ import annotations

import inspect
import logging
import subprocess
import sys
from types import ModuleType
from typing import Any, ClassVar

import paramiko
import pytest
from paramiko import agent, auth_handler, common, packet, ssh_exception
from paramiko import transport as their_transport
from scripted_peer import PASSWORD, USER, connected, wire_to_a_socket

from fleetrun.ssh import foreign
from fleetrun.ssh.agent import TimedAgent
from fleetrun.ssh.packets import Packets
from fleetrun.ssh.transport import Login, Transport

THEIR_TRANSPORT = their_transport.ServiceRequestingTransport

CIPHER = ("self", "block_engine", "block_size", "mac_engine", "mac_size", "mac_key")

OVERRIDDEN: dict[type, tuple[type, dict[str, tuple[str, ...]]]] = {
    Transport: (
        THEIR_TRANSPORT,
        {
            "_log": ("self", "level", "msg", "args"),
            "_check_banner": ("self",),
            "_send_kex_init": ("self",),
            "_really_parse_kex_init": ("self", "m", "ignore_first_byte"),
            "_negotiate_keys": ("self", "m"),
            "_parse_ext_info": ("self", "msg"),
            "_verify_key": ("self", "host_key", "sig"),
            "_parse_newkeys": ("self", "m"),
            "_filter_algorithm": ("self", "type_"),
            "_compute_key": ("self", "id", "nbytes"),
            "ensure_session": ("self",),
            "close": ("self",),
        },
    ),
    Login: (
        auth_handler.AuthOnlyHandler,
        {
            "auth_none": ("self", "username"),
            "wait_for_response": ("self", "event"),
            "_parse_userauth_failure": ("self", "m"),
            "_parse_userauth_info_request": ("self", "m"),
        },
    ),
    Packets: (
        packet.Packetizer,
        {
            "read_all": ("self", "n", "check_rekey"),
            "write_all": ("self", "out"),
            "read_message": ("self",),
            "send_message": ("self", "data"),
            "reset_seqno_in": ("self",),
            "reset_seqno_out": ("self",),
            "set_inbound_cipher": (*CIPHER, "etm", "aead", "iv_in"),
            "set_outbound_cipher": (*CIPHER, "sdctr", "etm", "aead", "iv_out"),
        },
    ),
    TimedAgent: (agent.AgentSSH, {"_send_message": ("self", "msg")}),
}
"""Methods of theirs that ours take the place of, by our class, with the parameters of theirs."""

SETTINGS = {
    "_CLIENT_ID",
    "_preferred_ciphers",
    "_preferred_macs",
    "_preferred_kex",
    "_kex_info",
    "_cipher_info",
    "preferred_keys",
    "preferred_pubkeys",
}
"""Names of theirs that our transport gives another value."""

USED: list[tuple[type | ModuleType, str]] = [
    (THEIR_TRANSPORT, "_expect_packet"),
    (THEIR_TRANSPORT, "_enforce_strict_kex"),
    (THEIR_TRANSPORT, "_send_kex_init"),
    (THEIR_TRANSPORT, "_send_message"),
    (THEIR_TRANSPORT, "_preferred_keys"),
    (THEIR_TRANSPORT, "preferred_ciphers"),
    (THEIR_TRANSPORT, "preferred_macs"),
    (THEIR_TRANSPORT, "preferred_kex"),
    (THEIR_TRANSPORT, "preferred_compression"),
    (THEIR_TRANSPORT, "auth_password"),
    (THEIR_TRANSPORT, "auth_publickey"),
    (THEIR_TRANSPORT, "auth_interactive"),
    (THEIR_TRANSPORT, "get_exception"),
    (auth_handler.AuthOnlyHandler, "_handler_table"),
    (auth_handler.AuthOnlyHandler, "is_authenticated"),
    (auth_handler.AuthOnlyHandler, "send_auth_request"),
    (packet.Packetizer, "need_rekey"),
    (packet.Packetizer, "close"),
    (packet.Packetizer, "REKEY_BYTES"),
    (agent.AgentSSH, "_read_all"),
    (agent, "AgentKey"),
    (agent, "cSSH2_AGENTC_REQUEST_IDENTITIES"),
    (agent, "SSH2_AGENT_IDENTITIES_ANSWER"),
    (ssh_exception, "PartialAuthentication"),
]

ATTRIBUTES = (
    "_expected_packet",
    "_handler_table",
    "active",
    "auth_handler",
    "in_kex",
    "initial_kex_done",
    "kex_engine",
    "local_version",
    "packetizer",
)
"""What every transport of theirs has, and ours reads."""


def helped(name: str, where: object) -> str:
    """Return what to tell who has upgraded paramiko."""
    return (
        f"paramiko {paramiko.__version__} has no {where}.{name} as we know it: read what has become"
        " of it, change fleetrun/ssh accordingly, and then this table"
    )


@pytest.mark.parametrize(
    ("theirs", "name", "parameters"),
    [
        pytest.param(theirs, name, parameters, id=f"{theirs.__name__}.{name}")
        for theirs, methods in OVERRIDDEN.values()
        for name, parameters in methods.items()
    ],
)
def test_a_method_that_we_override_is_still_there_with_its_parameters(
    theirs: type, name: str, parameters: tuple[str, ...]
) -> None:
    method = getattr(theirs, name, None)
    assert method is not None, helped(name, theirs.__name__)
    assert tuple(inspect.signature(method).parameters) == parameters, helped(name, theirs.__name__)


@pytest.mark.parametrize(
    ("ours", "theirs", "meant"),
    [
        pytest.param(ours, theirs, {*methods, *(SETTINGS if ours is Transport else ())})
        for ours, (theirs, methods) in OVERRIDDEN.items()
    ],
    ids=[ours.__name__ for ours in OVERRIDDEN],
)
def test_nothing_of_theirs_is_overridden_but_what_is_meant_to_be(
    ours: type, theirs: type, meant: set[str]
) -> None:
    shared = {name for name in vars(ours) if hasattr(theirs, name)}
    assert {name for name in shared if not name.startswith("__")} == meant


def test_no_attribute_of_a_transport_of_ours_is_one_of_theirs_by_accident() -> None:
    with wire_to_a_socket() as (wire, _):
        theirs = set(vars(THEIR_TRANSPORT(wire)))
        ours = set(vars(Transport(wire, key_types=())))
    added = ours - theirs
    assert "_wire" in added
    assert not {name for name in added if hasattr(THEIR_TRANSPORT, name)}


@pytest.mark.parametrize(
    ("owner", "name"),
    [pytest.param(owner, name, id=f"{owner.__name__}.{name}") for owner, name in USED],
)
def test_a_name_that_we_use_is_still_there(owner: type | ModuleType, name: str) -> None:
    assert hasattr(owner, name), helped(name, owner.__name__)


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_an_attribute_that_we_read_is_still_there(name: str) -> None:
    with wire_to_a_socket() as (wire, _):
        transport = THEIR_TRANSPORT(wire)
        assert hasattr(transport, name), helped(name, "Transport()")


@pytest.mark.parametrize("name", ["curve25519-sha256@libssh.org", "ecdh-sha2-nistp256"])
def test_a_key_exchange_that_we_count_on_is_still_there(name: str) -> None:
    assert name in THEIR_TRANSPORT._kex_info, helped(f"_kex_info[{name!r}]", "Transport")
    assert name in THEIR_TRANSPORT._preferred_kex, helped("_preferred_kex", "Transport")


@pytest.mark.parametrize("kind", ["ciphers", "macs", "kex", "keys"])
def test_all_that_we_offer_is_known_to_paramiko(kind: str) -> None:
    table = {"ciphers": "_cipher_info", "macs": "_mac_info", "kex": "_kex_info"}.get(
        kind, "_key_info"
    )
    offered = getattr(Transport, f"_preferred_{kind}")
    assert offered
    assert set(offered) <= set(getattr(Transport, table)), helped(table, "Transport")


@pytest.mark.parametrize("word", ["cbc", "3des", "md5", "sha1", "ssh-dss", "ssh-rsa"])
def test_nothing_that_is_broken_is_offered(word: str) -> None:
    offered = (
        *Transport._preferred_ciphers,
        *Transport._preferred_macs,
        *Transport._preferred_kex,
        *Transport._preferred_keys,
    )
    assert not [name for name in offered if name.startswith(word) or f"-{word}" in name]


class Recording(Transport):
    """A transport that notes which of its methods paramiko calls."""

    called: ClassVar[set[str]] = set()

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401 (whatever it has)
        caller = inspect.currentframe()
        caller = None if caller is None else caller.f_back
        if caller is not None and caller.f_globals["__name__"].startswith("paramiko."):
            Recording.called.add(name)
        return super().__getattribute__(name)


def test_paramiko_calls_what_we_override_during_a_login() -> None:
    """An override that nobody calls any more would be silently without effect."""
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    Recording.called.clear()
    with connected(Recording) as transport:
        with pytest.raises(ssh_exception.AuthenticationException):
            transport.auth_password(USER, "wrong")
        transport.auth_password(USER, PASSWORD)
    ours = {"_log", "_really_parse_kex_init", "_verify_key", "ensure_session", "preferred_keys"}
    theirs = {"_expect_packet", "_send_message", "packetizer", "sock", "auth_handler"}
    assert ours | theirs <= Recording.called


def test_a_refused_login_is_told_with_the_methods_that_are_left() -> None:
    with connected() as transport:
        with pytest.raises(ssh_exception.AuthenticationException):
            transport.auth_password(USER, "wrong")
        assert transport.auth_handler is not None
        assert transport.auth_handler.allowed == ["publickey", "password"]
        assert transport.auth_password(USER, PASSWORD) == []


def test_newkeys_and_kexinit_are_dispatched_to_our_overrides() -> None:
    with wire_to_a_socket() as (wire, _):
        table = Transport(wire, key_types=())._handler_table
    assert table[common.MSG_KEXINIT].__func__ is Transport._negotiate_keys
    assert table[common.MSG_NEWKEYS].__func__ is Transport._parse_newkeys


def test_a_transport_is_never_a_running_thread() -> None:
    with connected() as transport:
        assert not transport.is_alive()
        assert transport not in their_transport._active_threads


# --- errors --------------------------------------------------------------------------------------

MAPPED: set[type[Exception]] = {
    *foreign.INCOMPATIBLE,
    *foreign.BROKEN,
    *foreign.LOGIN_ANSWERS,
    *foreign.TAKEN_WHERE_THEY_ARISE,
    *foreign.NEVER_RAISED,
}
EXPORTED: set[type[Exception]] = {
    thing
    for module in (paramiko, ssh_exception)
    for thing in vars(module).values()
    if inspect.isclass(thing) and issubclass(thing, Exception)
}


@pytest.mark.parametrize("error", sorted(EXPORTED, key=str))
def test_every_error_of_paramiko_has_a_place_in_foreign(error: type[Exception]) -> None:
    assert error in MAPPED, f"say in fleetrun/ssh/foreign.py what becomes of {error.__name__}"


def test_foreign_names_no_error_that_is_gone() -> None:
    assert len(EXPORTED) > 10
    assert MAPPED <= EXPORTED


# --- what an import costs ------------------------------------------------------------------------


def run_python(code: str) -> str:
    """Run code in a fresh interpreter and return what it printed."""
    ran = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    return ran.stdout.strip()


def test_importing_our_ssh_does_not_really_import_invoke() -> None:
    code = """
import sys, fleetrun.ssh.connect
print(sorted(name for name in sys.modules if name.startswith("invoke")))
"""
    # a stand-in alone; the package itself would have brought its modules
    assert run_python(code) == "['invoke']"


def test_invoke_is_still_there_for_whoever_wants_it() -> None:
    code = "import fleetrun.ssh.connect, invoke; print(callable(invoke.run))"
    assert run_python(code) == "True"


@pytest.mark.parametrize("method", ["curve25519-sha256@libssh.org", "mlkem768x25519-sha256"])
@pytest.mark.parametrize("nbytes", [12, 32, 64, 100])
@pytest.mark.parametrize("secret", [1, 0x7F, 0x80, 2**255 - 19, b"\x80" * 32], ids=repr)
def test_a_key_is_derived_as_paramiko_derives_it(
    method: str, nbytes: int, secret: int | bytes
) -> None:
    with wire_to_a_socket() as (wire, _):
        transport = Transport(wire, key_types=())
        transport.kex_engine = THEIR_TRANSPORT._kex_info[method](transport)
        transport.K, transport.H, transport.session_id = secret, b"hash" * 8, b"session" * 4
        for letter in "ABCDEF":
            theirs = THEIR_TRANSPORT._compute_key(transport, letter, nbytes)
            assert transport._compute_key(letter, nbytes) == theirs

"""SSH's transport and channels, pumped by the thread that uses them.

    Wire ─► Packets ─► Transport.pump ─┬─► key exchange, login      (paramiko's own handlers)
                                       └─► Channel.take ─► consumer (ours: no pipe, no condition)

paramiko gives every connection a thread that reads and hands over. Here there is none: whoever
waits for something calls `pump_until`, which reads packets and dispatches them until it has
happened. Half the threads, no hand-over, and the wire's deadline ends every wait.

What is overridden of paramiko is pinned by name in `tests/unit/ssh/test_paramiko_names.py`.
"""

from __future__ import annotations

import functools
import logging
import math
import os
from collections.abc import Callable, Sequence
from typing import Any

from fleetrun.errors import Cancelled, ConnectError, ConnectionLost, DeadlinePassed
from fleetrun.results import Phase
from fleetrun.session import OnPhase
from fleetrun.ssh import chacha, legacy
from fleetrun.ssh.chacha import ChaChaPoly
from fleetrun.ssh.channel import (
    CHANNEL_MESSAGES,
    DATA_PACKET_BYTES,
    UNKNOWN,
    WINDOW_BYTES,
    Channel,
    nobody,
)
from fleetrun.ssh.foreign import INCOMPATIBLE, session_error
from fleetrun.ssh.messages import build_message, read_text
from fleetrun.ssh.packets import ClosedEarly, Packets
from fleetrun.ssh.wire import Wire

import paramiko  # isort: skip (foreign makes it cheap, and must come first)
from paramiko import common
from paramiko.auth_handler import AuthOnlyHandler
from paramiko.message import Message
from paramiko.ssh_exception import AuthenticationException
from paramiko.transport import ServiceRequestingTransport

log = logging.getLogger(__name__)

_MAX_BANNER_LINES = 1024
"""Lines that a server may say before its version, as OpenSSH has it."""

_COOKIE_BYTES = 16
_SIGNALS = ("ext-info-c", "kex-strict-c-v00@openssh.com")
"""Names among the key exchange methods that are none: RFC 8308, and OpenSSH's PROTOCOL, 1.10."""
_KEX_INIT_END_BYTES = 4 + 4 + 1 + 4
"""No languages either way, no guess, and a number that is 0."""

_DISCONNECT_BY_APPLICATION = 11
"""RFC 4253, section 11.1."""

_NUMBER_FROM_0 = ("SSH-2.0-OpenSSH_", "SSH-2.0-dropbear", "SSH-2.0-Go")
"""Versions of servers whose first channel has the number 0: they take the first free one."""

_MAX_EXTENSIONS = 1024
"""Things that a server may say it can do, as OpenSSH has it."""

_MAX_PROMPTS = 100
"""Things that a server may ask for at once; OpenSSH's asks for one at a time."""

_KEX_METHOD_MESSAGES = range(30, 42)
"""Numbers that belong to the key exchange method in use (RFC 4253, section 12)."""


class TurnedAway(ConnectError):
    """The server closed the connection before it said its version.

    Attributes:
        overloaded: whether it said that too many logins are under way (MaxStartups).
    """

    def __init__(self, sentence: str, said: Sequence[str]) -> None:
        super().__init__(sentence)
        self.overloaded = any("MaxStartups" in line for line in said)


class Login(AuthOnlyHandler):
    """paramiko's login requests, waiting by pumping.

    Attributes:
        allowed: the methods that the server named when it last refused one; None before that.
    """

    allowed: list[str] | None = None

    def auth_none(self, username: str) -> list[str]:
        """Ask to be let in with nothing; paramiko 5.1's own calls None to finish the request."""
        return list(self.send_auth_request(username, "none", lambda _message: None))

    def wait_for_response(self, event: Any) -> list[str]:  # noqa: ANN401 (paramiko's signature)
        """Return [] when logged in; raise the server's answer as paramiko understood it."""
        self.transport.pump_until(event.is_set)
        if self.is_authenticated():
            return []
        raise self.transport.get_exception() or AuthenticationException("refused")

    def _parse_userauth_failure(self, m: Message) -> None:
        self.allowed = m.get_list()
        m.rewind()
        super()._parse_userauth_failure(m)

    def _parse_userauth_info_request(self, m: Message) -> None:
        """Take questions; paramiko believes any number of them, whatever was sent."""
        m.get_string(), m.get_string(), m.get_string()  # title, words, language
        _check_count(m.get_int(), _MAX_PROMPTS, "questions")
        m.rewind()
        super()._parse_userauth_info_request(m)


class Transport(ServiceRequestingTransport):
    """One SSH connection, client side. Used by one thread at a time; never started as a thread.

    Args:
        wire: the connection; closed by `close`.
        key_types: host key algorithms to offer, best first.
        legacy_algorithms: whether to offer, last, what is left out by default.

    Attributes:
        server_lines: what the server said before its version.
        disconnect_reason: what it said when it disconnected; None when it did not.
        host_key_blob: the host's public key, once the key exchange is done.
    """

    _CLIENT_ID = "fleetrun"
    _expected_packet: tuple[int, ...]
    _key_info: dict[str, type]
    auth_handler: Login | None
    kex_engine: Any
    _preferred_ciphers: tuple[str, ...] = (
        "aes128-gcm@openssh.com",
        "aes256-gcm@openssh.com",
        "aes128-ctr",
        "aes192-ctr",
        "aes256-ctr",
        chacha.NAME,
    )
    _cipher_info: dict[str, dict[str, object]] = {  # noqa: RUF012 (theirs is one too)
        **paramiko.Transport._cipher_info,  # noqa: SLF001
        chacha.NAME: {
            "class": ChaChaPoly,
            "block-size": chacha.BLOCK_BYTES,
            "iv-size": 0,
            "key-size": chacha.KEY_BYTES,
            "is_aead": True,
        },
    }
    _preferred_macs: tuple[str, ...] = (
        "hmac-sha2-256-etm@openssh.com",
        "hmac-sha2-512-etm@openssh.com",
        "hmac-sha2-256",
        "hmac-sha2-512",
    )
    _kex_info: dict[str, type] = {  # noqa: RUF012 (theirs is one too)
        "curve25519-sha256": paramiko.Transport._kex_info["curve25519-sha256@libssh.org"],  # noqa: SLF001
        **paramiko.Transport._kex_info,  # noqa: SLF001
    }
    """With the name of RFC 8731, which paramiko does not know, for the method that it does."""
    _preferred_kex: tuple[str, ...] = (
        "curve25519-sha256",
        "curve25519-sha256@libssh.org",
        *(name for name in paramiko.Transport._preferred_kex if "25519-sha256@" not in name),  # noqa: SLF001
    )
    """curve25519 first: the cheapest that every server of the last ten years has."""

    def __init__(
        self, wire: Wire, *, key_types: Sequence[str], legacy_algorithms: bool = False
    ) -> None:
        super().__init__(wire, packetizer_class=Packets)
        self._wire = wire
        self._offered_key_types = tuple(key_types)
        self._legacy_algorithms = legacy_algorithms
        if legacy_algorithms:
            self._allow_legacy_algorithms()
        self._open_channels: dict[int, Channel] = {}
        self._next_channel_id = 0
        self._prepared: Channel | None = None
        self.server_lines: list[str] = []
        self.disconnect_reason: str | None = None
        self._handler_table[common.MSG_CHANNEL_OPEN_SUCCESS] = self._take_opened
        self._handler_table[common.MSG_CHANNEL_OPEN_FAILURE] = self._take_not_opened
        self.host_key_blob = b""
        self._alive_asked = 0
        self._held_back: list[Message] = []
        self._offer: dict[str, list[str]] = {}

    def _filter_algorithm(self, type_: str) -> tuple[str, ...]:
        """Return our algorithms of a type; paramiko leaves out forbidden ones: we have none."""
        algorithms: tuple[str, ...] = getattr(self, f"_preferred_{type_}")
        return algorithms

    def _compute_key(self, id: str, nbytes: int) -> bytes:  # noqa: A002 (theirs)
        """Derive a key (RFC 4253, section 7.2): six a login, for a third of what theirs takes."""
        digest = self.kex_engine.hash_algo
        secret = self.K  # bytes for a hybrid method, else a number, and an mpint then
        if not isinstance(secret, bytes):
            secret = secret.to_bytes(secret.bit_length() // 8 + 1, "big")
        shared = len(secret).to_bytes(4, "big") + secret + self.H
        key: bytes = digest(shared + id.encode() + self.session_id).digest()
        while len(key) < nbytes:
            key += digest(shared + key).digest()
        return key[:nbytes]

    def _allow_legacy_algorithms(self) -> None:
        self._preferred_ciphers = (*self._preferred_ciphers, *legacy.CIPHERS)
        self._preferred_macs = (*self._preferred_macs, *legacy.MACS)
        self._preferred_kex = (*self._preferred_kex, legacy.KEX)
        self._kex_info = {**self._kex_info, legacy.KEX: legacy.KexGroup14SHA1}
        self._key_info = {**self._key_info, legacy.KEY_TYPE: legacy.RSAKeyWithSHA1}

    @property
    def server_key_types(self) -> tuple[str, ...]:
        """The host key algorithms that the server offered; nothing before the handshake."""
        return tuple(self._offer.get("server_key_algo_list", ()))

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        """The host key algorithms that are offered, best first."""
        return self._offered_key_types

    @property
    def preferred_pubkeys(self) -> tuple[str, ...]:
        """The signature algorithms for keys of ours, best first.

        With legacy algorithms, a server that has not said which it takes (RFC 8308) is held for one
        that is older than SHA-2 for RSA.
        """
        modern = tuple(super().preferred_pubkeys)
        if not self._legacy_algorithms:
            return modern
        said = "server-sig-algs" in self.server_extensions
        return (*modern, legacy.KEY_TYPE) if said else (legacy.KEY_TYPE, *modern)

    @property
    def wants_legacy_signatures(self) -> bool:
        """Whether the server has said that of an RSA key it takes signatures with SHA-1 alone."""
        takes = self.server_extensions.get("server-sig-algs", b"").split(b",")
        is_old = legacy.KEY_TYPE.encode() in takes
        return is_old and not any(name.startswith(b"rsa-") for name in takes)

    def _log(self, level: int, msg: object, *args: object) -> None:
        """Log for the debug log alone: paramiko calls this several hundred times a login."""
        if log.isEnabledFor(level):
            log.log(level, "%s", msg if not args else str(msg) % args)

    # --- from the version exchange to the keys -------------------------------------------------

    def handshake(self, on_phase: OnPhase) -> None:
        """Exchange versions and keys, entering the phases banner and kex.

        Raises `ConnectError` when the server speaks no SSH that we do.
        """
        self.active = True
        on_phase(Phase.BANNER)
        self.packetizer.write_all(f"{self.local_version}\r\n".encode())
        self._check_banner()
        on_phase(Phase.KEX)
        self._send_kex_init()
        self._expect_packet(common.MSG_KEXINIT)
        self.pump_until(lambda: self.initial_kex_done)

    def _check_banner(self) -> None:
        """Read lines until the server's version comes, keeping what it says before."""
        for _ in range(_MAX_BANNER_LINES):
            try:
                line = self.packetizer.read_line().decode("utf-8", "replace")
            except ClosedEarly as early:
                said = [*self.server_lines, early.said.decode("utf-8", "replace")]
                raise TurnedAway(_no_version(str(early), said), said) from None
            if line.startswith("SSH-"):
                self.remote_version = line
                self._check_version(line)
                return
            if line.startswith(("HTTP/", "220 ", "<")):
                raise ConnectError(f"not an SSH server: it says {line[:100]!r}")
            self.server_lines.append(line)
        raise ConnectError(_no_version("it went on and on", self.server_lines))

    def _check_version(self, line: str) -> None:
        version = line.split("-", 2)[1:2]
        if version not in (["2.0"], ["1.99"]):
            raise ConnectError(f"it speaks {line[:100]!r}, and only SSH 2.0 is spoken here")

    def _send_kex_init(self) -> None:
        """Say what we offer; all of it but the cookie is the same for many hosts, and made once."""
        self.clear_to_send.clear()
        self.in_kex = True
        offer = _offer(
            (*self.preferred_kex, *_SIGNALS),
            self.preferred_keys,
            self.preferred_ciphers,
            self.preferred_macs,
            self.preferred_compression,
        )
        message = Message(bytes((common.MSG_KEXINIT,)) + os.urandom(_COOKIE_BYTES) + offer)
        self.local_kex_init = self._latest_kex_init = message.asbytes()
        self._send_message(message)

    def _really_parse_kex_init(
        self,
        m: Message,
        ignore_first_byte: bool = False,  # noqa: FBT001, FBT002 (theirs)
    ) -> dict[str, list[str]]:
        """Read what one side offers; the same lists, cookies apart, are read once."""
        body = m.get_remainder()
        m.get_bytes(len(body))  # what was read so far is what the exchange is bound to
        body = body[_COOKIE_BYTES + ignore_first_byte :]
        parsed = {
            kind: list(value) if isinstance(value, list) else value
            for kind, value in _read_offer(body).items()
        }
        if not ignore_first_byte:
            self._offer = {
                kind: list(names) for kind, names in parsed.items() if kind[-4:] == "list"
            }
        return parsed

    def _negotiate_keys(self, m: Message) -> None:
        try:
            super()._negotiate_keys(m)
        except INCOMPATIBLE as error:
            raise ConnectError(self._disagreement()) from error

    def _disagreement(self) -> str:
        """Name both sides' lists of the first kind of algorithm that we share none of."""
        ours = {
            "key exchange": ("kex_algo_list", self.preferred_kex),
            "host key": ("server_key_algo_list", self.preferred_keys),
            "cipher": ("server_encrypt_algo_list", self.preferred_ciphers),
            "MAC": ("server_mac_algo_list", self.preferred_macs),
            "compression": ("server_compress_algo_list", self.preferred_compression),
        }
        for what, (kind, mine) in ours.items():
            theirs = self._offer.get(kind, [])
            if not set(theirs) & set(mine):
                hint = "; try --legacy-algorithms" if legacy.KNOWN & set(theirs) else ""
                return (
                    f"no common {what}: it offers {','.join(theirs)}; "
                    f"we offer {','.join(mine)}{hint}"
                )
        return "no common algorithm"

    def _parse_ext_info(self, msg: Message) -> None:
        """Take what the server says that it can do (RFC 8308).

        paramiko believes any number of things, whatever was sent. A list of signature algorithms
        that is not text is taken for none.
        """
        _check_count(msg.get_int(), _MAX_EXTENSIONS, "extensions")
        msg.rewind()
        super()._parse_ext_info(msg)
        if not self.server_extensions.get("server-sig-algs", b"").isascii():
            del self.server_extensions["server-sig-algs"]

    def _verify_key(self, host_key: bytes, sig: bytes) -> None:
        """Check that the host holds the key that it shows; whose key that is, comes later."""
        if self.host_key_blob not in {b"", host_key}:
            raise ConnectionLost("it showed another host key when keys were exchanged again")
        self.host_key_blob = host_key
        super()._verify_key(host_key, sig)

    # --- the pump ------------------------------------------------------------------------------

    def pump_until(self, happened: Callable[[], bool]) -> None:
        """Read and dispatch packets until happened() is true.

        Raises `ConnectionLost`, `DeadlinePassed` or `Cancelled` when something else comes first.
        """
        while not happened():
            self.pump()

    def pump(self) -> None:
        """Read one packet, waiting for it, and dispatch it.

        A deadline or a cancel is raised between packets, so that the connection can still be used
        to end things politely; within a packet only when its rest does not come.
        """
        try:
            if self.packetizer.need_rekey() and not self.in_kex:
                self._send_kex_init()
            self._wire.await_packet()
            number, message = self.packetizer.read_message()
            self._wire.packet_over()
            self._alive_asked = 0
            channel = self._dispatch(number, message)
        except (DeadlinePassed, Cancelled):
            raise
        except EOFError as error:
            self.active = False
            raise ConnectionLost(self.closing_words()) from error
        except Exception as error:  # whatever the host's bytes made the parsers raise
            self.active = False
            ours = session_error(error)
            if ours is error:
                raise
            raise ours from error
        if channel is not None:
            channel.deliver()

    def closing_words(self) -> str:
        """Return a sentence on the connection's end, with the server's own words if it had any."""
        sentence = "the host closed the connection"
        if self.disconnect_reason is not None:
            return f"{sentence}: {self.disconnect_reason}"
        return sentence

    def _dispatch(self, number: int, message: Message) -> Channel | None:
        """Act on a packet; return the channel that it was for, if it was for one."""
        channel_handler = CHANNEL_MESSAGES.get(number)
        if channel_handler is not None and not self._expected_packet:
            return self._dispatch_to_channel(channel_handler, message)
        if number in {common.MSG_IGNORE, common.MSG_DEBUG}:
            self._enforce_strict_kex(number)
        elif number == common.MSG_DISCONNECT:
            self._take_disconnect(message)
        elif self._expected_packet and number not in self._expected_packet:
            allowed = ", ".join(map(str, self._expected_packet))
            raise ConnectionLost(f"it sent message {number} where only {allowed} may come")
        elif self._expected_packet and number in _KEX_METHOD_MESSAGES:
            self._expected_packet = ()
            self.kex_engine.parse_next(number, message)
        else:
            self._expected_packet = ()
            self._dispatch_to_handler(number, message)
        return None

    def _dispatch_to_handler(self, number: int, message: Message) -> None:
        handler = self._handler_table.get(number)
        if handler is None and self.auth_handler is not None:
            handler = self.auth_handler._handler_table.get(number)  # noqa: SLF001
        if handler is not None:
            handler(message)
        elif number != common.MSG_UNIMPLEMENTED:
            self._send_message(build_message(common.MSG_UNIMPLEMENTED, message.seqno))

    def _dispatch_to_channel(
        self, handler: Callable[[Channel, Message], None], message: Message
    ) -> Channel:
        channel = self._open_channels.get(message.get_int())
        if channel is None:
            raise ConnectionLost("it sent data for a channel that was never opened")
        handler(channel, message)
        return channel

    def _take_disconnect(self, message: Message) -> None:
        message.get_int()
        self.disconnect_reason = read_text(message) or "without a reason"
        raise EOFError

    # --- sending -------------------------------------------------------------------------------

    def send_message(self, data: Message) -> None:
        """Send, or hold it back until a key exchange has ended (RFC 4253, section 7.1).

        Holding back never waits, so that a handler within the pump may send.
        """
        if self.in_kex or self._held_back:  # what was held back goes first
            self._held_back.append(data)
        else:
            self._send_message(data)

    def _parse_newkeys(self, m: Message) -> None:
        super()._parse_newkeys(m)
        while self._held_back and not self.in_kex:
            self._send_message(self._held_back.pop(0))

    # --- login ---------------------------------------------------------------------------------

    def ensure_session(self) -> None:
        """Ask for the login service, once, without waiting for the answer.

        The login request follows in the same breath: one round trip less, and every server that
        was tried takes it (OpenSSH, dropbear, tinysshd, asyncssh, x/crypto/ssh).
        """
        if self.auth_handler is None:
            self._send_message(build_message(common.MSG_SERVICE_REQUEST, "ssh-userauth"))
            self.auth_handler = Login(self)

    # --- staying alive -------------------------------------------------------------------------

    def watch_for_silence(self, interval_s: float, count: int) -> None:
        """Ask a silent host for a sign of life, and give up after count questions without one.

        An interval of 0 means never.
        """

        def ask() -> None:
            if self._alive_asked >= count:
                raise ConnectionLost(
                    f"no sign of life for {interval_s * count:.0f} s: the host or the way is dead"
                )
            self._alive_asked += 1
            if not self.in_kex:
                self._send_message(
                    build_message(common.MSG_GLOBAL_REQUEST, "keepalive@openssh.com", True)
                )

        self._wire.silence_s = interval_s or math.inf
        self._wire.on_silence = ask

    # --- channels ------------------------------------------------------------------------------

    def open_channel_for(self, take: Callable[[int, bytes], None]) -> Channel:
        """Open a session channel and wait for it; what it receives goes to take(kind, data).

        Kind is 0 for data and else the extended data's type (1 is stderr). Raises `Refused` with
        the server's words when it will not open one.
        """
        channel = self.session_channel(take)
        channel.await_opening()
        return channel

    def prepare_channel(self) -> None:
        """Ask for the session channel that will be wanted next, and do not wait."""
        self._prepared = self.begin_channel("session", nobody)

    def session_channel(self, take: Callable[[int, bytes], None]) -> Channel:
        """Return a session channel: the one that was prepared, or else one that is yet to open.

        A prepared one that the host has refused, or closed meanwhile, is asked for once more.
        """
        prepared = self._prepared
        if prepared is not None and self.await_prepared():
            self._prepared = None
            prepared.hand_to(take)
            return prepared
        return self.begin_channel("session", take)

    def await_prepared(self) -> bool:
        """Pump until the host has answered about the channel that was prepared; tell if it is open.

        False when none was prepared.
        """
        prepared = self._prepared
        if prepared is None:
            return False
        self.pump_until(lambda: prepared.opened or prepared.refused is not None)
        if not prepared.opened or prepared.closed:
            self._prepared = None
        return self._prepared is prepared

    def begin_channel(
        self, kind: str, take: Callable[[int, bytes], None], *fields: int | str
    ) -> Channel:
        """Ask for a channel of a kind, with the fields that the kind has, and do not wait.

        Once the answer was pumped, the channel is `opened`, or `refused` with the server's words.
        """
        channel = Channel(self, self._next_channel_id, take)
        self._next_channel_id += 1
        self._open_channels[channel.local_id] = channel
        self.send_message(
            build_message(
                common.MSG_CHANNEL_OPEN,
                kind,
                channel.local_id,
                WINDOW_BYTES,
                DATA_PACKET_BYTES,
                *fields,
            )
        )
        return channel

    def foresee_number(self, channel: Channel) -> bool:
        """Tell whether the host's number of a channel it has yet to open is known, and note it.

        So a request can follow the asking for a channel without a round trip in between. The hosts
        that number from 0 are told by their version; of them only the first channel is foreseen.
        """
        known = channel.local_id == 0 and self.remote_version.startswith(_NUMBER_FROM_0)
        if known and not channel.opened:
            channel.remote_id = 0
        return known

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way on it, so that more can be done over it."""
        channels = self._open_channels.values()
        return self.active and not self._wire.torn and all(each.closing for each in channels)

    def forget_channel(self, channel: Channel) -> None:
        """Take a channel that both sides have closed off the table."""
        self._open_channels.pop(channel.local_id, None)

    def _take_opened(self, message: Message) -> None:
        channel = self._open_channels.get(message.get_int())
        if channel is None:
            raise ConnectionLost("it opened a channel that nobody asked for")
        foreseen, channel.remote_id = channel.remote_id, message.get_int()
        if foreseen not in {UNKNOWN, channel.remote_id}:
            raise ConnectionLost("it opened the channel under another number than it always does")
        channel.send_window = message.get_int()
        # never more than every server must take, whatever it claims (RFC 4253, section 6.1)
        channel.send_packet = min(message.get_int() or DATA_PACKET_BYTES, DATA_PACKET_BYTES)
        channel.opened = True
        if channel.abandoned:
            channel.close()

    def _take_not_opened(self, message: Message) -> None:
        channel = self._open_channels.pop(message.get_int(), None)
        if channel is not None:
            channel.refusal_code = code = message.get_int()
            words = read_text(message)
            channel.refused = words or f"code {code} (RFC 4254, section 5.1)"

    def say_goodbye(self) -> None:
        """Close what is open and tell the host that we leave; never waits for an answer."""
        if not self.active or self.in_kex or self._wire.torn:
            return
        for channel in list(self._open_channels.values()):
            channel.close()
        self._send_message(
            build_message(common.MSG_DISCONNECT, _DISCONNECT_BY_APPLICATION, "bye", "")
        )
        self._wire.flush()

    def close(self) -> None:
        """Close the connection at once; safe to call twice.

        Lets go of all that refers back to it. What does so is freed by the garbage collector alone,
        and for a thousand sessions that took a third of all processor time (measured).
        """
        self.active = False
        for channel in self._open_channels.values():
            channel.hand_to(nobody)
        self._open_channels.clear()
        self._prepared = None
        self._handler_table.clear()
        self.auth_handler = self.kex_engine = None
        self._wire.on_silence = None
        self.packetizer.close()


def _check_count(claimed: int, most: int, what: str) -> None:
    if claimed > most:
        raise ConnectionLost(f"it sent a message that claims {claimed} {what}")


@functools.lru_cache(maxsize=64)
def _offer(kex: tuple[str, ...], keys: tuple[str, ...], *others: tuple[str, ...]) -> bytes:
    """Return a KEXINIT (RFC 4253, section 7.1) without its number and cookie.

    The others are ciphers, MACs and compression, each the same both ways.
    """
    message = Message()
    message.add_list(kex)
    message.add_list(keys)
    for names in others:
        message.add_list(names)
        message.add_list(names)
    message.add_bytes(bytes(_KEX_INIT_END_BYTES))
    body: bytes = message.asbytes()
    return body


@functools.lru_cache(maxsize=16)
def _read_offer(body: bytes) -> dict[str, Any]:
    """Return the lists of a KEXINIT without its number and cookie; not to be changed."""
    reader = ServiceRequestingTransport._really_parse_kex_init  # noqa: SLF001
    parsed: dict[str, Any] = reader(None, Message(bytes(_COOKIE_BYTES) + body))
    return parsed


def _no_version(what: str, said: Sequence[str]) -> str:
    words = " | ".join(line for line in said if line)[:200]
    return f"{what} before it said its version" + (f"; it said {words!r}" if words else "")


def host_key_algorithms(*, legacy_algorithms: bool = False) -> tuple[str, ...]:
    """Return the host key algorithms that can be verified here, paramiko's favourite first."""
    modern = tuple(paramiko.Transport._preferred_keys)  # noqa: SLF001
    return (*modern, legacy.KEY_TYPE) if legacy_algorithms else modern


def offered_algorithms(*, legacy_algorithms: bool = False) -> dict[str, tuple[str, ...]]:
    """Return the algorithms that are offered for everything but host keys, best first, by kind."""
    more = (legacy.KEX,), legacy.CIPHERS, legacy.MACS
    kex, ciphers, macs = more if legacy_algorithms else ((), (), ())
    return {
        "key exchange": (*Transport._preferred_kex, *kex),  # noqa: SLF001 (ours)
        "cipher": (*Transport._preferred_ciphers, *ciphers),  # noqa: SLF001
        "MAC": (*Transport._preferred_macs, *macs),  # noqa: SLF001
    }

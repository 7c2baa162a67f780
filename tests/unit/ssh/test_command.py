"""One command on a scripted host: what it is fed, what is kept of it, how it is ended."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from paramiko.message import Message
from scripted_host import Running, ScriptedHost

from fleetrun.errors import ConnectionLost, DeadlinePassed, Refused, SessionError
from fleetrun.hosts import Secret
from fleetrun.results import Phase
from fleetrun.session import CommandEnd, Dialogue
from fleetrun.ssh.channel import Channel
from fleetrun.ssh.wire import Deadline

QUESTION = b"asks-for-it:"
BEGUN = b"has-begun!"
DIALOGUE = Dialogue(
    question=QUESTION, answer=Secret("open sesame"), begun=BEGUN, refused="wrong password"
)
ANSWER = b"open sesame\n"


def host_that_runs(play: Callable[[ScriptedHost, Channel], None]) -> ScriptedHost:
    """Return a host that says yes to all requests, and plays after the one to run a command."""
    host = ScriptedHost()

    def on_request(channel: Channel, kind: str, _rest: Message) -> None:
        host.says_yes(channel)
        if kind == "exec":
            play(host, channel)

    host.on_request = on_request
    return host


def splits(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the data cut in two at every offset within it, the ends included."""
    for offset in range(len(data) + 1):
        yield data[:offset], data[offset:]


def complain_in_pieces(host: ScriptedHost, channel: Channel, *pieces: bytes) -> None:
    """Queue pieces of stderr; an empty one is not sent."""
    for piece in filter(None, pieces):
        host.complains(channel, piece)


# --- from the request to the end -----------------------------------------------------------------


def test_a_command_goes_through_its_phases_and_ends_with_its_status() -> None:
    def play(host: ScriptedHost, channel: Channel) -> None:
        host.writes(channel, b"out")
        host.complains(channel, b"err")
        host.ends(channel, 3)

    running = Running(host_that_runs(play), line="work")
    assert running.to_its_end() == CommandEnd(exit_status=3)
    assert running.phases == [Phase.SESSION, Phase.EXEC, Phase.RUN]
    assert (running.stdout, running.stderr) == (b"out", b"err")


def test_a_command_goes_out_with_the_asking_for_its_channel_where_the_number_is_foreseen() -> None:
    opened_when_asked: list[bool] = []

    def play(host: ScriptedHost, channel: Channel) -> None:
        opened_when_asked.append(channel.opened)
        host.ends(channel)

    host = host_that_runs(play)
    host.foreseen = True
    running = Running(host)
    assert running.to_its_end() == CommandEnd(exit_status=0)
    assert opened_when_asked == [False]
    assert running.phases == [Phase.SESSION, Phase.EXEC, Phase.RUN]


def test_a_terminal_is_waited_for_before_the_command_goes_out_even_then() -> None:
    opened_when_asked: list[bool] = []

    def play(host: ScriptedHost, channel: Channel) -> None:
        opened_when_asked.append(channel.opened)
        host.ends(channel)

    host = host_that_runs(play)
    host.foreseen = True
    Running(host, pty=True).to_its_end()
    assert host.requests[:2] == ["pty-req", "exec"]
    assert opened_when_asked == [True]


def test_a_session_that_is_refused_after_the_command_went_out_is_refused_all_the_same() -> None:
    host = host_that_runs(lambda _host, _channel: None)
    host.foreseen, host.refusal = True, "no more sessions"
    running = Running(host)
    with pytest.raises(Refused, match="no more sessions"):
        running.to_its_end()
    assert running.phases == [Phase.SESSION, Phase.EXEC, Phase.SESSION]


def test_the_time_for_the_command_begins_when_its_session_is_open() -> None:
    """Until then the time for logging in runs on: a host that opens none is not waited for."""
    host = ScriptedHost()
    host.foreseen, host.wire.deadline = True, Deadline.after(None, "not logged in")
    deadlines: list[str] = []
    open_it = host._open

    def opens(channel: Channel) -> None:
        deadlines.append(host.wire.deadline.sentence)
        open_it(channel)
        deadlines.append(host.wire.deadline.sentence)

    host._open = opens  # type: ignore[method-assign]
    with pytest.raises(DeadlinePassed, match="no end within 60 s"):
        Running(host, timeout_s=60.0).to_its_end()
    assert deadlines == ["not logged in", "not logged in"]


def test_stdin_is_sent_and_ended() -> None:
    host = host_that_runs(lambda host, channel: host.ends(channel))
    Running(host, stdin=b"in" * 100_000).to_its_end()
    assert host.stdin == b"in" * 100_000
    assert host.ended_stdin


@pytest.mark.parametrize(
    ("stdin", "sent"),
    [(b"", b"\x04"), (b"line\n", b"line\n\x04"), (b"half", b"half\x04\x04")],
    ids=["nothing", "a line", "half a line"],
)
def test_a_terminal_is_told_the_end_of_input_by_its_character(stdin: bytes, sent: bytes) -> None:
    host = host_that_runs(lambda host, channel: host.ends(channel))
    Running(host, stdin=stdin, pty=True).to_its_end()
    assert host.requests[:2] == ["pty-req", "exec"]
    assert host.stdin == sent
    assert not host.ended_stdin


def test_a_refused_command_was_not_run() -> None:
    host = ScriptedHost()
    host.on_request = lambda channel, _kind, _rest: host.says_no(channel)
    with pytest.raises(Refused, match="refuses to run commands"):
        Running(host).to_its_end()


def test_a_refused_terminal_is_told_before_anything_is_handed_over() -> None:
    """Without one, the command would wait for ever for the end of its input."""
    host = ScriptedHost()

    def on_request(channel: Channel, kind: str, _rest: Message) -> None:
        (host.says_no if kind == "pty-req" else host.says_yes)(channel)

    host.on_request = on_request
    running = Running(host, pty=True)
    with pytest.raises(Refused, match="terminal"):
        running.to_its_end()
    assert "exec" not in host.requests
    assert running.phases == [Phase.SESSION]


def test_a_session_that_is_closed_instead_of_run_has_a_note_and_no_status() -> None:
    host = ScriptedHost()
    host.on_request = lambda channel, _kind, _rest: host.closes(channel)
    end = Running(host).to_its_end()
    assert (end.exit_status, end.signal) == (None, None)
    assert end.note is not None
    assert "instead of running it" in end.note


@pytest.mark.parametrize(
    ("play", "end"),
    [
        (lambda host, channel: host.ends(channel, 0), CommandEnd(exit_status=0)),
        (lambda host, channel: host.ends(channel, 255), CommandEnd(exit_status=255)),
        (
            lambda host, channel: (host.is_killed(channel, "KILL"), host.closes(channel)),
            CommandEnd(signal="KILL"),
        ),
        (lambda host, channel: host.closes(channel), CommandEnd()),
    ],
    ids=["0", "255", "signal", "neither"],
)
def test_an_end_is_told_as_it_was_seen(
    play: Callable[[ScriptedHost, Channel], None], end: CommandEnd
) -> None:
    assert Running(host_that_runs(play)).to_its_end() == end


def test_output_after_the_status_is_kept() -> None:
    def play(host: ScriptedHost, channel: Channel) -> None:
        host.exits(channel, 0)
        host.writes(channel, b"late")
        host.closes(channel)

    running = Running(host_that_runs(play))
    assert running.to_its_end() == CommandEnd(exit_status=0)
    assert running.stdout == b"late"


def test_a_status_without_an_end_is_a_status_with_a_note() -> None:
    end = Running(host_that_runs(lambda host, channel: host.exits(channel, 0))).to_its_end()
    assert end.exit_status == 0
    assert end.note is not None
    assert "holds its output open" in end.note


# --- the question before it ----------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [b"", b"a lecture\n"], ids=["alone", "after a lecture"])
def test_a_question_is_answered_however_it_is_cut_in_pieces(ahead: bytes) -> None:
    for pieces in splits(ahead + QUESTION):
        host = host_that_runs(lambda host, channel: complain_in_pieces(host, channel, *pieces))  # noqa: B023
        host.on_stdin = answers_are_taken(host, b"\n" + BEGUN)
        running = Running(host, dialogue=DIALOGUE, stdin=b"in")
        assert running.to_its_end() == CommandEnd(exit_status=0), pieces
        assert host.stdin == ANSWER + b"in", pieces
        assert running.stderr == ahead + b"\n", pieces


@pytest.mark.parametrize("after", [b"", b"a warning\n"], ids=["alone", "before a warning"])
def test_the_beginning_is_seen_however_it_is_cut_in_pieces(after: bytes) -> None:
    for pieces in splits(b"\n" + BEGUN + after):
        host = host_that_runs(lambda host, channel: host.complains(channel, QUESTION))
        host.on_stdin = answers_are_taken(host, *pieces)
        running = Running(host, dialogue=DIALOGUE, stdin=b"in")
        assert running.to_its_end() == CommandEnd(exit_status=0), pieces
        assert host.stdin == ANSWER + b"in", pieces
        assert running.stderr == b"\n" + after, pieces


def answers_are_taken(host: ScriptedHost, *pieces: bytes) -> Callable[[Channel, bytes], None]:
    """Return what a host does that takes the answer, complains in pieces, and then runs to 0."""

    def on_stdin(channel: Channel, data: bytes) -> None:
        if data == ANSWER:
            complain_in_pieces(host, channel, *pieces)
        else:
            host.ends(channel)

    return on_stdin


def test_a_command_that_does_not_ask_begins_at_once() -> None:
    def play(host: ScriptedHost, channel: Channel) -> None:
        host.complains(channel, BEGUN + b"warning")

    host = host_that_runs(play)
    host.on_stdin = lambda channel, _data: host.ends(channel)
    running = Running(host, dialogue=DIALOGUE, stdin=b"in")
    assert running.to_its_end() == CommandEnd(exit_status=0)
    assert host.stdin == b"in"
    assert running.stderr == b"warning"


def test_a_marker_in_the_commands_own_output_is_left_alone() -> None:
    def play(host: ScriptedHost, channel: Channel) -> None:
        host.writes(channel, QUESTION + BEGUN)
        host.complains(channel, BEGUN)
        host.complains(channel, BEGUN + QUESTION)
        host.ends(channel)

    running = Running(host_that_runs(play), dialogue=DIALOGUE)
    running.to_its_end()
    assert (running.stdout, running.stderr) == (QUESTION + BEGUN, BEGUN + QUESTION)


def test_a_command_that_ends_before_it_asks_keeps_all_it_said() -> None:
    def play(host: ScriptedHost, channel: Channel) -> None:
        host.complains(channel, b"sudo: not found" + QUESTION[:5])
        host.ends(channel, 127)

    running = Running(host_that_runs(play), dialogue=DIALOGUE)
    assert running.to_its_end() == CommandEnd(exit_status=127)
    assert running.stderr == b"sudo: not found" + QUESTION[:5]


@pytest.mark.parametrize("stdin", [b"", b"data\nfor the command\n"], ids=["no stdin", "stdin"])
def test_a_second_question_gets_the_end_of_input_and_nothing_else(stdin: bytes) -> None:
    """What was meant for the command must not be tried as a password."""
    host = host_that_runs(lambda host, channel: host.complains(channel, QUESTION))

    def on_stdin(channel: Channel, data: bytes) -> None:
        if data == ANSWER:
            host.complains(channel, b"Sorry, try again.\n" + QUESTION)
            host.ends(channel, 1)

    host.on_stdin = on_stdin
    running = Running(host, dialogue=DIALOGUE, stdin=stdin)
    assert running.to_its_end() == CommandEnd(exit_status=1, note="wrong password")
    assert host.stdin == ANSWER
    assert host.ended_stdin
    assert running.stderr == b"Sorry, try again.\n"


def test_a_question_that_comes_over_a_terminal_is_answered_too() -> None:
    """A terminal has one stream: what sudo writes to stderr arrives as stdout."""
    host = host_that_runs(lambda host, channel: host.writes(channel, QUESTION))

    def on_stdin(channel: Channel, data: bytes) -> None:
        if data == ANSWER:
            host.writes(channel, b"\r\n" + BEGUN + b"out")
        else:
            host.ends(channel)

    host.on_stdin = on_stdin
    running = Running(host, dialogue=DIALOGUE, pty=True)
    assert running.to_its_end() == CommandEnd(exit_status=0)
    assert running.stdout == b"\r\nout"


# --- the process group ---------------------------------------------------------------------------


class GroupHost(ScriptedHost):
    """A host that says the group of what it runs, and is asked to kill it over a second channel.

    Attributes:
        pieces_of: how it cuts the line with the group's number.
        over: the queue of stdout or stderr, whichever it writes that line to.
        gone: the status of the look at the group.
        killing: the line by which it was asked to kill.
    """

    def __init__(self, *, gone: int = 0) -> None:
        super().__init__()
        self.pieces_of: Callable[[bytes], tuple[bytes, ...]] = lambda line: (line,)
        self.say: Callable[[Channel, bytes], None] = self.complains
        self.gone = gone
        self.after: Callable[[Channel], None] = lambda _channel: None
        self.killing = ""
        self.on_request = self._run

    def _run(self, channel: Channel, kind: str, rest: Message) -> None:
        self.says_yes(channel)
        if kind != "exec":
            return
        line = rest.get_text()
        marker = re.search(r"fleetrun-group-[0-9a-f]{16}", line)
        if marker is None:
            self.killing = line
            self.exits(channel, self.gone)
            return
        for piece in self.pieces_of(f"{marker[0]} 4711\n".encode()):
            self.say(channel, piece)
        self.after(channel)


def test_the_line_with_the_group_is_taken_out_however_it_is_cut_in_pieces() -> None:
    sizes = len(b"fleetrun-group-0123456789abcdef 4711\n")
    for cut in range(1, sizes):
        host = GroupHost()
        host.pieces_of = lambda line: (b"noise " + line[:cut], line[cut:] + b"warning")  # noqa: B023
        host.after = host.ends
        running = Running(host, confirm_kill=True)
        assert running.to_its_end() == CommandEnd(exit_status=0), cut
        assert running.stderr == b"noise warning", cut


def test_the_line_with_the_group_is_taken_out_of_a_terminals_output() -> None:
    host = GroupHost()
    host.say = host.writes
    host.after = host.ends
    running = Running(host, confirm_kill=True, pty=True)
    running.to_its_end()
    assert running.stdout == b""


@pytest.mark.parametrize(("status", "killed"), [(0, True), (1, False)])
def test_a_group_is_killed_over_a_second_channel_and_looked_for(
    status: int, *, killed: bool
) -> None:
    host = GroupHost(gone=status)
    running = Running(host, confirm_kill=True, timeout_s=5.0)
    with pytest.raises(DeadlinePassed) as ended:
        running.to_its_end()
    assert ended.value.killed is killed
    assert "known=4711\n" in host.killing
    assert len(host.channels) == 2


def test_a_group_that_was_never_heard_of_is_not_confirmed_to_be_gone() -> None:
    host = ScriptedHost()
    running = Running(host, confirm_kill=True, timeout_s=5.0)
    with pytest.raises(DeadlinePassed) as ended:
        running.to_its_end()
    assert ended.value.killed is False
    assert len(host.channels) == 1


def test_a_host_that_never_says_the_group_is_heard_all_the_same() -> None:
    """A forced command writes no marker; what it does write is not held back without a bound."""
    noise = b"n" * 32_768
    host = ScriptedHost()
    running = Running(host, confirm_kill=True)

    def on_request(channel: Channel, kind: str, _rest: Message) -> None:
        host.says_yes(channel)
        if kind == "exec":
            for _ in range(16):
                host.complains(channel, noise)

    heard: list[int] = []
    host.on_request = on_request
    host.on_silence = lambda: heard.append(len(running.stderr))
    with pytest.raises(DeadlinePassed):
        running.to_its_end()
    assert heard[0] >= 8 * len(noise)
    assert len(running.stderr) == 16 * len(noise)


# --- ending it from here -------------------------------------------------------------------------


def host_that_is_signalled(dies_of: str | None) -> ScriptedHost:
    """Return a host whose command ends when it gets a signal; None for one that never does."""
    host = ScriptedHost()

    def on_request(channel: Channel, kind: str, rest: Message) -> None:
        host.says_yes(channel)
        if kind == "signal" and rest.get_text() == dies_of:
            host.is_killed(channel, str(dies_of))
            host.closes(channel)

    host.on_request = on_request
    return host


@pytest.mark.parametrize(
    ("dies_of", "signals", "seen"),
    [("TERM", 1, True), ("KILL", 2, True), (None, 2, False)],
    ids=["TERM", "KILL", "nothing"],
)
def test_a_command_whose_time_is_up_is_signalled_until_it_ends(
    dies_of: str | None, signals: int, *, seen: bool
) -> None:
    host = host_that_is_signalled(dies_of)
    with pytest.raises(DeadlinePassed, match="no end within 5 s") as ended:
        Running(host, timeout_s=5.0).to_its_end()
    assert host.requests == ["exec", *["signal"] * signals]
    assert ended.value.end_seen is seen
    assert ended.value.killed is None
    assert not host.wire.heed_cancel


def test_a_host_that_refuses_to_signal_is_not_waited_for() -> None:
    host = ScriptedHost()

    def on_request(channel: Channel, kind: str, _rest: Message) -> None:
        (host.says_no if kind == "signal" else host.says_yes)(channel)

    host.on_request = on_request
    with pytest.raises(DeadlinePassed) as ended:
        Running(host, timeout_s=5.0).to_its_end()
    assert not ended.value.end_seen
    assert host.silent


def test_a_terminal_is_interrupted_as_well() -> None:
    host = host_that_is_signalled("TERM")
    with pytest.raises(DeadlinePassed):
        Running(host, timeout_s=5.0, pty=True).to_its_end()
    assert host.stdin == b"\x04\x03"


def test_what_was_held_back_is_handed_over_when_the_time_is_up() -> None:
    host = host_that_runs(lambda host, channel: host.complains(channel, b"who " + QUESTION[:4]))
    running = Running(host, timeout_s=5.0, dialogue=DIALOGUE)
    with pytest.raises(DeadlinePassed):
        running.to_its_end()
    assert running.stderr == b"who " + QUESTION[:4]


def test_a_connection_that_is_lost_is_not_talked_to() -> None:
    class LosingHost(ScriptedHost):
        def pump(self) -> None:
            if self.silent:
                raise ConnectionLost("gone")
            super().pump()

    host = LosingHost()
    with pytest.raises(ConnectionLost, match="gone"):
        Running(host, timeout_s=5.0).to_its_end()
    assert host.requests == ["exec"]


def test_a_connection_that_was_torn_is_not_talked_to_either() -> None:
    """Whatever is sent after half a packet is taken for its other half."""
    host = ScriptedHost()
    running = Running(host, timeout_s=5.0)
    host.wire.torn = True
    with pytest.raises(SessionError):
        running.to_its_end()
    assert host.requests == ["exec"]

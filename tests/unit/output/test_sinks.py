from __future__ import annotations

from fleetrun.events import Event, Started
from fleetrun.output import Sinks
from fleetrun.results import Report

EVENTS = [Started(host=f"web{number}", at_s=0.0) for number in range(3)]


class Recorder:
    def __init__(self, *, fails_at: int | None = None, fails_to_close: bool = False) -> None:
        self.taken: list[Event | Report] = []
        self._fails_at = fails_at
        self._fails_to_close = fails_to_close

    def take(self, event: Event) -> None:
        if len(self.taken) == self._fails_at:
            raise BrokenPipeError
        self.taken.append(event)

    def close(self, report: Report) -> None:
        if self._fails_to_close:
            raise OSError(28, "No space left on device")
        self.taken.append(report)


def consume(*recorders: Recorder) -> tuple[list[OSError], bool]:
    errors: list[OSError] = []
    sinks = Sinks(recorders, on_broken=errors.append)
    for event in EVENTS:
        sinks.take(event)
    sinks.close(Report(results=()))
    return errors, sinks.broken


def test_every_sink_gets_every_event_and_the_report() -> None:
    recorders = [Recorder(), Recorder()]

    assert consume(*recorders) == ([], False)

    assert [each.taken for each in recorders] == [[*EVENTS, Report(results=())]] * 2


def test_a_sink_that_cannot_write_is_reported_once_and_the_others_go_on() -> None:
    broken, sound = Recorder(fails_at=1), Recorder()

    errors, is_broken = consume(broken, sound)

    assert [type(error) for error in errors] == [BrokenPipeError]
    assert is_broken
    assert broken.taken == EVENTS[:1]
    assert sound.taken == [*EVENTS, Report(results=())]


def test_a_report_that_cannot_be_written_is_noticed() -> None:
    sound = Recorder()

    errors, is_broken = consume(Recorder(fails_to_close=True), sound)

    assert [error.errno for error in errors] == [28]
    assert is_broken
    assert sound.taken[-1] == Report(results=())

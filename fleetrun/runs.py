"""What one configuration of a comparison took, measured round by round. Layer 1 of the road.

    Span (a host) ─► Round (all hosts, once) ─► Run (a mode at a width, all its rounds) ─► Compared

`fleetrun.compare` measures it, `fleetrun.output` shows it; it is data to both. All of it is
immutable and picklable.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

START = "start"
"""The time of a host before its first phase, in the place of a phase: in a worker's first host,
that of importing the SSH library."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the operating system charged to fleetrun and its worker processes, all together.

    Attributes:
        user_seconds: processor time in their own code.
        system_seconds: processor time that the kernel spent for them.
        voluntary_switches: how often one of their threads gave its processor up, at a wait.
        involuntary_switches: how often one was pushed off its processor, while it had more to do.
    """

    user_seconds: float
    system_seconds: float
    voluntary_switches: int
    involuntary_switches: int

    @property
    def cpu_seconds(self) -> float:
        """User and system time together."""
        return self.user_seconds + self.system_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Peaks:
    """The most there was at one look, of this process and its workers together.

    A look is taken every few milliseconds, so that what lived shorter may not be in it. None
    where the operating system does not tell.

    Attributes:
        threads: threads of the operating system; greenlets are none.
        processes: processes, this one included.
        descriptors: open files, sockets and the like.
        memory_bytes: what they hold in memory, what several share counted once (PSS, Linux);
            elsewhere, what each of them holds alone (USS).
    """

    threads: int | None = None
    processes: int | None = None
    descriptors: int | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One host in one round: when it was worked on, by what, and where its time went.

    Attributes:
        host: its name.
        process: the number of the process that worked on it.
        thread: the name of the thread (or greenlet) that did.
        begin_s: seconds from the start of the round to its own.
        seconds: from its start to its end.
        phases: the phases that it went through, in order, each with the seconds in it; before
            them `START`, where there was something before them.
        ok: whether the host was ok.
    """

    host: str
    process: int
    thread: str
    begin_s: float
    seconds: float
    phases: tuple[tuple[str, float], ...]
    ok: bool

    @property
    def at_work_s(self) -> float:
        """Seconds from the start of the round to the span's first phase."""
        return self.begin_s + dict(self.phases).get(START, 0.0)

    @property
    def end_s(self) -> float:
        """Seconds from the start of the round to its end."""
        return self.begin_s + self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One operation on all hosts of a fleet, once, in one mode at one width.

    Attributes:
        wall_seconds: from the first event asked for to the end of the last worker, as the caller
            saw it; starting and ending threads and worker processes is part of it.
        usage: what was used for it on this side; None where the operating system does not tell
            (Windows). What hosts, or the servers of a practice fleet, used is not in it.
        peak_overlap: the largest number of hosts that were being worked on at one moment, from
            their recorded starts and ends; 0 when none was begun.
        mean_overlap: how many it was on average over the wall time.
        spans: a span for each host that was begun, in the order in which they ended.
        ok: how many hosts were ok.
        not_ok: how many were not, whatever the reason; those that were never begun included.
        exit_code: the largest that an outcome in it leads to: 0, 1 or 4.
        problem: a clause about the first host that was not ok; None when there was none.
    """

    wall_seconds: float
    usage: Usage | None
    peak_overlap: int
    mean_overlap: float
    spans: tuple[Span, ...]
    ok: int
    not_ok: int
    exit_code: int
    problem: str | None = None

    @property
    def start_seconds(self) -> float | None:
        """How long it took a process to be at work on a host; None when no host was begun.

        Seconds from the start of the round to the first phase of its first host: the median of the
        processes.
        """
        first: dict[int, float] = {}
        for span in self.spans:
            first[span.process] = min(span.at_work_s, first.get(span.process, math.inf))
        return statistics.median(first.values()) if first else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One mode at one width, over all of its rounds. A figure is the median of the rounds'.

    Attributes:
        mode: the mode, by the name that the user gives.
        forks: how many hosts at once it was allowed, all processes together: its width, as run.
        wanted: how many hosts at once were asked of it; None when nothing was.
        workers: number of worker processes; 0 when the hosts were worked on in this process.
        rounds: its rounds, in the order in which they were measured; at least one.
        peaks: from a round of their own, which was not measured; None without one.
        note: a sentence that says why it is narrower than was asked for; None when it is not.
        speedup: how many times as fast as the sequential run of the same comparison; None without
            one, and when either was not comparable.
    """

    mode: str
    forks: int
    wanted: int | None = None
    workers: int
    rounds: tuple[Round, ...]
    peaks: Peaks | None = None
    note: str | None = None
    speedup: float | None = None

    @property
    def hosts(self) -> int:
        """How many hosts there were."""
        return self.rounds[0].ok + self.rounds[0].not_ok

    @property
    def width(self) -> int:
        """How many hosts at once there can have been: never more than there are hosts."""
        return min(self.forks, self.hosts)

    @property
    def wall_seconds(self) -> float:
        """The median of the rounds' wall time."""
        return statistics.median(each.wall_seconds for each in self.rounds)

    @property
    def wall_spread(self) -> tuple[float, float]:
        """The shortest and the longest wall time."""
        walls = [each.wall_seconds for each in self.rounds]
        return min(walls), max(walls)

    @property
    def usage(self) -> Usage | None:
        """The medians of what was used; None where a round does not know."""
        used = [each.usage for each in self.rounds if each.usage is not None]
        if len(used) < len(self.rounds):
            return None
        return Usage(
            user_seconds=statistics.median(each.user_seconds for each in used),
            system_seconds=statistics.median(each.system_seconds for each in used),
            voluntary_switches=round(statistics.median(each.voluntary_switches for each in used)),
            involuntary_switches=round(
                statistics.median(each.involuntary_switches for each in used)
            ),
        )

    @property
    def cpu_seconds(self) -> float | None:
        """The median of the rounds' processor time, user and system; None where not known."""
        used = [each.usage.cpu_seconds for each in self.rounds if each.usage is not None]
        return statistics.median(used) if len(used) == len(self.rounds) else None

    @property
    def cores_busy(self) -> float | None:
        """How many processors were busy for it on average: parallelism. None where not known."""
        cpu = self.cpu_seconds
        return None if cpu is None or not self.wall_seconds else cpu / self.wall_seconds

    @property
    def efficiency(self) -> float | None:
        """The speed-up for each host at once that it was allowed: 1.0 loses nothing."""
        return None if self.speedup is None else self.speedup / self.width

    @property
    def peak_overlap(self) -> int:
        """The most hosts at once in any round: concurrency."""
        return max(each.peak_overlap for each in self.rounds)

    @property
    def mean_overlap(self) -> float:
        """The median of the rounds' average of hosts at once."""
        return statistics.median(each.mean_overlap for each in self.rounds)

    @property
    def start_seconds(self) -> float | None:
        """How long a process took to be at work (see `Round`); None when no host was begun."""
        known = [each.start_seconds for each in self.rounds if each.start_seconds is not None]
        return statistics.median(known) if known else None

    @property
    def ok(self) -> int:
        """How many hosts were ok in the worst round."""
        return min(each.ok for each in self.rounds)

    @property
    def not_ok(self) -> int:
        """How many hosts were not, in the worst round."""
        return max(each.not_ok for each in self.rounds)

    @property
    def exit_code(self) -> int:
        """The largest of the rounds'."""
        return max(each.exit_code for each in self.rounds)

    @property
    def problem(self) -> str | None:
        """A clause about the first host that was not ok; None when there was none."""
        return next((each.problem for each in self.rounds if each.problem is not None), None)

    @property
    def comparable(self) -> bool:
        """Whether the whole work was done, so that its figures can stand beside another run's."""
        return self.not_ok == 0

    @property
    def typical(self) -> Round:
        """The round whose wall time is nearest to the median: the one to look at."""
        middle = self.wall_seconds
        return min(self.rounds, key=lambda each: abs(each.wall_seconds - middle))

    @property
    def latencies(self) -> tuple[float, ...]:
        """The seconds that each host took, in each round, sorted."""
        return tuple(sorted(span.seconds for each in self.rounds for span in each.spans))

    @property
    def phase_seconds(self) -> dict[str, float]:
        """The seconds that a host spent in each phase on average, in no particular order."""
        spans = [span for each in self.rounds for span in each.spans]
        totals: dict[str, float] = {}
        for span in spans:
            for phase, seconds in span.phases:
                totals[phase] = totals.get(phase, 0.0) + seconds
        return {phase: total / len(spans) for phase, total in totals.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where a comparison was made, and how.

    Attributes:
        system: the operating system and its version.
        cores: processors that fleetrun may use.
        load: the system's load average of the last minute, before the first run; None where the
            operating system does not tell.
        versions: the versions of what did the work, by name.
        command: the command line that does it again.
        began_at: when it began: date and time with the zone, ISO 8601.
    """

    system: str
    cores: int
    load: float | None
    versions: tuple[tuple[str, str], ...]
    command: str
    began_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A whole comparison, for whoever shows it.

    Attributes:
        runs: the runs, in the order in which they were asked for.
        machine: where it was made.
        work: what was done on each host, a clause.
        flaws: sentences on what makes it unfair; none when it is fair.
        explanation: sentences that name the fastest and the cause.
    """

    runs: tuple[Run, ...]
    machine: Machine
    work: str
    flaws: tuple[str, ...] = ()
    explanation: tuple[str, ...] = ()


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the smallest value that so large a share of them does not exceed; None for none.

    The values are sorted; the share is above 0, and at most 1. This is the nearest rank, so that
    it is always a value that occurred.
    """
    return values[math.ceil(share * len(values)) - 1] if values else None


def name_among(run: Run, runs: Sequence[Run]) -> str:
    """Return what a run is called among the others: its mode, and its width when it takes that.

    Such as `threads`, or `threads/8` when threads were measured at several widths.
    """
    is_only_one = sum(other.mode == run.mode for other in runs) == 1
    return run.mode if is_only_one else f"{run.mode}/{run.forks}"

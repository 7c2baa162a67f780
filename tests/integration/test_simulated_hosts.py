"""The simulated hosts that other tests count on: do they count rightly?"""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from servers import wait_until
from simulated_hosts import Counts, SimulatedHosts
from simulated_server import Visitor

from fleetrun import Fleet, Host, Outcome, Report
from fleetrun.hosts import Secret

ONCE = Counts(connections=1, logins=1, begun=1, ended=1, left=1)
CLIENT = """
import pickle, sys
from fleetrun import Fleet
Fleet(pickle.load(sys.stdin.buffer), mode="threads").exec("sleep")
"""


@pytest.fixture
def simulated(tmp_path: Path) -> Iterator[SimulatedHosts]:
    with SimulatedHosts(tmp_path) as simulated:
        yield simulated
        assert simulated.log.read_text() == ""


def run(hosts: Sequence[Host]) -> Report:
    return Fleet(hosts, mode="threads").exec("true")


@pytest.mark.parametrize("processes", [1, 2])
def test_each_of_200_hosts_is_counted_once(processes: int, tmp_path: Path) -> None:
    with SimulatedHosts(tmp_path, processes=processes) as simulated:
        hosts = simulated.hosts(200)
        assert run(hosts).ok
        simulated.await_total(left=200)
        assert simulated.counts() == {host.address: ONCE for host in hosts}
        assert simulated.total() == Counts(
            connections=200, logins=200, begun=200, ended=200, left=200
        )


def test_what_is_done_twice_is_counted_twice(simulated: SimulatedHosts) -> None:
    (host,) = simulated.hosts(1, first=70_000)
    with Fleet([host], mode="threads") as fleet:
        assert fleet.exec("true").ok
        assert fleet.exec("true").ok
    assert run([host]).ok
    simulated.await_total(left=2)
    twice = Counts(connections=2, logins=2, begun=3, ended=3, left=2)
    assert simulated.counts() == {"127.17.17.113": twice}


def test_the_commands_of_a_killed_client_are_begun_and_never_ended(
    simulated: SimulatedHosts,
) -> None:
    hosts = simulated.hosts(20)
    simulated.hold()
    with subprocess.Popen([sys.executable, "-c", CLIENT], stdin=subprocess.PIPE) as client:
        assert client.stdin is not None
        client.stdin.write(pickle.dumps(hosts))
        client.stdin.close()
        simulated.await_total(begun=20)
        client.kill()
    simulated.await_total(left=20)
    simulated.release()
    torn = Counts(connections=1, logins=1, begun=1, left=1)
    assert simulated.counts() == {host.address: torn for host in hosts}


def test_held_hosts_run_until_they_are_released_and_the_others_do_not(
    simulated: SimulatedHosts,
) -> None:
    hosts = simulated.hosts(10)
    simulated.hold(hosts[:2])
    simulated.delay(3600.0, hosts[2:4])
    simulated.delay(0.01, hosts[4:6])
    reports: list[Report] = []
    thread = threading.Thread(target=lambda: reports.append(run(hosts)))
    thread.start()
    simulated.await_total(begun=10, ended=6)
    assert Counter(each.ended for each in simulated.counts().values()) == {1: 6, 0: 4}
    simulated.release()
    thread.join()
    assert reports[0].ok
    assert run(hosts).ok
    simulated.await_total(left=20)
    assert all(each.ended == 2 for each in simulated.counts().values())


def test_an_order_for_all_hosts_goes_before_earlier_ones_for_some(
    simulated: SimulatedHosts,
) -> None:
    hosts = simulated.hosts(2)
    simulated.hold(hosts[:1])
    simulated.delay(0.01)
    assert run(hosts).ok


def test_the_password_lets_in_and_another_does_not(simulated: SimulatedHosts) -> None:
    assert run(simulated.hosts_by_password(2)).ok
    (refused,) = simulated.hosts(
        1, first=2, private_key=None, identity_files=(), identity_agent=None, password=Secret("no")
    )
    assert run([refused])[refused.name].outcome is Outcome.UNREACHABLE
    simulated.await_total(left=3)
    assert simulated.counts()[refused.address] == Counts(connections=1, left=1)


def test_a_command_writes_what_the_test_wants(tmp_path: Path) -> None:
    with SimulatedHosts(tmp_path, output=b"x" * 1000) as simulated:
        assert [result.stdout for result in run(simulated.hosts(2))] == [b"x" * 1000] * 2


def test_who_comes_from_elsewhere_is_sent_away_and_not_counted() -> None:
    class Elsewhere:
        aborted = False

        def get_extra_info(self, _: str) -> tuple[str, int]:
            return "192.0.2.1", 22

        def abort(self) -> None:
            self.aborted = True

    connection = Elsewhere()
    visitor = Visitor(None)  # type: ignore[arg-type]  # it would be told of a host's visitor
    visitor.connection_made(connection)  # type: ignore[arg-type]
    visitor.connection_lost(None)
    assert connection.aborted


def test_the_servers_end_with_the_process_that_started_them(simulated: SimulatedHosts) -> None:
    (process,) = simulated._processes
    assert process.stdin is not None
    process.stdin.close()  # as it is when this process is killed
    wait_until(lambda: process.poll() is not None)
    assert process.returncode == 0

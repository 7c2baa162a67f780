from __future__ import annotations

from pathlib import Path

import click
import pytest
from command_line import CommandLine

from fleetrun.cli import main
from fleetrun.cli.completing import complete_hosts
from fleetrun.cli.exec import command as exec_command


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_script_asks_fleetrun_what_to_offer(shell: str, fleetrun: CommandLine) -> None:
    ran = fleetrun("completion", shell)

    assert ran.code == 0
    assert f"_FLEETRUN_COMPLETE={shell}_complete" in ran.out


def complete(
    words: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> list[str]:
    """Return what bash is told for a line that ends in the word to complete."""
    monkeypatch.setenv("_FLEETRUN_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    with pytest.raises(SystemExit):
        main()
    return [line.split(",")[1] for line in capfd.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("fleetrun exe", ["exec"]),
        ("fleetrun exec --mo", ["--mode"]),
        ("fleetrun exec --mode t", ["threads"]),
        ("fleetrun exec -i hosts.yaml -l web", ["web", "web1", "web2"]),
        ("fleetrun exec -x web", ["web", "web1", "web2"]),
        ("fleetrun exec -i hosts.yaml -i web9, -w web", ["web", "web1", "web2", "web9"]),
        ("fleetrun put nginx", ["nginx"]),  # of the kind file: the shell finds those that begin so
        ("fleetrun put nginx.conf /et", ["/et"]),
    ],
)
def test_commands_options_values_and_hosts_are_offered(
    words: str,
    offered: list[str],
    fleetrun: CommandLine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert fleetrun("--version").code == 0
    (tmp_path / "hosts.yaml").write_text("web: {hosts: {web1: {}, web2: {}, db1: {}}}\n")

    assert complete(words, monkeypatch, capfd) == offered


def test_an_inventory_with_a_mistake_offers_nothing_and_says_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "hosts.yaml"
    path.write_text("all: [")
    context = click.Context(exec_command)
    context.params["inventory"] = (str(path),)

    assert complete_hosts(context, exec_command.params[0], "w") == []
    assert capfd.readouterr() == ("", "")


def test_nothing_is_read_from_the_terminal_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    context = click.Context(exec_command)
    context.params["inventory"] = ("web1,", "-")

    assert complete_hosts(context, exec_command.params[0], "w") == []

"""The rule that `tests/conftest.py` holds every test to, held to it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

_CONFTEST = Path(__file__).parents[1] / "conftest.py"

_LEAKS = {
    "thread": (
        "import threading; threading.Thread(target=time.sleep, args=(60,), daemon=True).start()"
    ),
    "descriptor": "import os; os.dup(0)",
    "process": "import subprocess, sys; kept.append(subprocess.Popen(['sleep', '2']))",
}
_CLEAN = {
    "what was there before the test": "pass",
    "a thread that ends by itself": (
        "import threading; threading.Thread(target=time.sleep, args=(0.2,)).start()"
    ),
    "a process that was waited for": "import subprocess; subprocess.run(['true'])",
}


def run_test(folder: Path, body: str, *, patience_s: float) -> str:
    """Run a test with that body under the rule; return what pytest says."""
    rule = _CONFTEST.read_text()
    assert "_PATIENCE_S = 5.0" in rule
    rule = rule.replace("_PATIENCE_S = 5.0", f"_PATIENCE_S = {patience_s}")
    (folder / "conftest.py").write_text(rule)
    (folder / "test_it.py").write_text(f"import time\nkept = []\ndef test_it():\n    {body}\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder).stdout


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts where there is a /proc")
@pytest.mark.parametrize("kind", _LEAKS)
def test_what_a_test_leaves_behind_is_named(tmp_path: Path, kind: str) -> None:
    said = run_test(tmp_path, _LEAKS[kind], patience_s=0.5)
    assert f"left behind:\n  {kind} " in said
    assert "1 passed, 1 error" in said


@pytest.mark.parametrize("what", _CLEAN)
def test_what_is_gone_in_the_end_is_not_held_against_a_test(tmp_path: Path, what: str) -> None:
    said = run_test(tmp_path, _CLEAN[what], patience_s=30.0)
    assert "1 passed" in said
    assert "error" not in said

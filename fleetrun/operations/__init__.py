"""What to do on a host once a session is there. Layer 3 of the road.

An operation is frozen, picklable data with one method, `perform`, which uses a `Session` and
returns an `Ending`. It knows nothing of SSH, threads or other hosts.

    Exec   run a command, feed it stdin, keep what it writes
    Put    local files ─► temporary names ─► checked ─► renamed into place
    Get    remote files ─► temporary names ─► checked ─► renamed to DEST/HOST/path
    ScanKeys    look at the host's public keys, without logging in
"""

from __future__ import annotations

from fleetrun.operations.capture import DEFAULT_OUTPUT_LIMIT_BYTES, Capture
from fleetrun.operations.ending import Ending, Interrupted
from fleetrun.operations.execute import Exec
from fleetrun.operations.get import Get
from fleetrun.operations.places import local_place
from fleetrun.operations.put import Put
from fleetrun.operations.scan import ScanKeys
from fleetrun.operations.template import exec_for_each, get_for_each, put_for_each

Operation = Exec | Put | Get | ScanKeys

__all__ = [
    "DEFAULT_OUTPUT_LIMIT_BYTES",
    "Capture",
    "Ending",
    "Exec",
    "Get",
    "Interrupted",
    "Operation",
    "Put",
    "ScanKeys",
    "exec_for_each",
    "get_for_each",
    "local_place",
    "put_for_each",
]

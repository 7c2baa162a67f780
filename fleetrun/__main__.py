"""`python -m fleetrun` is `fleetrun`."""

from __future__ import annotations

import sys

from fleetrun.cli import main

if __name__ == "__main__":  # worker processes import this module again, under another name
    sys.exit(main())

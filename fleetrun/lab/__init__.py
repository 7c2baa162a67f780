"""A practice fleet on this machine: SSH servers that answer on 127.0.0.1 until they are left.

    with Lab(hosts=8, rtt_s=0.05) as lab:
        inventory = Inventory.load(lab.inventory)

Layer 7 of the road, beside it rather than on it: nothing that works on hosts knows of the lab, and
the lab knows of them only how an inventory is written.

    Lab (the caller's process)                 fleetrun.lab.serve (its child)
        starts the child          ── argv ──►  one asyncssh server a host
        writes the inventory      ◄─ stdout ─  ports and host keys, as one JSON line
        ends it, or is killed    ── SIGTERM ─► kills the commands, removes the folder, ends
                              or end of stdin
"""

from __future__ import annotations

from fleetrun.lab.lab import Lab as Lab

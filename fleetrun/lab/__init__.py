"""A practice fleet on this machine: SSH servers that answer on 127.0.0.1 until they are left.

    with Lab(hosts=8, rtt_s=0.05) as lab:
        inventory = Inventory.load(lab.inventory)

Layer 7 of the road, beside it rather than on it: nothing that works on hosts knows of the lab, and
the lab knows of them only how an inventory is written.

    Lab (this process) ── starts ──► fleetrun.lab.serve (a child with asyncssh's servers)
         writes inventory,  ◄── ports and host keys, one JSON line ──
         known_hosts
         stdin closes       ── or the parent dies ──► commands killed, folder removed, end
"""

from __future__ import annotations

from fleetrun.lab.lab import Lab as Lab

"""What the experiments of `fleetrun compare` found, as data. Layer 1 of the road.

    compare/calls ─► findings.calls ─► output/experiments/calls ─► table, JSON, figure

and so on for each experiment: `fleetrun.compare` measures, `fleetrun.output` shows, and neither
imports the other. All of it is frozen and plain, in seconds and bytes.
"""

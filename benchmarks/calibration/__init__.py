"""The simulator against real runs: the same arrivals, each with the same work, for a real server and for SimulatedHost.

    python -m benchmarks.calibration --cells io,step --seeds 1-3

What the simulator is told of this machine (boots, forks, CPU for each request) is measured once by the probe, before
the cells and apart from them; nothing is fitted to a cell.
"""

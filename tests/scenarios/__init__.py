"""Closed loop: the law drives a simulated server through a story, and its figures must stay in their ranges.

`python -m tests.scenarios` prints all figures of all stories; see docs/simulate.md for how to add one.
"""

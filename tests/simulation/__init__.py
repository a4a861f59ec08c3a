"""Runs simulated at the exact limit of a gate, over noise models, and how often the gate's rule says `pass`.

Imports go one way: noise, timings, rules, the cells of one gate, all cells.
"""

from simulation.tail import in_bursts as in_bursts

"""Every cell of every gate; those of scores that are not right or wrong have a table of their own (simulation/scores.py)."""

from __future__ import annotations

from simulation.accuracy import accuracy_rows
from simulation.energy import energy_rows, power_rows
from simulation.memory import memory_rows
from simulation.perplexity import perplexity_rows
from simulation.rows import Row
from simulation.speedup import rerun_rows, speedup_rows
from simulation.stability import consistency_rows
from simulation.tail import tail_rows

MAKERS = (
    speedup_rows,
    rerun_rows,
    memory_rows,
    energy_rows,
    power_rows,
    accuracy_rows,
    perplexity_rows,
    consistency_rows,
    tail_rows,
)


def all_rows(runs: int) -> list[Row]:
    return [row for rows in MAKERS for row in rows(runs)]

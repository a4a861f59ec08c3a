"""What a race of three arms measures under each noise model."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from simulation import noise
from simulation.noise import BASELINE, CONTROL, Array, Noise


@dataclass(frozen=True)
class Timing:
    """Noise of machine and process, and the clock's resolution as a fraction of the variant's latency.

    `phase` is how many ticks the variant's true latency lies beyond a whole number of them.
    """

    machine: Noise
    process: Noise
    tick: float = 0.0
    phase: float = 0.0
    broken: str = ""

    def logs(self, rng: np.random.Generator, runs: int, ratio: float) -> Array:
        """ln median latency, [runs, rounds, arms], of a variant that is truly `ratio` times as fast."""
        found = self.process(rng, runs)
        if self.machine is not noise.quiet:
            found = found + noise.raced(self.machine(rng, runs), rng)
        found[:, :, [BASELINE, CONTROL]] += math.log(ratio)
        if not self.tick:
            return found
        found += math.log1p(self.phase * self.tick)
        return np.log(np.maximum(np.round(np.exp(found) / self.tick), 1) * self.tick)


DEPENDENT = "rounds are independent"
UNSEEN = "every mode shows in the rounds"
ALIKE = "a runner treats arms alike"
WORST_PHASE = 0.25  # of the variant beyond a whole tick: it reads too fast, and the baseline, at a half, not too slow
TIMINGS: dict[str, Timing] = {
    "normal": Timing(noise.quiet, noise.normal),
    "autoregressive within and across rounds": Timing(noise.autoregressive, noise.normal),
    "bimodal, modes of the machine": Timing(noise.modes, noise.normal),
    "bimodal, modes of each process": Timing(noise.quiet, noise.own_modes),
    "heavy tail (t3)": Timing(noise.quiet, noise.heavy_tail),
    "throttling step": Timing(noise.throttling, noise.normal),
    "bursts": Timing(noise.bursts, noise.normal),
    "ties (clock of 1 %)": Timing(noise.quiet, noise.normal, tick=0.01),
    "ties (clock of 5 %)": Timing(noise.quiet, noise.normal, tick=0.05),
    "ties (clock of 10 %, worst phase)": Timing(noise.quiet, noise.normal, tick=0.1, phase=WORST_PHASE),
    "ties (clock of 20 %)": Timing(noise.quiet, noise.normal, tick=0.2),
    "ties (clock of 20 %, worst phase)": Timing(noise.quiet, noise.normal, tick=0.2, phase=WORST_PHASE),
    "drifting": Timing(noise.drifting, noise.normal),
    "drifting, heavy tail": Timing(noise.drifting, noise.heavy_tail),
    "rounds correlated 0.05": Timing(noise.quiet, noise.remembering(0.05), broken=DEPENDENT),
    "rounds correlated 0.1": Timing(noise.quiet, noise.remembering(0.1), broken=DEPENDENT),
    "rounds correlated 0.2": Timing(noise.quiet, noise.remembering(0.2), broken=DEPENDENT),
    "rounds correlated 0.4": Timing(noise.quiet, noise.remembering(0.4), broken=DEPENDENT),
    "slow mode of the variant alone, 20 %": Timing(noise.quiet, noise.rare_mode(0.2), broken=UNSEEN),
    "slow mode of the variant alone, 35 %": Timing(noise.quiet, noise.rare_mode(0.35), broken=UNSEEN),
    "slow mode of the variant alone, 50 %": Timing(noise.quiet, noise.rare_mode(0.5)),
    "arms unequal by 2 %": Timing(noise.quiet, noise.unequal(0.02), broken=ALIKE),
    "arms unequal by 5 %": Timing(noise.quiet, noise.unequal(0.05), broken=ALIKE),
}

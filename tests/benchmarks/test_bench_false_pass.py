"""False passes at the exact limit of every gate: the Clopper-Pearson 95 % upper bound is at most 5 % in every cell.

20,000 runs a cell; GATEKEEPER_BENCH_RUNS=2000 for a quick look. The tables are written to docs/tables, their short forms
to docs/verdicts.md. Cells whose noise breaks an assumption of the rule are reported with what they break; they are there
to show how far it holds.
"""

from __future__ import annotations

import os

from kit.support import REPOSITORY
from simulation.cells import all_rows
from simulation.clocks import clock_power_table, clock_table
from simulation.looks import looks_table
from simulation.peers import peers, peers_table
from simulation.power import control_table, correlation_limit, power_table
from simulation.rows import Row, clearly_above, summary, table
from simulation.scores import scores_table, several
from simulation.target import shortly, target_power_table, target_rows, target_table

FULL = 20_000
RUNS = int(os.environ.get("GATEKEEPER_BENCH_RUNS", FULL))

FALSE_PASS = """\
# False passes at the exact limit

`make bench` writes this file. Each row is {runs:,} simulated runs of a model that is exactly at the gate's limit; a pass is
then wrong. The promise is at most 5 %, and counts as met when the Clopper-Pearson 95 % upper bound of the rate is no more.
The speedup gate's other conditions, that means and fastest tenths are as much faster, are taken to hold whenever that of the
medians does: they can only prevent passes.

## The worst cell of each gate

Of the cells in which the assumptions of the method hold.

{summary}
## Power of the speedup gate (limit 2x, standard deviation of a round's median 5 %)

{power}
## Every cell

The last column names the assumption that the noise breaks on purpose.

{rows}
Rounds may be correlated (each arm's own noise, lag one) up to {limit:.2f} before the speedup gate's rate exceeds 5 %.

## Other rules for the A/A control

`none`; `margin`, the gate's own; `exclude`, no verdict once the control's interval excludes 1; `width`, also none while that
interval is wider than the effect seen; `width of the limit`, also none while it is wider than ln 2.

{control}"""

PEERS = """\
# Other ways to decide whether a model is twice as fast

`make bench` writes this file. {runs:,} simulated runs; every rule sees the same 24 processes of 200 iterations per model (the
gate may stop after fewer). A pass at a true 2.00x is wrong, in brackets the Clopper-Pearson 95 % upper bound; a pass at 2.20x
is owed. The shared runner: processes differ by 5 % (standard deviation), the machine by 10 % in phases of some 20 blocks of 25
iterations. The quiet machine: processes differ by 1 %. Iterations have a Pareto tail. Textbook tests are one-sided, at 5 %.

{peers}"""

SCORES = """\
# Scores that are not right or wrong

`make bench` writes this file. {runs:,} simulated runs a cell of a variant that keeps exactly 95 %, where a pass is wrong, and an
eighth as many of one that keeps 99 %, where a pass is owed. Student's t on the same contrasts stands beside both.

{scores}"""

TASKS = """\
# Tokens, pixels and labels

`make bench` writes this file. {runs:,} simulated runs a cell of a variant that keeps exactly 95 %, where a pass is wrong, and an
eighth as many of one that keeps 99 % and loses the rest here and there in all examples, where a pass is owed. n counts examples:
images, texts. Images have 2,000 pixels of 3 or of 10 classes, of which some are in few images; the variant misses whole images,
pixels here and there, or a class in some of the images that have it. Student's t stands beside what has contrasts.

{tasks}"""

TARGET = """\
# A target of several variants, of which one is enough

`make bench` writes this file. {runs:,} simulated runs (a fifth as many of the other rules, and of right variants). Wrong is every
run in which any variant that is exactly at its limit passes: each looked at alone, by Bonferroni's rule over all variants, and by
the closed test over those that have not failed. Speed is raced as the gate does it, each rule measuring on until it is sure;
accuracy is of 200 or 1,000 answers, of which the variants lose the same ones, half of them, any, or never the same.

## How often a target passes by a wrong variant

{false}
## How often it passes by a right one

{power}"""

CLOCK = """\
# A clock that is coarse against the latency

`make bench` writes this file. A tick of 20 % means that the variant's latency is five ticks. The median of a process that
varies by less than half a tick rounds the same way in every process: the bound closes around a wrong value. Shown are rules
that refuse to judge too few different readings at a look (two, three or five different ratios; three or four different
medians of each arm), and one that takes the smallest gap between two readings for the tick and charges half of it to each
reading. {runs:,} runs a cell, without the A/A control.

## False passes at the exact limit of 2x, where the true latency lies worst between two ticks

{clock}
## Passes that are owed, on average over where it lies (processes vary by 5 %)

{power}"""


def write_page(name: str, text: str) -> None:
    print("\n" + text)
    if RUNS >= FULL:
        page = REPOSITORY / f"docs/tables/{name}.md"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text)


def write_short(name: str, text: str) -> None:
    if RUNS >= FULL:
        import kit.tables as tables

        tables.write_table(name, text)


def missed(row: Row) -> bool:
    """Fewer runs than the full number cannot show that a promise is met, only that it is missed."""
    return not row.met if RUNS >= FULL else clearly_above(row)


def test_bench_false_pass() -> None:
    rows = all_rows(RUNS)
    short = summary(rows)
    text = FALSE_PASS.format(
        runs=RUNS,
        summary=short,
        power=power_table(RUNS),
        rows=table(rows),
        limit=correlation_limit(RUNS),
        control=control_table(RUNS),
    )
    write_page("false_pass", text)
    assert [row for row in rows if not row.broken and missed(row)] == []
    write_short("false_pass", short)


def test_bench_looks() -> None:
    write_short("looks", looks_table(RUNS))


def test_bench_scores() -> None:
    runs = RUNS // 5
    text, rows = scores_table(runs)
    write_page("scores", SCORES.format(runs=runs, scores=text))
    assert [row for row in rows if missed(row)] == []
    write_short("scores", text)


def test_bench_tasks() -> None:
    runs = RUNS // 40
    text, rows = scores_table(runs, several)
    write_page("tasks", TASKS.format(runs=runs, tasks=text))
    assert [row for row in rows if missed(row)] == []


def test_bench_target() -> None:
    rows = list(target_rows(RUNS))
    power = target_power_table(RUNS // 5)
    write_page("target", TARGET.format(runs=RUNS, false=target_table(rows, RUNS // 5), power=power))
    assert [row for row in rows if missed(row)] == []
    write_short("target", target_table([row for row in rows if shortly(row)], RUNS // 5))
    write_short("target_power", power)


def test_bench_peers_simulated() -> None:
    found = list(peers(RUNS))
    short = peers_table(found)
    write_page("peers_simulated", PEERS.format(runs=RUNS, peers=short))
    assert [peer for peer in found if peer.rule == "gatekeeper" and missed(peer.at_limit)] == []
    write_short("peers_simulated", short)


def test_bench_coarse_clock() -> None:
    runs = RUNS // 10
    write_page("coarse_clock", CLOCK.format(runs=runs, clock=clock_table(runs), power=clock_power_table(runs)))

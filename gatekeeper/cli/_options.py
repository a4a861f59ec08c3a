"""Arguments and options that several commands share, so that they are called and explained alike."""

from __future__ import annotations

from pathlib import Path

import click

pipeline_file = click.argument("file", type=click.Path(path_type=Path))
model = click.option("--model", type=click.Path(path_type=Path), help="Model to use instead of the one in the file.")
target = click.option("--target", help="Only the legs of this target.")
framework = click.option("--framework", help="Only the legs of this framework.")
policy_ref = click.option(
    "--policy-ref", metavar="REF",
    help="Git ref, such as the base branch, whose pipeline file sets the limits: this one cannot loosen them.",
)  # fmt: skip
policy = click.option(
    "--policy", type=click.Path(path_type=Path), help="The same from a file, such as a checkout of the base branch."
)
baseline_report = click.option(
    "--baseline-report", type=click.Path(path_type=Path), metavar="FILE",
    help="report.json of the base branch: the report says what changed since.",
)  # fmt: skip
cache_dir = click.option(
    "--cache-dir", type=click.Path(path_type=Path, file_okay=False), help="Where work is kept [default: the user's cache]."
)
quiet = click.option("--quiet", is_flag=True, help="No progress; only the result.")

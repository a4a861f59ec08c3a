"""Arguments and options that several commands share, so that they are called and explained alike."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import click

from gatekeeper.reports._folder import withdraw

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


class Reporting(click.Command):
    """A command with `--output` for reports: called wrongly, too, it leaves none of an earlier run there."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.UsageError:
            default = next(each.default for each in self.params if each.name == "output")
            output = _stated(words, "--output") or (default if isinstance(default, Path) else None)
            if output:
                if str(output) in words:
                    words.remove(str(output))
                withdraw(Path(output), [Path(word) for word in words])
            raise


def _stated(words: list[str], option: str) -> str:
    """What a command line says last of an option, as far as one can tell of a wrong one."""
    said = ""
    for word, after in pairwise([*words, ""]):
        said = after if word == option else word.partition("=")[2] if word.startswith(f"{option}=") else said
    return said

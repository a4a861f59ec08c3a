"""`gatekeeper validate`."""

from __future__ import annotations

from pathlib import Path

import click

from gatekeeper.cli import _options


@click.command(short_help="Check a pipeline file; list every problem.")
@_options.pipeline_file
@_options.model
@_options.policy_ref
@_options.policy
@click.option("--quick", is_flag=True, help="Leave the data out: do not look at rows of the evaluation and calibration set.")
def command(file: Path, model: Path | None, policy_ref: str | None, policy: Path | None, quick: bool) -> None:
    """Check FILE's structure and meaning.

    Every problem is printed as `file:line:column: message`, with the nearest valid name; those of the waivers beside FILE
    (gatekeeper-waivers.yml) too. Texts are read; sets in .npz and .csv and folders of images are held against the model: names,
    shapes, types, all of what is small and some of what is large; and labels against the shapes of its outputs. Nothing is run.
    Data and code that the file, or its policy, pins by SHA-256 must be that; what a loader returns only a run knows.
    What the stage `compliance` is certain to refuse, by FILE and its card alone, is a warning too.
    Gates on energy that this machine does not measure are a warning, as the runner may.
    Exit code 2 if there is a problem.
    """
    from gatekeeper.config.load import load
    from gatekeeper.config.waivers import waivers_for

    loaded = load(file, model)
    if policy_ref or policy:
        from dataclasses import replace

        from gatekeeper.config.policy import chosen_policy

        loaded = replace(loaded, policy=chosen_policy(file, policy_ref, policy, loaded.model_path()))
    waivers = waivers_for(loaded)
    if not quick and loaded.pipeline.dataset is not None:
        from gatekeeper.config.pins import pin_problems
        from gatekeeper.errors import ConfigError
        from gatekeeper.evaluate.look import data_problems

        if problems := [*data_problems(loaded), *pin_problems(loaded)]:
            raise ConfigError(loaded.source.path, problems)
    if not quick:
        from gatekeeper.planning.meters import unmetered

        for said in unmetered(loaded):
            click.echo(f"warning: {said}", err=True)
    from gatekeeper.config.section import AUTO
    from gatekeeper.stages.compliance import foreseen

    for said in foreseen(loaded):
        click.echo(f"warning: the stage 'compliance' will fail: {said}. See docs/compliance.md.", err=True)
    targets, section = loaded.targets, loaded.section("optimization")
    named = [section.frameworks] if section.frameworks == AUTO else section.frameworks
    judged = [f"frameworks {', '.join(named)}"] if named else []
    judged += ["the model itself"] if loaded.pipeline.baseline else []
    judged += [f"your own {', '.join(each.name for each in section.variants)}"] if section.variants else []
    click.echo(
        f"{file}: valid. {len(loaded.pipeline.stages)} stages, {len(targets)} target{'s' * (len(targets) != 1)} "
        f"({', '.join(t.name for t in targets)}), {', '.join(judged)}."
    )
    if waivers:
        click.echo(f"{waivers.source.path}: valid. {len(waivers.entries)} waiver{'s' * (len(waivers.entries) != 1)}.")

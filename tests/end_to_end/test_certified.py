"""From a run to a release, where code of the user's ran: certified where something held it, and nowhere else."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from kit.certified import TRUST, Place, write_key
from kit.command import call
from kit.support import write_project

from gatekeeper.process.hold import SWITCH, unheld

LOADER = """
import numpy as np

def data():
    found = np.load("eval.npz")
    return found["x"], found["y"]
"""


def release(folder: Path, **env: str) -> tuple[Place, subprocess.CompletedProcess[str]]:
    """A run that passes with a loader of the user's, and what `certify` says of it."""
    file = write_project(folder, "int8_dynamic", "onnx_runtime", timed=False)
    (folder / "own_data.py").write_text(LOADER)
    file.write_text(file.read_text().replace("dataset: {path: eval.npz}", "dataset: {loader: 'own_data:data'}"))
    done = call(["run", file, "--output", folder / "out"], folder, env)
    assert done.returncode == 0, done.stdout + done.stderr
    write_key(folder)
    (folder / "trust.yaml").write_text(TRUST)
    return Place(folder), Place(folder).certify()


@pytest.mark.skipif(bool(unheld()), reason=f"nothing holds a program here: {unheld()}")
def test_a_loader_that_was_held_is_certified_with_its_code(tmp_path: Path) -> None:
    place, done = release(tmp_path)
    assert done.returncode == 0, done.stderr
    predicate = place.payload()["predicate"]
    assert list(predicate["code"]) == ["loader own_data:data"]
    assert predicate["evidence"] == "trusted_runner"
    assert place.verify().returncode == 0
    place.trust.write_text(f"{TRUST}revoked: ['{predicate['code']['loader own_data:data']}']\n")
    assert "the loader own_data:data is revoked" in place.verify().stderr


def test_a_loader_that_nothing_held_is_not_nor_where_the_report_is_silent_of_it(tmp_path: Path) -> None:
    place, done = release(tmp_path, **{SWITCH: "off"})
    assert done.returncode == 1
    assert f"its evidence is untrusted_leg: here/onnx_runtime ran loader own_data:data, and nothing held it: {SWITCH} is off" in (
        done.stderr
    )
    assert not place.certificate.exists()

    report = json.loads(place.report.read_text())
    leg = report["targets"][0]["legs"][0]
    for said, code, told in (
        ({"unheld": ""}, 1, "does not say what held it"),
        ({"unheld": "", "user_code": []}, 2, "does not say that loader own_data:data ran"),
    ):
        leg.update(said)
        place.report.write_text(json.dumps(report))
        silent = place.certify()
        assert (silent.returncode, told in silent.stderr) == (code, True), silent.stderr
    (place.folder / "pipeline.yaml").unlink()  # and where no file says what ran
    silent = place.certify()
    assert silent.returncode == 1
    assert "it rests on loader own_data:data, and no leg says that it ran" in silent.stderr

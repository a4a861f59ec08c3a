"""The image of a package: its recipe is built by buildah, and its process heeds SIGTERM where it is process 1."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from kit.packaged import BASE, Packaging
from kit.registry import docker_registry
from kit.support import eventually

ALONE = ["unshare", "--pid", "--fork", "--kill-child"]
"""In a namespace of its own, as process 1."""


def _possible() -> bool:
    try:
        return subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


needs_namespaces = pytest.mark.skipif(not _possible(), reason="unshare (util-linux) may make no namespace of processes here")


@contextlib.contextmanager
def first(words: list[str], folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A command as process 1, and its number outside of its namespace."""
    with subprocess.Popen([*ALONE, *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
            assert eventually(lambda: children.read_text().split() or process.poll() is not None)
            yield process, int(children.read_text().split()[0])
        finally:
            process.kill()  # and with it the one inside


def number_inside(pid: int) -> str:
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("NSpid"))
    return line.split()[-1]


@needs_namespaces
def test_a_process_1_without_a_handler_ignores_it(tmp_path: Path) -> None:
    """What the next test rests on."""
    with first([sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"], tmp_path) as (process, pid):
        assert process.stdout and process.stdout.readline() == "up\n"
        os.kill(pid, signal.SIGTERM)
        time.sleep(0.5)
        assert process.poll() is None and number_inside(pid) == "1"


@needs_namespaces
def test_the_server_heeds_it(packaging: Packaging) -> None:
    """The image's own command, with the paths of this machine: it ends by itself, with 0, and what it took was answered."""
    place = packaging.made("--for", "container", "--name", "digits") / "container"
    (entry,) = re.findall(r"^ENTRYPOINT (.*)$", (place / "Containerfile").read_text(), re.MULTILINE)
    words = [re.sub("^/model", str(place / "model"), word) for word in json.loads(entry)]
    words[0], words[words.index("--host") + 1], words[words.index("--port") + 1] = sys.executable, "127.0.0.1", "0"
    with first(words, place / "runtime") as (process, pid):
        assert process.stdout
        line = process.stdout.readline()
        assert line.startswith("serving digits at http://"), line + (process.stdout.read() if process.poll() else "")
        assert number_inside(pid) == "1"
        url = f"{line.split()[-1]}/v2/models/digits/infer"
        tensor = {"name": "x", "shape": [1, 16], "datatype": "FP32", "data": [1.0] * 16}
        assert requests.post(url, json={"inputs": [tensor]}, timeout=30).status_code == 200
        os.kill(pid, signal.SIGTERM)
        assert process.wait(60) == 0
        assert process.stdout.read() == ""


TRUE = "int main(void) { return 0; }"
"""What installs packages in the image that is built here: nothing is fetched, and the rest of the recipe is what it is."""


@pytest.mark.thorough
@pytest.mark.skipif(
    not all(map(shutil.which, ("buildah", "docker-registry", "cc"))) or os.geteuid() != 0,
    reason="wants the Debian packages buildah, docker-registry and gcc, and root",
)
def test_the_recipe_is_built(packaging: Packaging, tmp_path: Path) -> None:
    base = tmp_path / "base"
    (base / "usr/bin").mkdir(parents=True)
    (base / "tmp").mkdir()
    (tmp_path / "true.c").write_text(TRUE)
    subprocess.run(["cc", "-static", "-o", base / "usr/bin/python3", tmp_path / "true.c"], check=True)
    own = ["buildah", "--root", tmp_path / "store", "--runroot", tmp_path / "run", "--storage-driver", "vfs"]

    def buildah(*words: object, cwd: Path = tmp_path) -> str:
        done = subprocess.run([*map(str, own), *map(str, words)], cwd=cwd, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    (tmp_path / "registry").mkdir()
    with docker_registry(tmp_path / "registry") as host:
        container = buildah("from", "scratch")
        buildah("add", container, base, "/")
        buildah("config", "--env", "PATH=/usr/bin", container)
        buildah("commit", container, f"{host}/base:1")
        buildah("push", "--tls-verify=false", "--digestfile", tmp_path / "digest", f"{host}/base:1")
        packaging.change(BASE, f"{host}/base@{(tmp_path / 'digest').read_text()}")
        place = packaging.made("--for", "container", "--name", "digits") / "container"
        recipe, installed = place / "Containerfile", "COPY --from=runtime /opt/runtime"  # which is not there: nothing was
        recipe.write_text(recipe.read_text().replace(installed, "COPY --from=runtime /own"))
        bud = ["bud", "--isolation", "chroot", "--format", "docker", "--tls-verify=false", "-t", "digits", "."]
        buildah(*bud, cwd=place)
    found = json.loads(buildah("inspect", "--type", "image", "digits"))["Docker"]["config"]
    assert found["User"] == "65532:65532" and found["StopSignal"] == "SIGTERM"
    assert found["Entrypoint"][:4] == ["python3", "-m", "gatekeeper", "serve"] and not found.get("Cmd")
    assert found["Healthcheck"]["Test"][:3] == ["CMD", "python3", "-c"]
    mounted = Path(buildah("mount", buildah("from", "localhost/digits")))
    assert (mounted / found["Entrypoint"][4].lstrip("/")).read_bytes() == packaging.place.model.read_bytes()
    assert (mounted / "evidence/report.json").read_bytes() == packaging.place.report.read_bytes()
    assert (mounted / "opt/gatekeeper/gatekeeper/cli/serve.py").is_file()

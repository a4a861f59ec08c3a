"""What the documents say is what the code has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from kit.support import REPOSITORY

from gatekeeper.config.load import load
from gatekeeper.config.owners import STAGES
from gatekeeper.errors import ConfigError, ExitCode
from gatekeeper.evaluate.tasks._base import REGISTRY as TASKS
from gatekeeper.frameworks._base import REGISTRY as FRAMEWORKS
from gatekeeper.frameworks._base import framework
from gatekeeper.gates._base import names as gate_names
from gatekeeper.reference.pipeline_file import page as reference
from gatekeeper.reference.write import PAGES
from gatekeeper.registry import Registry

README = (REPOSITORY / "README.md").read_text()
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_up_to_date(name: str) -> None:
    assert (REPOSITORY / name).read_text() == PAGES[name](), "run `make schemas`"


@pytest.mark.parametrize("name", FRAMEWORKS.builtin)
def test_every_technique_is_explained(name: str) -> None:
    section = (REPOSITORY / "docs/frameworks.md").read_text().partition(f"## `{name}`")[2].partition("\n## ")[0]
    assert [t for t in framework(name).TECHNIQUES if f"| `{t}` | " in section] == list(framework(name).TECHNIQUES)


@pytest.mark.parametrize("name", FRAMEWORKS.builtin)
def test_the_readme_lists_every_framework(name: str) -> None:
    assert f"| `{name}` |" in README


def test_every_key_of_the_reference_has_a_meaning() -> None:
    rows = [line for line in reference().splitlines() if line.startswith("| `")]
    assert len(rows) > 80
    assert not [row for row in rows if row.rstrip("| ").count("|") < 4]


@pytest.mark.parametrize("name", Registry("cli").builtin)
def test_the_readme_lists_every_command(name: str) -> None:
    assert f"`gatekeeper {name}" in README


@pytest.mark.parametrize("name", gate_names())
def test_every_gate_has_a_row(name: str) -> None:
    assert f"| `{name}` |" in (REPOSITORY / "docs/gates.md").read_text()


def test_the_readme_lists_every_stage_and_leads_to_every_page() -> None:
    assert [name for name in STAGES.builtin if f"| `{name}` |" not in README] == []
    pages = {page.relative_to(REPOSITORY).as_posix() for page in (REPOSITORY / "docs").glob("*.md")}
    linked = {target.partition("#")[0] for target in LINK.findall(README)}
    behind = {"docs/action.md", "docs/serve.md"}  # docs/pull-requests.md and docs/testing.md lead to them
    assert pages - linked - behind == set()


def _anchors(page: str) -> set[str]:
    """As GitHub makes them of headings."""
    heads = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_every_link_between_pages_leads_somewhere() -> None:
    lost = []
    for page in (REPOSITORY / "README.md", REPOSITORY / ".github/CONTRIBUTING.md", *(REPOSITORY / "docs").rglob("*.md")):
        for target in LINK.findall(page.read_text()):
            path, _, anchor = target.partition("#")
            place = (page.parent / path).resolve() if path else page
            if not place.exists() or (anchor and place.suffix == ".md" and anchor not in _anchors(place.read_text())):
                lost.append(f"{page.name}: {target}")
    assert lost == []


@pytest.mark.parametrize("code", [c for c in ExitCode if c is not ExitCode.INTERRUPTED])
def test_the_readme_lists_every_exit_code(code: ExitCode) -> None:
    assert re.search(rf"^\| {int(code)} \|", README, re.MULTILINE)


@pytest.mark.parametrize("name", TASKS.builtin)
def test_every_task_has_a_row_and_a_file_that_is_valid(name: str, tmp_path: Path) -> None:
    """But for the model and the data, which are the reader's."""
    page = (REPOSITORY / "docs/tasks.md").read_text()
    assert f"\n| `{name}` | " in page
    shown = re.search(rf"\n## {name}\n\n```yaml\n(.*?)```", page, re.DOTALL)
    assert shown is not None
    (tmp_path / "p.yaml").write_text(shown[1])
    with pytest.raises(ConfigError) as refused:
        load(tmp_path / "p.yaml")
    problems = [each.message for each in refused.value.problems]
    assert [each for each in problems if not each.startswith(("no such model", "no such dataset"))] == []
    assert f"task: {name}}}" in shown[1]


def test_the_readmes_smallest_file_is_valid(tmp_path: object) -> None:
    from pathlib import Path

    from gatekeeper.config.load import load

    folder = Path(str(tmp_path))
    text = next(t for t in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL))
    (folder / "p.yaml").write_text(text)
    for name in ("model.onnx", "eval.npz", "calib.npz"):
        (folder / name).write_bytes(b"x")
    assert load(folder / "p.yaml").pipeline.model is not None

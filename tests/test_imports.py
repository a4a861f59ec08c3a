"""The order of the layers, and how little a light command imports."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from kit.certified import certified
from kit.once import Once
from kit.support import REPOSITORY

PACKAGE = REPOSITORY / "gatekeeper"


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path for path in PACKAGE.rglob("*.py")}


def statements(body: list[ast.stmt], inside_functions: bool, for_types: bool = False) -> list[ast.stmt]:
    """Every statement that runs on import; with functions, every one that may ever run; for types, checkers' too."""
    found: list[ast.stmt] = []
    for statement in body:
        if isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test) and not for_types:
            found += statements(statement.orelse, inside_functions, for_types)
            continue
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and not inside_functions:
            continue
        found.append(statement)
        for inner in ("body", "orelse", "finalbody", "cases"):
            found += statements(getattr(statement, inner, []), inside_functions, for_types)
        for handler in getattr(statement, "handlers", []):
            found += statements(handler.body, inside_functions, for_types)
    return found


def imports(name: str, inside_functions: bool, for_types: bool = False) -> set[str]:
    """Modules of gatekeeper that a module imports."""
    found: set[str] = set()
    for statement in statements(ast.parse(MODULES[name].read_text(encoding="utf-8")).body, inside_functions, for_types):
        if isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom):
            assert statement.level == 0, f"{name}: relative import"
            inner = {f"{statement.module}.{alias.name}" for alias in statement.names}
            found |= {i if i in MODULES else str(statement.module) for i in inner}
    return {i for i in found if i == "gatekeeper" or i.startswith("gatekeeper.")} - {name}


@cache
def on_import() -> dict[str, set[str]]:
    return {name: imports(name, inside_functions=False) for name in MODULES}


@cache
def ever() -> dict[str, set[str]]:
    return {name: imports(name, inside_functions=True) for name in MODULES}


@cache
def named() -> dict[str, set[str]]:
    return {name: imports(name, inside_functions=True, for_types=True) for name in MODULES}


ROOMS = (
    "errors", "units", "ids", "progress", "version", "files", "registry", "records",
    "stats", "models", "hardware", "process", "scans", "data", "frameworks", "gates", "config", "making", "measure", "evaluate",
    "planning", "compliance", "causes", "reports", "verdicts", "certificate", "serve", "load", "checks", "deploy", "legs",
    "monitor", "stages", "explain", "advice", "starting", "pipeline", "repair", "cli", "reference", "github", "__main__",
)  # fmt: skip
"""Rooms and the modules beside them, from the ground up: each may import from those before it."""


def room(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


def under(name: str, *folders: str) -> bool:
    return any(name == f"gatekeeper.{f}" or name.startswith(f"gatekeeper.{f}.") for f in folders)


def reachable(name: str, graph: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    queue = [name]
    while queue:
        for following in graph.get(queue.pop(), ()):
            if following not in found:
                found.add(following)
                queue.append(following)
    return found


def test_the_parser_finds_the_imports() -> None:
    assert len(MODULES) > 50
    assert "gatekeeper.errors" in on_import()["gatekeeper.registry"]
    assert "gatekeeper.config.load" in ever()["gatekeeper.cli.validate"] - on_import()["gatekeeper.cli.validate"]
    assert set().union(*ever().values()) <= set(MODULES), "an import of a module that is not there"


def test_no_module_reaches_itself() -> None:
    assert [name for name in sorted(MODULES) if name in reachable(name, on_import())] == []


def test_every_room_has_its_place() -> None:
    assert {room(name) for name in MODULES} - {""} == set(ROOMS)


def test_imports_point_down() -> None:
    """Lazy ones inside functions too, and those that only a type checker sees."""
    above = [
        (name, other)
        for name in sorted(MODULES)
        for other in named()[name]
        if room(name) and room(other) and ROOMS.index(room(other)) > ROOMS.index(room(name))
    ]
    assert above == []


def test_the_pipeline_is_imported_by_the_command_line_and_by_what_repairs_only() -> None:
    users = {name for name, found in ever().items() if "gatekeeper.pipeline" in found}
    assert users
    assert {name for name in users if not under(name, "cli", "repair")} == set()


@pytest.mark.parametrize("name", ["errors", "records.base", "units"])
def test_the_bottom_imports_nothing(name: str) -> None:
    assert ever()[f"gatekeeper.{name}"] == set()


def test_statistics_import_records_only() -> None:
    for name in MODULES:
        if under(name, "stats"):
            assert {i for i in ever()[name] if not under(i, "stats", "records")} == set(), name


def test_what_is_loose_is_little() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 10


def test_files_are_small() -> None:
    sizes = sorted(len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES.values() if path.name != "__init__.py")
    assert sizes[-1] <= 400
    assert sizes[len(sizes) // 2] <= 110


@pytest.mark.parametrize("name", sorted(n for n in MODULES if under(n, "reports")))
def test_reports_never_measure(name: str) -> None:
    assert {
        i for i in reachable(name, ever()) if under(i, "measure", "stages", "frameworks", "evaluate", "pipeline", "cli")
    } == set()


@pytest.mark.parametrize("name", ["annotations", "artifact", "comment", "context", "outputs", "publish"])
def test_what_shows_a_report_to_github_never_measures(name: str) -> None:
    found = reachable(f"gatekeeper.github.{name}", ever())
    assert {i for i in found if under(i, "measure", "stages", "frameworks", "evaluate", "pipeline", "cli")} == set()


@pytest.mark.parametrize("name", sorted(n for n in MODULES if under(n, "models", "hardware", "registry")))
def test_what_describes_does_not_run(name: str) -> None:
    assert {
        i for i in reachable(name, ever()) if under(i, "measure", "stages", "frameworks", "config", "pipeline", "cli")
    } == set()


def test_every_init_is_empty() -> None:
    for path in PACKAGE.rglob("__init__.py"):
        assert path.read_bytes() == b"", path


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert [str(f) for f in folders if not (f / "__init__.py").exists()] == []


HEAVY = {
    "numpy",
    "scipy",
    "onnx",
    "onnxruntime",
    "onnx_ir",
    "sklearn",
    "PIL",
    "pandas",
    "openvino",
    "nncf",
    "torch",
    "gguf",
    "llama_cpp",
    "modelaudit",
    "transformers",
}


def imported(folder: Path, *words: str) -> set[str]:
    """Top-level modules that a command imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "gatekeeper", *words],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )
    lines = done.stderr.splitlines()
    assert done.returncode == 0, "\n".join(line for line in lines if not line.startswith("import time:"))
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines if line.startswith("import time:")}


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model and a pipeline file."""
    import onnx
    from onnx import TensorProto, helper

    folder = tmp_path_factory.mktemp("pipeline")
    tensor = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", tensor[:1], tensor[1:])
    onnx.save(helper.make_model(graph), str(folder / "m.onnx"))
    (folder / "p.yaml").write_text("edge_ai_pipeline:\n  model: {path: m.onnx}\n  gates: {speedup: {min: 2}}\n")
    return folder


@pytest.mark.parametrize(
    "words",
    [["--help"], ["--version"], ["run", "--help"], ["scan", "--help"], ["explain", "--help"], ["validate", "p.yaml"]],
    ids=" ".join,
)
def test_a_light_command_imports_neither_numbers_nor_colour(pipeline: Path, words: list[str]) -> None:
    assert imported(pipeline, *words) & (HEAVY | {"rich"}) == set()


@pytest.mark.parametrize(
    "words",
    [
        ["plan", "p.yaml"],
        ["plan", "p.yaml", "--format", "github"],
        ["assess", "m.onnx"],
        ["assess", "m.onnx", "--format", "json"],
        ["scan", "m.onnx"],
        ["scan", "m.onnx", "--format", "sarif"],
    ],
    ids=" ".join,
)
def test_a_command_that_only_looks_imports_no_framework(pipeline: Path, words: list[str]) -> None:
    assert imported(pipeline, *words) & HEAVY == set()


def test_what_a_report_knows_is_explained_without_a_framework(tmp_path: Path) -> None:
    report = REPOSITORY / "tests/data/reports-v1/base.json"
    assert imported(tmp_path, "explain", str(report), "--no-measure") & HEAVY == set()


def test_init_imports_no_framework(pipeline: Path, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes((pipeline / "m.onnx").read_bytes())
    assert imported(tmp_path, "init") & HEAVY == set()


def test_what_checks_a_release_imports_no_framework(once: Once, tmp_path: Path) -> None:
    """It judges numbers again, for which it may count with numpy and scipy, and opens no model."""
    place = certified(once, tmp_path)
    words = ["--model", str(place.model), "--trust", str(place.trust)]
    assert imported(place.folder, "verify", str(place.certificate), *words) & (HEAVY - {"numpy", "scipy"}) == set()
    assert imported(place.folder, "certify", "out", "--key", str(place.key)) & (HEAVY - {"numpy", "scipy"}) == set()


def test_the_check_would_notice(tmp_path: Path) -> None:
    code = "import numpy"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert "numpy" in {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}

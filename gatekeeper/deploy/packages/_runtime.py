"""gatekeeper's own server as it goes into an image: its code, what it needs of one framework, and with which words it starts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gatekeeper.deploy.packages._base import DRAIN_S, PORT
from gatekeeper.errors import Refused, UsageError
from gatekeeper.frameworks._base import needs
from gatekeeper.version import DISTRIBUTION

if TYPE_CHECKING:
    from gatekeeper.deploy.packages._approved import Approved
    from gatekeeper.models.info import Assessment

LOCK = "constraints.txt"


def opened(approved: Approved) -> Assessment:
    """What the artifact says of itself; `Refused` where that is not enough to serve it alone."""
    from gatekeeper.errors import NotMeasured
    from gatekeeper.models.files import assess

    try:
        about = assess(approved.described)
    except (NotMeasured, UsageError) as error:
        raise Refused(f"{approved.variant.id}: cannot be served alone: {error}") from None
    if about.text is not None and not about.text.tokenizer:
        raise Refused(f"{approved.variant.id}: has no tokenizer of its own, and cannot be served alone. A .gguf has one.")
    return about


def words(approved: Approved, name: str) -> list[str]:
    """The command that serves the model in an image."""
    whole, own = approved.place, approved.described
    place = "/model" if whole.is_dir() else f"/model/{whole.name}"
    more = ["--model", f"/model/{own.relative_to(whole).as_posix()}"] if own != whole else []
    more += ["--task", approved.task] if approved.task else []
    return [
        "python3", "-m", "gatekeeper", "serve", place, "--framework", approved.variant.framework, "--name", name,
        "--host", "0.0.0.0", "--port", str(PORT), "--threads", str(approved.threads), "--drain", f"{DRAIN_S}s", *more,
    ]  # fmt: skip


def code() -> dict[str, Path]:
    """gatekeeper's own modules, by their names below a folder on the import path."""
    import gatekeeper

    root = Path(str(gatekeeper.__file__)).parent
    return {f"gatekeeper/{path.relative_to(root).as_posix()}": path for path in sorted(root.rglob("*.py")) if _ours(path, root)}


def requirements(approved: Approved, model_format: str) -> dict[str, str]:
    """requirements.txt, of what the server and this framework need and no more, and constraints.txt, with a version of each.

    Versions are those of the lock that gatekeeper itself installs by, and of the framework those that it was measured with.
    """
    wanted = sorted({*_required(""), *_required("serve"), *_required(needs(approved.variant.framework, model_format).extra)})
    measured = {_plain(name): version for name, version in approved.packages.items() if version}
    lines, seen = [], set()
    for line in _lock().splitlines():
        name = _plain(line.split("==")[0].strip())
        if name in measured:
            if name not in seen:
                lines.append(f"{name}=={measured[name]}")
            seen.add(name)
        else:
            lines.append(line)
            seen.add(name)
    lines += [f"{name}=={version}" for name, version in measured.items() if name not in seen]
    if lacking := [name for name in wanted if name not in {*seen, *measured}]:
        raise Refused(f"{', '.join(lacking)} has no version in the lock ({LOCK}). Use the lock that this gatekeeper came with.")
    return {"requirements.txt": "".join(f"{name}\n" for name in wanted), LOCK: "".join(f"{line}\n" for line in sorted(lines))}


def _ours(path: Path, root: Path) -> bool:
    parts = path.relative_to(root).parts
    return "__pycache__" not in parts and parts[0] not in ("_demo", "_lock") and not path.is_symlink()


def _lock() -> str:
    """The versions that gatekeeper is installed by: beside its modules where it is installed, else in its checkout."""
    import gatekeeper

    root = Path(str(gatekeeper.__file__)).parent
    for path in (root / "_lock" / LOCK, root.parent / ".github" / LOCK):
        if path.is_file():
            return path.read_text()
    raise UsageError(f"the versions to install ({LOCK}) did not come with this gatekeeper. Install it from a wheel or checkout.")


def _required(extra: str) -> set[str]:
    """Distributions that gatekeeper itself (of no extra), or one of its extras, asks for on Linux; its own extras opened."""
    from importlib import metadata

    from packaging.requirements import Requirement

    try:
        lines = [Requirement(line) for line in metadata.requires(DISTRIBUTION) or []]
    except metadata.PackageNotFoundError:
        raise UsageError(f"{DISTRIBUTION} is not installed, so what it needs is not known. Install it: pip install .") from None
    found: set[str] = set()
    queue = [name.strip() for name in extra.split(",")]
    seen: set[str] = set()
    while queue:
        name = queue.pop()
        seen.add(name)
        about = {"extra": name, "sys_platform": "linux", "python_version": "3.11", "platform_system": "Linux"}
        for each in lines:
            of_extra = each.marker is not None and "extra" in str(each.marker)
            if bool(name) != of_extra or (each.marker is not None and not each.marker.evaluate(about)):
                continue
            if _plain(each.name) == DISTRIBUTION:
                queue += [more for more in each.extras if more not in seen]
            else:
                found.add(_plain(each.name))
    return found


def _plain(name: str) -> str:
    from packaging.utils import canonicalize_name

    return str(canonicalize_name(name.partition("[")[0]))

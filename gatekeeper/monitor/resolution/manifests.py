"""Steps on Kubernetes: a JSON patch (RFC 6902) of the written manifests for each, and nothing is applied or changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper.errors import UsageError
from gatekeeper.monitor.resolution.journal import Entry
from gatekeeper.monitor.resolution.place import Ended

if TYPE_CHECKING:
    from gatekeeper.monitor.actions._base import Change, Serving
    from gatekeeper.monitor.decide import Finding

KINDS = ("Deployment", "Rollout")
WORDS = {"threads": "--threads", "workers": "--workers", "max_batch": "--batch", "cache": "--cache", "queue": "--queue"}
"""Settings, and the options of `gatekeeper serve` that they are; the image's own come first, and the last counts."""
CONTAINER = "/spec/template/spec/containers/0"
VARIANT = "edge-gatekeeper/variant"


@dataclass
class Manifests:
    """A folder that `gatekeeper package` or `gatekeeper deploy --for` wrote; patches go to another one."""

    folder: Path
    patches: Path

    def settle(self, cut: Entry | None) -> Ended | None:
        """A patch is written or not: nothing is at work."""
        return Ended("cut_short", "nothing was applied") if cut else None

    def serving(self) -> Serving:
        """What the manifests say; how many cores a node has they do not, so that twice as many may be asked for."""
        from gatekeeper.monitor.actions._base import Serving

        _, found = self._object()
        words = _words(found)
        cpus = _cpus(found)
        threads = int(words.get("--threads", cpus))
        workers = int(words.get("--workers", 1))
        annotations = found["spec"]["template"].get("metadata", {}).get("annotations", {})
        return Serving(
            threads=threads,
            workers=workers,
            max_batch=int(words.get("--batch", 1)),
            cache=int(words.get("--cache", 0)),
            queue=int(words.get("--queue", 64)),
            variant=str(annotations.get(VARIANT, "")),
            cores=2 * max(cpus, threads * workers),
        )

    def attempt(self, change: Change, finding: Finding, metric: str, begun: Callable[[str], None]) -> Ended:
        """Write the patch, for a person to apply."""
        from gatekeeper.files import make_folder, write_atomic

        if change.variant:
            return Ended("proposed", f"package and deploy {change.variant}: another image, which no patch makes")
        path, found = self._object()
        patch = patch_of(found, change)
        name = f"{finding.alert}-{'-'.join(sorted(change.settings))}.json"
        make_folder(self.patches)
        write_atomic(self.patches / name, json.dumps(patch, indent=2) + "\n")
        kind, called = found["kind"].lower(), found["metadata"]["name"]
        return Ended("proposed", f"of {path.name}: kubectl patch {kind} {called} --type json --patch-file {self.patches / name}")

    def _object(self) -> tuple[Path, dict[str, Any]]:
        """The one that has the model's pods."""
        import yaml

        for path in sorted(self.folder.rglob("*.yaml")):
            try:
                every = [each for each in yaml.safe_load_all(path.read_text(encoding="utf-8")) if isinstance(each, dict)]
            except (OSError, ValueError, yaml.YAMLError) as error:
                raise UsageError(f"{path}: cannot be read: {str(error)[:200]}. Write the manifests again.") from None
            for each in every:
                if each.get("kind") in KINDS:
                    try:
                        each["spec"]["template"]["spec"]["containers"][0]["image"], each["metadata"]["name"]
                    except (KeyError, IndexError, TypeError):
                        raise UsageError(f"{path}: has no container. Write the manifests again.") from None
                    return path, each
        raise UsageError(
            f"{self.folder}: holds no {' and no '.join(KINDS)}. Write one: gatekeeper package --for kubernetes, or "
            "gatekeeper deploy --for argo or flagger."
        )


def patch_of(found: Mapping[str, Any], change: Change) -> list[dict[str, Any]]:
    """What of an object is changed: words after the image's own, and the cores that it asks for."""
    container = found["spec"]["template"]["spec"]["containers"][0]
    words = _words(found) | {WORDS[name]: str(value) for name, value in change.settings.items()}
    args = [word for pair in words.items() for word in pair]
    patch = [{"op": "replace" if "args" in container else "add", "path": f"{CONTAINER}/args", "value": args}]
    if change.cores is not None and container.get("resources", {}).get("requests", {}).get("cpu"):
        patch.append({"op": "replace", "path": f"{CONTAINER}/resources/requests/cpu", "value": str(change.cores)})
    return patch


def _words(found: Mapping[str, Any]) -> dict[str, str]:
    """Options and their values, as `args` has them."""
    args: Sequence[Any] = found["spec"]["template"]["spec"]["containers"][0].get("args", [])
    return dict(zip(map(str, args[::2]), map(str, args[1::2]), strict=False))


def _cpus(found: Mapping[str, Any]) -> int:
    """Cores that a pod asks for, at least one."""
    stated = str(found["spec"]["template"]["spec"]["containers"][0].get("resources", {}).get("requests", {}).get("cpu", "1"))
    try:
        return max(1, round(float(stated.removesuffix("m")) / (1000 if stated.endswith("m") else 1)))
    except ValueError:
        return 1

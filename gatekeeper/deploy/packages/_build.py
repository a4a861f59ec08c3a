"""From a report to a package on disk: what the file asks for, made of what passed, whole or not at all."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper.config.owners import PACKAGES
from gatekeeper.deploy.packages._approved import Approved, Judged, about, approved, judged, settings
from gatekeeper.deploy.packages._base import EVIDENCE, Asked, Content, Part, kind
from gatekeeper.deploy.packages._tree import write_tree
from gatekeeper.errors import Refused, UsageError
from gatekeeper.version import version

if TYPE_CHECKING:
    from gatekeeper.certificate.trust import Trust

ABOUT = "package.json"
SCHEMA = "gatekeeper/package/v1"


@dataclass(frozen=True)
class Request:
    """What to package, as the command line says; `kinds` and `parts` empty: all that the pipeline file asks for."""

    result: Path
    output: Path
    kinds: Sequence[str] = ()
    parts: Sequence[str] = ()
    asked: Asked = field(default_factory=Asked)
    config: Path | None = None
    variant: str | None = None
    artifact: Path | None = None
    policy: Path | None = None
    waivers: Path | None = None
    certificates: Sequence[Path] = ()
    trust: Path | None = None
    replace: bool = False


@dataclass(frozen=True)
class Built:
    """A package that was written: its folder, the digests of its files, what it is made of, and what nobody measured of it."""

    place: Path
    digests: dict[str, str]
    made_of: dict[str, str]
    notes: list[str]


def build(request: Request, now: datetime.datetime) -> Built:
    """Write what is asked for; `Refused` where something of it did not pass or cannot be kept, and then nothing is written."""
    known = judged(request.result, request.policy, request.waivers, now)
    pipeline = settings(known, request.config)
    section = pipeline.pipeline.packaging if pipeline else None
    parts = asked_parts(section, request.kinds, request.parts)
    signed, trusted = certificates(request), believed(request, known)
    files: dict[str, Content] = {}
    made_of, measured = dict[str, str](), dict[str, str]()
    notes: list[str] = []
    wrong: list[UsageError | Refused] = []
    for part in parts:
        try:
            own = approved(known, part, request.variant, request.artifact, pipeline)
            if trusted is not None:
                own = certified(own, signed, trusted, now)
            whole, said = contents(part, own, request.asked)
        except (UsageError, Refused) as error:
            wrong.append(error)
            continue
        files |= {f"{part.folder}/{name}": content for name, content in whole.items()}
        measured |= {f"{part.folder}/{name}": digest for name, digest in measured_digests(whole, own).items()}
        made_of[part.folder] = own.variant.id
        notes += [f"{part.folder}: {each}" for each in said]
    if wrong:  # all at once; what was refused weighs more than what was not said
        refused = any(isinstance(each, Refused) for each in wrong)
        raise (Refused if refused else UsageError)("\n".join(dict.fromkeys(map(str, wrong))))
    return Built(request.output, write_tree(request.output, files, request.replace, measured), made_of, notes)


def contents(part: Part, own: Approved, asked: Asked) -> tuple[dict[str, Content], list[str]]:
    """Every file of one part, with what is said of it and what shows that it may ship; and what nobody measured, in words."""
    made = dict(kind(part.kind).files(part, own, asked))
    notes = unmeasured(part, own, asked)
    told = {"schema": SCHEMA, "kind": part.kind, "part": part.name, "options": _plain(part.options)} | about(own)
    told |= {"not_measured": notes, "packaged_by": version()}
    made[ABOUT] = json.dumps(told, indent=2, sort_keys=True) + "\n"
    made |= {f"{EVIDENCE}/{name}": data for name, data in own.evidence.items()}
    return made, notes


def asked_parts(section: Any, kinds: Sequence[str], names: Sequence[str]) -> list[Part]:
    """What to make: of the named kinds, or of all that the file has a key for, every part or those that are named."""
    stated = {name: getattr(section, kind(name).KEY, None) for name in PACKAGES.names}
    wanted = list(kinds) or [name for name, own in stated.items() if own is not None]
    known = ", ".join(PACKAGES.names)
    if not wanted:
        raise UsageError(f"the pipeline file has no `packaging`, so nothing says what to make. Say it with --for: {known}.")
    found: list[Part] = []
    for name in wanted:
        own, module = stated.get(name), kind(name)
        if own is None and module.ASKED:
            raise UsageError(f"nothing says how: add `packaging: {{{module.KEY}: ...}}` to the pipeline file (docs/package.md).")
        parts = module.parts(module.SECTION() if own is None else own)
        if not parts:
            raise UsageError(f"packaging.{module.KEY} is empty. Say there what to make (docs/package.md), or remove it.")
        found += parts
    if not names:
        return found
    if unknown := [name for name in names if name not in {part.folder for part in found}]:
        have = ", ".join(part.folder for part in found)
        raise UsageError(f"--part {unknown[0]!r:.100} is not asked for. There are {have}.")
    return [part for part in found if part.folder in names]


def certified(own: Approved, signed: Mapping[str, bytes], believed: Trust, now: datetime.datetime) -> Approved:
    """The same with its certificate, verified as `gatekeeper verify` does; `Refused` where none lets this variant ship."""
    from gatekeeper.certificate.certify import FILE_NAME
    from gatekeeper.certificate.verify import Release, check_signed, released

    others = []
    for name, data in signed.items():
        stated, _ = check_signed(data, believed, name)
        if stated.predicate.variant != own.variant.id:
            others.append(stated.predicate.variant)
            continue
        outcome = released(Release(data, own.judged.data, own.files), believed, now, name)
        if outcome.refused:
            raise Refused("\n".join(f"{name}: {each.rstrip('.')}." for each in outcome.refused))
        return replace(own, certified=sha256(data).hexdigest(), evidence=own.evidence | {FILE_NAME: data})
    raise Refused(f"{own.variant.id} has no certificate: those given are of {', '.join(others)}. Certify it first.")


def unmeasured(part: Part, own: Approved, asked: Asked) -> list[str]:
    """What the package is for and no measurement of its report is of, in words."""
    told = []
    target = part.options
    for name in ("acceleration", "execution_provider"):
        found = getattr(getattr(target, "optimization", target), name, "")
        if found and found != own.device and not (found == "cpu_gpu_auto" and own.device == "auto"):
            told.append(f"it is for {found}, and was measured on {own.device}: nothing says how fast or how right it is there")
    runs = getattr(kind(part.kind), "image", None)
    if runs and (image := runs(part, asked)):
        told.append(f"nothing looked into the image {image}: that it holds the model of this report is the word of who built it")
    hook = getattr(kind(part.kind), "unmeasured", None)
    return [*told, *(hook(part, own) if hook else [])]


def measured_digests(files: Mapping[str, Content], own: Approved) -> dict[str, str]:
    """The digests that the artifact's files have in a package, by their names there."""
    digests = {path: own.files[name] for name, path in own.contents.items()}
    return {name: digests[content] for name, content in files.items() if isinstance(content, Path) and content in digests}


def certificates(request: Request) -> dict[str, bytes]:
    """The certificates that were named, by their files; a `UsageError` where nobody says whom to believe."""
    from gatekeeper.certificate.signing import came_bytes

    if (request.trust is None) != (not request.certificates):
        raise UsageError("--certificate and --trust go together: what was signed, and whom you believe.")
    return {str(path): came_bytes(path, "certificate") for path in request.certificates}


def believed(request: Request, known: Judged) -> Trust | None:
    """The trust file, which lies outside of what is packaged, as `gatekeeper verify` has it."""
    if request.trust is None:
        return None
    from gatekeeper.certificate.trust import came_in, read_trust

    model = [request.artifact] if request.artifact else []
    return read_trust(request.trust, came_in(known.folder, *request.certificates, *model))


def _plain(options: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(options)

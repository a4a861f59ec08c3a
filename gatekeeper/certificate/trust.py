"""The trust file: whose certificates are believed, and what they must show. It lies where releases are made, never in one."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gatekeeper.certificate.identity import Workflow
from gatekeeper.certificate.signing import Signer, public_key
from gatekeeper.config.limits import Limit
from gatekeeper.config.load import converted
from gatekeeper.config.owners import STAGES
from gatekeeper.config.schema import schema_of
from gatekeeper.config.section import NonEmpty, Section, Sha256, make_section
from gatekeeper.config.source import Source, read_source
from gatekeeper.errors import ConfigError, Problem, UsageError, nearest
from gatekeeper.files import is_link
from gatekeeper.gates._base import also, gate, per_set
from gatekeeper.gates._base import names as gate_names
from gatekeeper.ids import set_of, without_set

REMEDY = "docs/release.md shows one."
AGE = r"^[1-9][0-9]{0,4}[hd]$"
_UNITS = {"h": "hours", "d": "days"}


class TrustedSigner(Section, frozen=True, kw_only=True):
    """Somebody who may sign: with a `key`, or by an `identity`, which an `issuer` vouches for."""

    name: Annotated[NonEmpty | None, Meta(description="What messages call the signer; default: its identity.")] = None
    key: Annotated[NonEmpty | None, Meta(description="Public key in PEM (Ed25519 or ECDSA), a path from this file's folder.")] = (
        None
    )
    identity: Annotated[
        NonEmpty | None,
        Meta(
            description="Exactly whom Sigstore certified; no pattern.",
            examples=["https://github.com/OWNER/REPOSITORY/.github/workflows/release.yml@refs/heads/main"],
        ),
    ] = None
    issuer: Annotated[
        NonEmpty | None,
        Meta(description="Exactly who vouched for the identity.", examples=["https://token.actions.githubusercontent.com"]),
    ] = None
    caller: Annotated[
        NonEmpty | None,
        Meta(description="The workflow that the run began with, if the identity is a reusable one's; default: the identity."),
    ] = None


class Require(Section, frozen=True, kw_only=True):
    """What a certificate must show."""

    gates: Annotated[list[NonEmpty], Meta(description="Gates that must have passed, besides those in `limits`.")] = []
    min_examples: Annotated[int, Meta(ge=1, description="Distinct examples that the verdict must rest on.")] = 59
    evidence: Annotated[
        Literal["trusted_runner"],
        Meta(description="`trusted_runner`: no code of anybody's own ran that nothing held. Nothing less is accepted."),
    ] = "trusted_runner"
    max_age: Annotated[
        str,
        Meta(pattern=AGE, examples=["30d", "12h"], description="How long ago it may have been measured, in days or hours."),
    ] = "90d"
    waivers: Annotated[
        Literal["none", "signed"],
        Meta(
            description="`none`: no failure may have been waived; `signed`: those in the certificate hold until they expire, "
            "except for gates in `limits`."
        ),
    ] = "none"
    stages: Annotated[list[NonEmpty], Meta(description="Stages that must have run, and passed.")] = []
    scan: Annotated[
        Literal["clean"] | None,
        Meta(
            description="`clean`: the security scan of the model and of what ships must have found nothing; default: not asked."
        ),
    ] = None
    bom: Annotated[bool, Meta(description="Whether the certified ML-BOM must have come along.")] = False


def _fields() -> list[tuple[str, Any, Any]]:
    """A limit for each gate."""
    return [(name, Annotated[gate(name).Config | None, Meta(description=gate(name).DESCRIPTION)], None) for name in gate_names()]


if TYPE_CHECKING:
    Limits = Any
else:
    Limits = make_section(
        "TrustLimits", "Limits that hold here, whatever the pipeline file's were; the stricter counts.", _fields()
    )


class TrustFile(Section, frozen=True, kw_only=True):
    """A trust file."""

    signers: Annotated[list[TrustedSigner], Meta(min_length=1, description="Who may sign.")]
    trusted_root: Annotated[
        NonEmpty | None,
        Meta(
            description="trusted_root.json of the Sigstore that certifies identities, a path from this file's folder; default: "
            "the public instance's, as the package sigstore holds it."
        ),
    ] = None
    require: Require = Require()
    limits: Annotated[Limits, Meta(description="The local policy.")] = Limits()
    datasets: Annotated[
        list[Sha256], Meta(description="Evaluation sets, by SHA-256, of which each must be one; default: any.")
    ] = []
    revoked: Annotated[
        list[Sha256],
        Meta(description="SHA-256 of certificates, reports, models, artifacts, data or code, and ids of keys, that are void."),
    ] = []


@dataclass(frozen=True)
class Trust:
    """A valid trust file, with its keys read; `root` is read where an identity signed."""

    source: Source
    require: Require
    signers: tuple[Signer, ...]
    limits: dict[str, Limit]
    datasets: frozenset[str]
    revoked: frozenset[str]
    workflows: tuple[Workflow, ...] = ()
    root: Path | None = None

    @property
    def gates(self) -> list[str]:
        """What must have been judged, and passed."""
        return list(dict.fromkeys([*self.require.gates, *self.limits]))

    @property
    def max_age(self) -> datetime.timedelta:
        """How old what was measured may be."""
        stated = self.require.max_age
        return datetime.timedelta(**{_UNITS[stated[-1]]: int(stated[:-1])})


def read_trust(path: Path, came: Iterable[Path] = ()) -> Trust:
    """Read and check a trust file; a `ConfigError` lists every problem, and each key is read.

    `came` are the folders of what is to be released: neither the file nor what it names may lie in one (`UsageError`).
    """
    came = list(came)
    _check_outside(path, path, came)
    source = _source(path)
    stated: TrustFile = converted(source, TrustFile)
    if problems := _problems(source, stated):
        raise ConfigError(source.path, problems)
    for named in filter(None, [*(each.key for each in stated.signers), stated.trusted_root]):
        _check_outside(path.parent / named, path, came)
    signers = tuple(
        Signer(each.name or each.key, public_key(path.parent / each.key)) for each in stated.signers if each.key is not None
    )
    if len({each.key.keyid for each in signers}) != len(signers):
        raise ConfigError(source.path, [Problem(*source.values[("signers",)], "two signers have one key. Keep one of them.")])
    limits = {name: _limit(name, config, source) for name in gate_names() if (config := getattr(stated.limits, name)) is not None}
    root = path.parent / stated.trusted_root if stated.trusted_root else None
    workflows = tuple(
        Workflow(each.name or each.identity, each.identity, each.issuer or "", each.caller or "")
        for each in stated.signers
        if each.identity is not None
    )
    return Trust(source, stated.require, signers, limits, frozenset(stated.datasets), frozenset(stated.revoked), workflows, root)


def came_in(*files: Path) -> list[Path]:
    """The folders of what came with a release and is named on a command line: of a folder itself, of a file that it lies in.

    The working folder, and what holds it, is left out: nothing tells what was fetched there from what was there before.
    """
    here = Path.cwd()
    found = dict.fromkeys(each if each.is_dir() else each.parent for each in files)
    return [each for each in found if not here.is_relative_to(each.resolve())]


def _check_outside(file: Path, trust: Path, came: Iterable[Path]) -> None:
    """`UsageError` where a file lies in one of these folders, by its name or by where links lead."""
    what = f"{file}:" if file == trust else f"{trust}: names {file}, which"
    for folder in came:
        if file.resolve().is_relative_to(folder.resolve()) or _absolute(file).is_relative_to(_absolute(folder)):
            raise UsageError(
                f"{what} lies in {folder}, which is what is to be released: it could bring its own trust. Name a trust file "
                "outside of it, with its keys and root outside, too, or fetch the release into a folder of its own."
            )


def _absolute(path: Path) -> Path:
    return Path(os.path.normpath(Path.cwd() / path))


def _source(path: Path) -> Source:
    """The file itself: what is trusted is not for a link to say, and nothing is waited for."""
    if is_link(path) or (path.exists() and not path.is_file()):
        raise UsageError(f"{path}: is {'a link' if is_link(path) else 'no file'}. Name the trust file itself.")
    return read_source(path, REMEDY)


def trust_schema() -> dict[str, Any]:
    """Schema of the trust file."""
    return schema_of(TrustFile, "gatekeeper-trust", "Whose certificates `gatekeeper verify` believes, and what they must show.")


def _limit(name: str, config: Any, source: Source) -> Limit:
    return Limit(name, gate(name), msgspec.structs.replace(config, on_fail="fail"), source.where(("limits", name)))


def _problems(source: Source, stated: TrustFile) -> list[Problem]:
    found = []
    known = {*gate_names(), *also()}
    for index, name in enumerate(stated.require.gates):
        at = source.values[("require", "gates", index)]
        base = without_set(name)
        if base not in known:
            found.append(Problem(*at, f"there is no gate '{base}'{nearest(base, known) or '.'}"))
        elif set_of(name) and base not in per_set():
            found.append(Problem(*at, f"{base} is not judged on further evaluation sets. Those are {', '.join(per_set())}."))
    for index, name in enumerate(stated.require.stages):
        if name not in STAGES.names:
            at = source.values[("require", "stages", index)]
            found.append(Problem(*at, f"there is no stage '{name}'{nearest(name, STAGES.names) or '.'}"))
    for name in gate_names():
        config = getattr(stated.limits, name)
        if config is not None and config.on_fail != "fail":
            at = source.values[("limits", name)]
            found.append(Problem(*at, f"a limit of a trust file always holds. Remove `on_fail` from {name}, or the limit."))
    for index, signer in enumerate(stated.signers):
        found += [Problem(*source.values[("signers", index)], wrong) for wrong in _wrong(signer, Path(source.path).parent)]
    if stated.trusted_root and is_link(Path(source.path).parent / stated.trusted_root):
        at = source.values[("trusted_root",)]
        found.append(Problem(*at, f"{stated.trusted_root} is a link. Put the trusted root itself there."))
    return found


def _wrong(signer: TrustedSigner, folder: Path) -> Iterator[str]:
    """What is wrong with one signer, in words."""
    if (signer.key is None) == (signer.identity is None):
        yield "a signer has a key or an identity. Give it one of them."
    elif signer.key is not None:
        if signer.issuer or signer.caller:
            yield "`issuer` and `caller` belong to an identity. Remove them from this key."
        if signer.name is None:
            yield "a key says nothing of whose it is. Give the signer a name."
        if is_link(folder / signer.key):
            yield f"{signer.key} is a link. Put the key itself there."
        elif (folder / signer.key).exists() and not (folder / signer.key).is_file():
            yield f"{signer.key} is no file. Put the key itself there."
    else:
        if signer.issuer is None:
            yield "anybody could vouch for an identity. Name its issuer: GitHub's is https://token.actions.githubusercontent.com"
        if any("*" in each for each in (signer.identity or "", signer.caller or "")):
            yield "an identity is one, and no pattern. Write it out, with the ref behind the @."

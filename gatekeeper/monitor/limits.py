"""The limits that hold: those of the file, those of the certificate where it has them, and the stricter where both do."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper.monitor.alerts._base import DISABLED, in_order

if TYPE_CHECKING:
    from gatekeeper.certificate.statement import Certified, Watch
    from gatekeeper.config.sections.monitoring import Monitoring


def limits_of(own: Monitoring, watched: Iterable[Watch] = ()) -> tuple[dict[str, Any], list[str]]:
    """The configuration of each alert that is on, and which limits of the certificate nothing that is read can show."""
    certified = {each.what: each for each in watched}
    found, used = dict[str, Any](), set[str]()
    for name, module in in_order():
        stated = getattr(own.alerts, name)
        gate = getattr(module, "CERTIFIED", "")
        if gate in certified:
            used.add(gate)
        if stated == DISABLED:
            continue
        configs = [stated if stated is not None else module.DEFAULT]
        if gate in certified:
            limit = module.limited(certified[gate].limit)  # type: ignore[attr-defined]
            configs = [limit, *([stated] if stated is not None else [])]
        if configs := [each for each in configs if each is not None]:
            found[name] = _strictest(configs)
    unseen = [
        f"{each.what} ({each.bound.replace('_', ' ')} {each.limit:g} {each.unit}) was certified, and nothing here shows it"
        for what, each in certified.items()
        if what not in used
    ]
    return found, unseen


def _strictest(configs: list[Any]) -> Any:
    """Of limits of one kind: the least of those that are at most, the largest of those that are at least."""
    least = hasattr(configs[0], "min")
    return (max if least else min)(configs, key=lambda each: next(iter(_numbers(each)), 0.0))


def _numbers(config: Any) -> list[float]:
    return [float(getattr(config, name)) for name in config.__struct_fields__]


def certified_by(certificate: Path, trust: Path) -> Certified:
    """What a certificate states, whose signer is trusted; `Refused` where nobody of the trusted signed it."""
    from gatekeeper.certificate.signing import came_bytes
    from gatekeeper.certificate.trust import read_trust
    from gatekeeper.certificate.verify import check_signed

    stated, _ = check_signed(came_bytes(certificate, "certificate"), read_trust(trust), str(certificate))
    return stated.predicate

"""What became of the alerts of a served model, each on its own fault and on identical data."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gatekeeper.records.base import Amount, Count, Record


class Alerted(Record, frozen=True, kw_only=True):
    """One alert."""

    alert: Annotated[str, Meta(description="Its key under `monitoring.alerts`.")]
    fault: Annotated[str, Meta(description="What was done to the server.")]
    arrived: Annotated[Count, Meta(description="How often the fault arrived, by who injects it or sends the requests.")]
    fired_s: Annotated[Amount | None, Meta(description="How long after the fault somebody was told; None: nobody was.")]
    silent: Annotated[bool, Meta(description="Whether nobody was told while the model served what it serves well.")]
    least: Annotated[Count, Meta(description="Observations below which its rule says nothing.")] = 0
    seen: Annotated[Count, Meta(description="Observations of it on identical data.")] = 0


class Watching(Record, frozen=True, kw_only=True):
    """All alerts of one variant."""

    variant: str
    artifact: Annotated[str, Meta(description="SHA-256 of its file.")] = ""
    how: Annotated[
        Literal["real_time", "periodic"],
        Meta(description="Prometheus and Alertmanager with the rules of the file, or looks of `gatekeeper watch`."),
    ]
    alerts: list[Alerted]
    not_shown: Annotated[list[str], Meta(description="Alerts that are on and that no fault of a served model shows.")] = []
    rate_qps: Amount = 0.0
    window_s: Annotated[Amount, Meta(description="What rules looked back, shortened.")] = 0.0
    seconds: Amount = 0.0

"""JSON Schemas, generated from the types."""

from __future__ import annotations

import inspect
import json
from typing import Any

import msgspec

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def pipeline_schema() -> dict[str, Any]:
    """Schema of the pipeline file."""
    from gatekeeper.config.types import Document

    return schema_of(Document, "edge_ai_pipeline", "The gatekeeper pipeline file.")


def report_schema() -> dict[str, Any]:
    """Schema of report.json, version 1. Unknown fields are allowed: later versions add some."""
    from gatekeeper.records.report import Report

    return schema_of(Report, "gatekeeper/report/v1", "What a gatekeeper run found.")


def explanation_schema() -> dict[str, Any]:
    """Schema of what `gatekeeper explain --json` prints."""
    from gatekeeper.records.explained import Explanation

    return schema_of(Explanation, "gatekeeper/explanation/v1", "Why gates failed.")


def waivers_schema() -> dict[str, Any]:
    """Schema of the waivers beside the pipeline file."""
    from gatekeeper.config.waivers import WaiverDocument

    return schema_of(WaiverDocument, "gatekeeper-waivers", "Failures that gatekeeper tolerates for a while.")


SCHEMAS = {
    "edge_ai_pipeline.schema.json": pipeline_schema,
    "explanation.schema.json": explanation_schema,
    "gatekeeper-waivers.schema.json": waivers_schema,
    "report.schema.json": report_schema,
}


def schema_of(kind: type, title: str, description: str) -> dict[str, Any]:
    """The schema of a type."""
    schema = msgspec.json.schema(kind)
    for section in schema["$defs"].values():
        if "description" in section:
            section["description"] = inspect.cleandoc(section["description"])
    return {"$schema": DIALECT, "title": title, "description": description} | schema


def render(schema: dict[str, Any]) -> str:
    """The text of a schema file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"

"""Cuts github-openapi.json out of GitHub's own description of its API.

    npm pack @octokit/openapi@23.0.2 && tar -xzf octokit-openapi-23.0.2.tgz package/generated/api.github.com.json
    python tests/data/cut_openapi.py package/generated/api.github.com.json tests/data/github-openapi.json

Nothing is changed in it: operations that the package does not use are left out, and so are prose and examples, which
validate nothing. What is left refers to `components`, of which only the parts that are reached stay.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

OPERATIONS = {
    "/user": ["get"],
    "/repos/{owner}/{repo}/actions/artifacts": ["get"],
    "/repos/{owner}/{repo}/actions/artifacts/{artifact_id}/{archive_format}": ["get"],
    "/repos/{owner}/{repo}/actions/runs/{run_id}": ["get"],
    "/repos/{owner}/{repo}/actions/runs/{run_id}/approvals": ["get"],
    "/repos/{owner}/{repo}/actions/runs/{run_id}/artifacts": ["get"],
    "/repos/{owner}/{repo}/issues": ["post"],
    "/repos/{owner}/{repo}/issues/comments/{comment_id}": ["delete", "patch"],
    "/repos/{owner}/{repo}/issues/{issue_number}/comments": ["get", "post"],
    "/repos/{owner}/{repo}/contents/{path}": ["get"],
    "/repos/{owner}/{repo}/pulls": ["get"],
    "/repos/{owner}/{repo}/pulls/comments/{comment_id}": ["delete"],
    "/repos/{owner}/{repo}/pulls/{pull_number}": ["get"],
    "/repos/{owner}/{repo}/pulls/{pull_number}/comments": ["get", "post"],
    "/repos/{owner}/{repo}/pulls/{pull_number}/files": ["get"],
}
PROSE = {"description", "summary", "example", "examples", "externalDocs", "tags", "title"}


def without_prose(node: Any, names: bool = False) -> Any:
    """The same, without text for people; in `properties` and the like the keys are names, not text."""
    if isinstance(node, list):
        return [without_prose(item) for item in node]
    if not isinstance(node, dict):
        return node
    named = {"properties", "schemas", "parameters", "responses", "headers"}
    return {
        key: without_prose(value, names=key in named and not names)
        for key, value in node.items()
        if names or (key not in PROSE and not key.startswith("x-"))
    }


def references(node: Any) -> set[str]:
    """Everything that a part of the description refers to."""
    if isinstance(node, list):
        return set().union(*map(references, node))
    if not isinstance(node, dict):
        return set()
    own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
    return own.union(*map(references, node.values()))


def described(responses: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI requires a `description` of every response."""
    return {code: answer if "$ref" in answer else {"description": "", **answer} for code, answer in responses.items()}


def cut(whole: dict[str, Any]) -> dict[str, Any]:
    """The operations above, and the components that they reach."""
    paths: dict[str, Any] = {}
    for path, verbs in OPERATIONS.items():
        paths[path] = {}
        for verb in verbs:
            operation = without_prose(whole["paths"][path][verb])
            operation["responses"] = described(operation["responses"])
            paths[path][verb] = operation
    components: dict[str, dict[str, Any]] = {}
    queue = sorted({*references(paths), "#/components/schemas/basic-error"})
    while queue:
        _, _, kind, name = queue.pop().split("/")
        if name in components.setdefault(kind, {}):
            continue
        part = without_prose(whole["components"][kind][name])
        components[kind][name] = {"description": "", **part} if kind == "responses" else part
        queue += sorted(references(part))
    info = {"title": whole["info"]["title"], "version": whole["info"]["version"], "license": whole["info"]["license"]}
    ordered = {kind: dict(sorted(parts.items())) for kind, parts in sorted(components.items())}
    return {"openapi": whole["openapi"], "info": info, "servers": whole["servers"], "paths": paths, "components": ordered}


if __name__ == "__main__":
    source, destination = map(Path, sys.argv[1:])
    lines = json.dumps(cut(json.loads(source.read_text(encoding="utf-8"))), indent=0, separators=(",", ":"))
    destination.write_text(lines + "\n", encoding="utf-8")

"""A stand-in for the part of GitHub's API that gatekeeper uses: the service itself cannot run here.

It keeps comments, pull requests, runs and artifacts, records every request, and holds each request and each of its own
answers against GitHub's description (data/github-openapi.json). What does not fit is in `violations`, which a test
asserts to be empty. As a program, for a workflow that runs under act:

    python tests/kit/github_api.py --port 0 --state state.json

prints its address, reads the state from the file if it is there, and writes it there after each request.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from werkzeug.datastructures import Headers, ImmutableMultiDict

REPOSITORY = "octo/models"
REPOSITORY_ID = 1
FORK_ID = 2
TOKEN = "ghs_stand_in_for_the_token_of_a_job"
SPECIFICATION = Path(__file__).parents[1] / "data" / "github-openapi.json"
DOCS = "https://docs.github.com/rest"
LONGEST = 65_536


@cache
def specification() -> tuple[dict[str, Any], OpenAPI]:
    loaded = json.loads(SPECIFICATION.read_text(encoding="utf-8"))
    return loaded, OpenAPI.from_dict(loaded, config=Config(spec_validator_cls=None))


def filled(schema: Mapping[str, Any], given: Any = None) -> Any:
    """The smallest value that fits a schema and holds what is given."""
    whole, _ = specification()
    while "$ref" in schema or any(key in schema for key in ("allOf", "anyOf", "oneOf")):
        if "$ref" in schema:
            schema = whole["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        else:
            schema = next(schema[key] for key in ("allOf", "anyOf", "oneOf") if key in schema)[0]
    if given is not None and not isinstance(given, dict):
        return given
    if schema.get("nullable") and given is None:
        return None
    if schema.get("type") == "object" or given is not None:
        properties, given = schema.get("properties", {}), given or {}
        names = [*given, *(name for name in schema.get("required", []) if name not in given)]
        return {n: given[n] if n in given and given[n] is None else filled(properties.get(n, {}), given.get(n)) for n in names}
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "string":
        return {"date-time": "2026-01-01T00:00:00Z", "uri": "https://example.com/"}.get(schema.get("format", ""), "")
    return {"array": [], "boolean": False, "number": 0, "integer": 0}.get(schema.get("type", ""))


def fill(schema: str, /, **given: Any) -> Any:
    """The smallest value of a named schema."""
    return filled({"$ref": f"#/components/schemas/{schema}"}, given)


@dataclass
class Account:
    """Whose token it is. An installation (GITHUB_TOKEN, an app) may not ask who it is over REST."""

    login: str = "github-actions[bot]"
    installation: bool = True
    writes: bool = True


@dataclass
class Fault:
    """What the service does instead of answering, `times` times."""

    method: str
    path: str  # a regular expression
    status: int = 500
    body: str = '{"message": "Server Error"}'
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0  # before the answer
    trickle_s: float = 0.0  # between the bytes of the body
    serve_first: bool = False  # the request is served, only the answer is lost
    times: int = 1_000_000


@dataclass
class Seen:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: str
    status: int = 0


@dataclass
class Answer:
    status: int
    data: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class State:
    accounts: dict[str, Account] = field(default_factory=lambda: {TOKEN: Account()})
    comments: list[dict[str, Any]] = field(default_factory=list)  # id, issue, login, body
    pulls: list[dict[str, Any]] = field(default_factory=list)  # number, state, owner, branch, sha
    runs: list[dict[str, Any]] = field(default_factory=list)  # id, event, branch, sha, repository_id, conclusion
    artifacts: list[dict[str, Any]] = field(default_factory=list)  # id, name, run, expired, size, archive (base64)
    approvals: list[dict[str, Any]] = field(default_factory=list)  # run, environment, state, login, comment
    issues: list[int] = field(default_factory=lambda: [7])  # numbers that exist
    opened: list[dict[str, Any]] = field(default_factory=list)  # number, title, body, login
    next_id: int = 1000


class StandIn:
    """The service, while it is entered: `with StandIn() as github: github.url`."""

    def __init__(self, state: State | None = None, port: int = 0, file: Path | None = None):
        self.state = state or State()
        self.faults: list[Fault] = []
        self.requests: list[Seen] = []
        self.stored: list[Seen] = []  # requests to the storage of artifacts, another host in earnest
        self.violations: list[str] = []
        self._file = file
        self._lock = threading.RLock()
        self._servers = [self._server(port, self._api), self._server(0, self._storage)]
        self.url, self.storage_url = (f"http://127.0.0.1:{server.server_address[1]}" for server in self._servers)

    def __enter__(self) -> StandIn:
        specification()
        for server in self._servers:
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    # what tests ask and arrange

    def comment(self, body: str, login: str = "github-actions[bot]", issue: int = 7) -> int:
        return self._add(self.state.comments, issue=issue, login=login, body=body)

    def pull(self, number: int, *, branch: str = "topic", sha: str = "a" * 40, owner: str = "octo", state: str = "open") -> None:
        self.state.pulls.append({"number": number, "branch": branch, "sha": sha, "owner": owner, "state": state})
        self.state.issues.append(number)

    def run(
        self,
        *,
        branch: str = "main",
        event: str = "push",
        conclusion: str = "success",
        repository_id: int | None = REPOSITORY_ID,
        sha: str = "b" * 40,
    ) -> int:
        return self._add(self.state.runs, branch=branch, event=event, conclusion=conclusion, repository_id=repository_id, sha=sha)

    def artifact(
        self, run: int, archive: bytes, name: str = "gatekeeper-report", *, expired: bool = False, size: int | None = None
    ) -> int:
        content = base64.b64encode(archive).decode()
        size = len(archive) if size is None else size
        return self._add(self.state.artifacts, name=name, run=run, expired=expired, size=size, archive=content)

    def approve(self, run: int, environment: str, login: str, state: str = "approved", comment: str = "") -> None:
        told = {"run": run, "environment": environment, "login": login, "state": state, "comment": comment}
        self.state.approvals.append(told)

    def fail(self, method: str, path: str, **how: Any) -> None:
        self.faults.append(Fault(method, path, **how))

    def bodies(self, issue: int = 7) -> list[str]:
        return [c["body"] for c in self.state.comments if c["issue"] == issue]

    def writes(self) -> list[str]:
        return [f"{r.method} {r.path}" for r in self.requests if r.method != "GET" and r.path != "/graphql"]

    def _add(self, where: list[dict[str, Any]], **values: Any) -> int:
        self.state.next_id += 1
        where.append({"id": self.state.next_id} | values)
        return self.state.next_id

    # the way of a request

    def _api(self, seen: Seen) -> tuple[Answer | Fault, Answer | None]:
        with self._lock:
            self.requests.append(seen)
            fault = next((f for f in self.faults if f.times and f.method == seen.method and re.search(f.path, seen.path)), None)
            served = None
            if fault:
                fault.times -= 1
            if not fault or fault.serve_first:
                served = self._graphql(seen) if seen.path == "/graphql" else self._checked(seen)
            seen.status = fault.status if fault else served.status if served else 0
            self._save()
            return (fault or served or Answer(500)), served

    def _checked(self, seen: Seen) -> Answer:
        request = _Request(seen)
        _, openapi = specification()
        try:
            openapi.validate_request(request)
            self._only_described(seen)
        except Exception as error:
            self.violations.append(f"{seen.method} {seen.path}: {error!r} {error.__cause__!r}")
            return Answer(400, {"message": f"The request does not fit the description: {error}"})
        try:
            answer = self._answer(seen)
        except Exception as error:
            self.violations.append(f"the stand-in itself, at {seen.method} {seen.path}: {error!r}")
            return Answer(400, {"message": "the stand-in is wrong"})
        self._check_answer(seen, request, answer)
        return answer

    def _only_described(self, seen: Seen) -> None:
        """OpenAPI tolerates unknown parameters; GitHub ignores them, which is worse."""
        whole, _ = specification()
        operation = _operation(seen)
        known = set()
        for parameter in operation.get("parameters", []):
            name = parameter.get("$ref", "").rpartition("/")[2]
            known.add((whole["components"]["parameters"][name] if name else parameter)["name"])
        if unknown := set(seen.query) - known:
            raise ValueError(f"unknown query parameters {sorted(unknown)}")

    def _check_answer(self, seen: Seen, request: _Request, answer: Answer) -> None:
        _, openapi = specification()
        described = str(answer.status) in _operation(seen)["responses"]
        try:
            if described:
                openapi.validate_response(request, _Response(answer))
            elif answer.status < 400 or not isinstance(answer.data.get("message"), str):
                raise ValueError(f"an answer {answer.status} that the description does not have")
        except Exception as error:
            self.violations.append(f"the stand-in's own answer to {seen.method} {seen.path}: {error!r} {error.__cause__!r}")

    def _save(self) -> None:
        if self._file:
            known = asdict(self.state) | {
                "requests": [asdict(r) | {"headers": {}} for r in self.requests],
                "violations": self.violations,
            }
            self._file.write_text(json.dumps(known, indent=1), encoding="utf-8")

    # what GitHub does

    def _answer(self, seen: Seen) -> Answer:
        token = re.fullmatch(r"(?:token|bearer) (\S+)", seen.headers.get("authorization", ""), re.IGNORECASE)
        account = self.state.accounts.get(token[1]) if token else None
        if "user-agent" not in seen.headers:
            return Answer(403, {"message": "Request forbidden by administrative rules.", "documentation_url": DOCS})
        if account is None:
            return _message(401, "Bad credentials")
        if seen.path == "/user":
            if account.installation:
                return _message(403, "Resource not accessible by integration")
            return Answer(200, fill("public-user", login=account.login, id=3, type="User", user_view_type="public"))
        match = re.fullmatch(r"/repos/([^/]+/[^/]+)/(.+)", seen.path)
        if not match or match[1] != REPOSITORY:
            return _message(404, "Not Found")
        if seen.method != "GET" and not account.writes:
            return _message(403, "Resource not accessible by integration")
        for method, pattern, respond in (
            ("GET", r"issues/(\d+)/comments", self._list_comments),
            ("POST", r"issues/(\d+)/comments", self._create_comment),
            ("PATCH", r"issues/comments/(\d+)", self._edit_comment),
            ("DELETE", r"issues/comments/(\d+)", self._delete_comment),
            ("POST", r"()issues", self._open_issue),
            ("GET", r"()pulls", self._list_pulls),
            ("GET", r"()actions/artifacts", self._list_artifacts),
            ("GET", r"actions/artifacts/(\d+)/zip", self._archive),
            ("GET", r"actions/runs/(\d+)", self._show_run),
            ("GET", r"actions/runs/(\d+)/artifacts", self._list_artifacts),
            ("GET", r"actions/runs/(\d+)/approvals", self._list_approvals),
        ):
            found = re.fullmatch(pattern, match[2])
            if found and method == seen.method:
                return respond(int(found[1] or 0), seen, account)
        return _message(404, "Not Found")

    def _graphql(self, seen: Seen) -> Answer:
        """GraphQL has another description; the one question is compared as a whole."""
        token = seen.headers.get("authorization", "").partition(" ")[2]
        if token not in self.state.accounts:
            return _message(401, "Bad credentials")
        if seen.method != "POST" or "".join(json.loads(seen.body)["query"].split()) != "query{viewer{login}}":
            self.violations.append(f"an unknown GraphQL request: {seen.body}")
        return Answer(200, {"data": {"viewer": {"login": self.state.accounts[token].login}}})

    def _open_issue(self, _: int, seen: Seen, account: Account) -> Answer:
        asked = json.loads(seen.body)
        if len(asked.get("body", "")) > LONGEST:
            return _too_long()
        number = max([*self.state.issues, 100]) + 1
        self.state.issues.append(number)
        self.state.opened.append({"number": number, "title": asked["title"], "body": asked.get("body"), "login": account.login})
        url = f"https://github.com/{REPOSITORY}/issues/{number}"
        shown = fill("issue", number=number, title=asked["title"], body=asked.get("body"), html_url=url, state="open")
        return Answer(201, shown, {"Location": f"{self.url}/repos/{REPOSITORY}/issues/{number}"})

    def _list_comments(self, issue: int, seen: Seen, account: Account) -> Answer:
        if issue not in self.state.issues:
            return _message(404, "Not Found")
        return self._page(seen, [self._shown(c) for c in self.state.comments if c["issue"] == issue])

    def _create_comment(self, issue: int, seen: Seen, account: Account) -> Answer:
        if issue not in self.state.issues:
            return _message(404, "Not Found")
        body = json.loads(seen.body)["body"]
        if len(body) > LONGEST:
            return _too_long()
        number = self.comment(body, account.login, issue)
        shown = self._shown(next(c for c in self.state.comments if c["id"] == number))
        return Answer(201, shown, {"Location": shown["url"]})

    def _edit_comment(self, number: int, seen: Seen, account: Account) -> Answer:
        comment = next((c for c in self.state.comments if c["id"] == number), None)
        if comment is None:
            return _message(404, "Not Found")
        body = json.loads(seen.body)["body"]
        if len(body) > LONGEST:
            return _too_long()
        comment["body"] = body
        return Answer(200, self._shown(comment))

    def _delete_comment(self, number: int, seen: Seen, account: Account) -> Answer:
        if number not in [c["id"] for c in self.state.comments]:
            return _message(404, "Not Found")
        self.state.comments = [c for c in self.state.comments if c["id"] != number]
        return Answer(204)

    def _shown(self, comment: dict[str, Any]) -> Any:
        base = f"{self.url}/repos/{REPOSITORY}/issues"
        bot = comment["login"].endswith("[bot]")
        return fill(
            "issue-comment",
            id=comment["id"],
            url=f"{base}/comments/{comment['id']}",
            html_url=f"https://github.com/{REPOSITORY}/pull/{comment['issue']}#issuecomment-{comment['id']}",
            issue_url=f"{base}/{comment['issue']}",
            body=comment["body"],
            user=fill("simple-user", login=comment["login"], type="Bot" if bot else "User") if comment["login"] else None,
        )

    def _list_pulls(self, _: int, seen: Seen, account: Account) -> Answer:
        state, head = seen.query.get("state", ["open"])[0], seen.query.get("head", [""])[0]
        chosen = [p for p in self.state.pulls if state in ("all", p["state"])]
        if ":" in head:  # without an owner GitHub ignores it
            chosen = [p for p in chosen if f"{p['owner']}:{p['branch']}" == head]
        pulls = [
            fill(
                "pull-request-simple",
                number=p["number"],
                state=p["state"],
                url=f"{self.url}/repos/{REPOSITORY}/pulls/{p['number']}",
                head={"sha": p["sha"], "ref": p["branch"], "label": f"{p['owner']}:{p['branch']}"},
            )
            for p in chosen
        ]
        return self._page(seen, pulls)

    def _run_of(self, number: int) -> dict[str, Any] | None:
        return next((r for r in self.state.runs if r["id"] == number), None)

    def _show_run(self, number: int, seen: Seen, account: Account) -> Answer:
        run = self._run_of(number)
        if run is None:
            return _message(404, "Not Found")
        url = f"{self.url}/repos/{REPOSITORY}/actions/runs/{number}"
        shown = fill(
            "workflow-run",
            id=number,
            event=run["event"],
            head_branch=run["branch"],
            head_sha=run["sha"],
            conclusion=run["conclusion"],
            status="completed",
            url=url,
            artifacts_url=f"{url}/artifacts",
            repository={"id": REPOSITORY_ID},
            head_repository={"id": run["repository_id"] or 0},
        )
        return Answer(200, shown)

    def _list_approvals(self, run: int, seen: Seen, account: Account) -> Answer:
        if self._run_of(run) is None:
            return _message(404, "Not Found")
        shown = [
            fill(
                "environment-approvals",
                environments=[{"id": 1, "name": a["environment"]}],
                state=a["state"],
                user=fill("simple-user", login=a["login"], type="User"),
                comment=a["comment"],
            )
            for a in self.state.approvals
            if a["run"] == run
        ]
        return Answer(200, shown)

    def _list_artifacts(self, run: int, seen: Seen, account: Account) -> Answer:
        if run and self._run_of(run) is None:
            return _message(404, "Not Found")
        name = seen.query.get("name", [None])[0]
        chosen = [a for a in reversed(self.state.artifacts) if run in (0, a["run"]) and name in (None, a["name"])]
        return self._page(seen, [self._shown_artifact(a) for a in chosen], "artifacts")

    def _shown_artifact(self, artifact: dict[str, Any]) -> Any:
        run = self._run_of(artifact["run"]) or {}
        url = f"{self.url}/repos/{REPOSITORY}/actions/artifacts/{artifact['id']}"
        ids = {"id": artifact["run"], "repository_id": REPOSITORY_ID, "head_repository_id": run.get("repository_id")}
        if run.get("repository_id") is None:
            del ids["head_repository_id"]
        return fill(
            "artifact",
            id=artifact["id"],
            name=artifact["name"],
            size_in_bytes=artifact["size"],
            expired=artifact["expired"],
            url=url,
            archive_download_url=f"{url}/zip",
            workflow_run=ids | {"head_branch": run.get("branch"), "head_sha": run.get("sha")},
        )

    def _archive(self, number: int, seen: Seen, account: Account) -> Answer:
        artifact = next((a for a in self.state.artifacts if a["id"] == number), None)
        if artifact is None:
            return _message(404, "Not Found")
        if artifact["expired"]:
            return _message(410, "Artifact has expired")
        return Answer(302, None, {"Location": f"{self.storage_url}/{number}.zip?signature=s"})

    def _storage(self, seen: Seen) -> tuple[Answer | Fault, Answer | None]:
        with self._lock:
            self.stored.append(seen)
            fault = next((f for f in self.faults if f.times and f.method == "STORAGE"), None)
            if fault:
                fault.times -= 1
                return fault, None
            number = int(seen.path.strip("/").removesuffix(".zip"))
            archive = next(a["archive"] for a in self.state.artifacts if a["id"] == number)
            return Answer(200, base64.b64decode(archive)), None

    def _page(self, seen: Seen, items: list[Any], key: str = "") -> Answer:
        size, page = (int(seen.query.get(name, [default])[0]) for name, default in (("per_page", "30"), ("page", "1")))
        shown, links = items[(page - 1) * size : page * size], {}
        last = max(1, -(-len(items) // size))
        if page < last:
            query = {k: v[0] for k, v in seen.query.items()}
            addresses = [
                f'<{self.url}{seen.path}?{urlencode(query | {"page": number})}>; rel="{rel}"'
                for number, rel in ((page + 1, "next"), (last, "last"))
            ]
            links = {"Link": ", ".join(addresses)}
        return Answer(200, {"total_count": len(items), key: shown} if key else shown, links)

    def _server(self, port: int, respond: Any) -> ThreadingHTTPServer:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else each answer waits 40 ms for an acknowledgement

            def handle_any(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer, _ = respond(Seen(self.command, parts.path, parse_qs(parts.query), headers, body))
                try:
                    self.reply(answer)
                except OSError:  # the other side did not wait for it
                    self.close_connection = True

            do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = handle_any

            def reply(self, answer: Answer | Fault) -> None:
                if isinstance(answer, Fault):
                    time.sleep(answer.delay_s)
                    content = answer.body.encode()
                else:
                    content = answer.data if isinstance(answer.data, bytes) else json.dumps(answer.data).encode()
                    content = b"" if answer.data is None else content
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json; charset=utf-8")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if isinstance(answer, Fault) and answer.trickle_s:
                    for byte in content:
                        self.wfile.write(bytes([byte]))
                        self.wfile.flush()
                        time.sleep(answer.trickle_s)
                else:
                    self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        noticed = self.violations

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                error = sys.exception()
                if not isinstance(error, ConnectionError):  # the other side did not wait
                    noticed.append(f"the stand-in itself: {error!r}")

        return Server(("127.0.0.1", port), Handler)


def _message(status: int, text: str) -> Answer:
    return Answer(status, {"message": text, "documentation_url": DOCS, "status": str(status)})


def _too_long() -> Answer:
    problem = {"resource": "IssueComment", "code": "unprocessable", "field": "data"}
    problem["message"] = f"Body is too long (maximum is {LONGEST} characters)"
    return Answer(422, {"message": "Validation Failed", "errors": [problem], "documentation_url": DOCS})


def _operation(seen: Seen) -> dict[str, Any]:
    whole, _ = specification()
    for path, operations in whole["paths"].items():
        if seen.method.lower() in operations and re.fullmatch(re.sub(r"{\w+}", "[^/]+", path), seen.path):
            return operations[seen.method.lower()]
    raise LookupError(f"{seen.method} {seen.path} is not in the description")


class _Request:
    """A request as openapi-core wants to see it. It matches the address of the description's server."""

    host_url = "https://api.github.com"

    def __init__(self, seen: Seen):
        self.path, self.method = seen.path, seen.method.lower()
        self.content_type = seen.headers.get("content-type", "")
        self.body = seen.body.encode() or None
        query = ImmutableMultiDict(parse_qsl(urlencode(seen.query, doseq=True)))
        self.parameters = RequestParameters(query=query, header=Headers(list(seen.headers.items())))


class _Response:
    def __init__(self, answer: Answer):
        self.status_code = answer.status
        self.headers = Headers(list(answer.headers.items()))
        self.content_type = "application/json"
        self.data = b"" if answer.data is None else json.dumps(answer.data).encode()


def load_state(path: Path) -> State:
    """The state that a file holds; a fresh one where there is no file yet."""
    if not path.exists():
        return State()
    known = json.loads(path.read_text(encoding="utf-8"))
    known = {key: value for key, value in known.items() if key not in ("requests", "violations")}
    if "accounts" in known:
        known["accounts"] = {token: Account(**account) for token, account in known["accounts"].items()}
    return State(**known)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A stand-in for GitHub's API.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--state", type=Path, required=True)
    chosen = parser.parse_args()
    with StandIn(load_state(chosen.state), chosen.port, chosen.state) as running:
        print(running.url, flush=True)
        threading.Event().wait()

"""A report out of the artifact of another run, which may be a stranger's.

The archive is read in memory and nothing in it names a file here. What it holds is bytes: whoever decodes them must
expect anything.
"""

from __future__ import annotations

import io
import json
import time
import zipfile
import zlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gatekeeper.errors import GatekeeperError, NotMeasured, UsageError
from gatekeeper.github._client import ANSWER_S, TookTooLong, connect, explain, persistently, within, without
from gatekeeper.github.context import Event
from gatekeeper.records.base import Record
from gatekeeper.reports._plain import plain
from gatekeeper.reports._read import MAX_REPORT_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from github import Github
    from github.Artifact import Artifact
    from github.Repository import Repository
    from github.WorkflowRun import WorkflowRun
    from requests import PreparedRequest

FILE = "report.json"
TOTAL_S = 120.0
MAX_MEMBERS = 10_000
MAX_RUNS = 20  # of a base branch, looked at for one that succeeded
MAX_LISTED = 1000  # artifacts of that name, looked through for one of the base branch
TRUSTED = ("push", "schedule", "workflow_dispatch")
"""Events whose runs measure the branch itself. A `workflow_run` also has the name of the default branch on it, and
may have uploaded what a fork's pull request measured."""


class Fetched(Record, frozen=True, kw_only=True):
    """The bytes of a report.json, or the reason why there is none yet; and what GitHub says of the run that left it.

    `own` is whether it is of this repository's own code, and no fork's.
    """

    data: bytes | None = None
    reason: str = ""
    run_id: int | None = None
    commit: str = ""
    event: str = ""
    conclusion: str = ""
    own: bool = False


def fetch_report(
    event: Event,
    token: str,
    name: str,
    *,
    run_id: int | None = None,
    branch: str | None = None,
    max_bytes: int = MAX_REPORT_BYTES,
    seconds: float = TOTAL_S,
) -> Fetched:
    """`report.json` of the artifact `name`: of one run, or of the newest successful run on a branch of this repository.

    `NotMeasured` where GitHub does not give it, `UsageError` where it is not such an archive; both say what to do.
    """
    if (run_id is None) == (branch is None):
        raise ValueError("either a run or a branch")
    try:
        return within(seconds, lambda deadline: _fetch(event, token, name, run_id, branch, max_bytes, deadline))
    except TookTooLong as error:
        raise NotMeasured("timeout", f"the artifact '{plain(name, 100)}' was not fetched: {error}") from None
    except GatekeeperError as error:
        error.args = (without(token, str(error)),)
        raise
    except Exception as error:
        why = without(token, explain(error, event, "actions: read"))
        raise NotMeasured("data", f"the artifact '{plain(name, 100)}' was not fetched: {why}") from None


def _fetch(
    event: Event, token: str, name: str, run_id: int | None, branch: str | None, max_bytes: int, deadline: float
) -> Fetched:
    client = connect(event, token, deadline - time.monotonic())
    repo = client.get_repo(event.repository)
    if run_id is not None:
        chosen = persistently(deadline, lambda: _of_run(repo, name, run_id))
    else:
        chosen = persistently(deadline, lambda: _of_branch(repo, name, str(branch)))
    if isinstance(chosen, str):
        return Fetched(reason=chosen)
    artifact, run = chosen
    # Other files of the report may lie beside it, so the archive may be as large as the largest report, and no larger.
    limit = max_bytes + (1 << 20)
    if artifact.size_in_bytes > limit:
        raise _too_large(name, artifact.size_in_bytes, limit)
    archive = persistently(deadline, lambda: _download(client, artifact, name, limit, deadline))
    return Fetched(
        data=read_member(archive, name, max_bytes),
        run_id=run.id,
        commit=run.head_sha,
        event=run.event or "",
        conclusion=run.conclusion or "",
        own=_is_own(run),
    )


def _newest(artifacts: Iterable[Artifact], name: str) -> list[Artifact]:
    listed = [a for _, a in zip(range(MAX_LISTED), artifacts, strict=False)]
    return sorted((a for a in listed if a.name == name), key=lambda a: a.id, reverse=True)


def _of_run(repo: Repository, name: str, run_id: int) -> tuple[Artifact, WorkflowRun] | str:
    run = repo.get_workflow_run(run_id)
    artifacts = _newest(run.get_artifacts(), name)
    if not artifacts:
        return f"run {run_id} has no artifact '{plain(name, 100)}'"
    usable = [a for a in artifacts if not a.expired]
    return (usable[0], run) if usable else f"the artifact '{plain(name, 100)}' of run {run_id} has expired"


def _of_branch(repo: Repository, name: str, branch: str) -> tuple[Artifact, WorkflowRun] | str:
    here = [a for a in _newest(repo.get_artifacts(name=name), name) if _is_of(a, branch)]
    where = f"'{plain(name, 100)}' of the branch '{plain(branch, 100)}'"
    if not here:
        return f"there is no artifact {where} yet"
    usable = [a for a in here if not a.expired]
    if not usable:
        return f"every artifact {where} has expired"
    for artifact in usable[:MAX_RUNS]:
        run = repo.get_workflow_run(artifact.workflow_run.id)
        own = run.head_branch == branch and _is_own(run)
        if own and run.event in TRUSTED and run.conclusion == "success":
            return artifact, run
    return f"no run that left an artifact {where} was started by {' or '.join(TRUSTED)} and succeeded"


def _is_own(run: WorkflowRun) -> bool:
    """Whether a run is of a branch of this repository; the fork that it was of may be gone."""
    return bool(run.head_repository and run.head_repository.id == run.repository.id)


def _is_of(artifact: Artifact, branch: str) -> bool:
    """Whether a run of this branch of this repository left it: a fork may have a branch of the same name."""
    import github

    try:
        run = artifact.workflow_run
        return bool(run and run.head_branch == branch and run.head_repository_id == run.repository_id)
    except github.IncompletableObject:  # GitHub does not say
        return False


def _download(client: Github, artifact: Artifact, name: str, limit: int, deadline: float) -> bytes:
    """The archive. GitHub answers with the address of a storage that has its own signature and must not see the token."""
    import github
    import requests

    status, headers, text = client.requester.requestJson("GET", artifact.archive_download_url)
    if status == 410:
        raise NotMeasured("data", f"the artifact '{plain(name, 100)}' has expired. Run its workflow again.")
    if status >= 400:
        raise client.requester.createException(status, headers, _json(text))
    if status != 302 or "location" not in headers:
        raise ValueError(f"{status} without an address")
    if urlsplit(headers["location"]).scheme != "https" and client.requester.scheme == "https":
        raise NotMeasured("data", "GitHub's API names a storage without encryption. Check GITHUB_API_URL and the proxy.")
    content = bytearray()
    with (
        requests.Session() as session,
        session.get(
            headers["location"], auth=_nobody, stream=True, timeout=ANSWER_S, allow_redirects=False, headers={"Accept": "*/*"}
        ) as answer,
    ):
        if answer.status_code != 200:
            raise github.GithubException(answer.status_code, {"message": "the storage of artifacts"}, dict(answer.headers))
        for chunk in answer.iter_content(1 << 16):
            content += chunk
            if len(content) > limit:
                raise _too_large(name, len(content), limit)
            if time.monotonic() >= deadline:
                raise TimeoutError
    return bytes(content)


def _json(text: str) -> dict[str, Any]:
    try:
        decoded = json.loads(text)
    except ValueError:
        return {}
    return decoded if isinstance(decoded, dict) else {}


def _nobody(request: PreparedRequest) -> PreparedRequest:
    """No authorization, not even one that a .netrc file of the machine has for this host."""
    return request


def read_member(archive: bytes, name: str, max_bytes: int = MAX_REPORT_BYTES) -> bytes:
    """The one `report.json` of an archive, at its root or in one folder; `UsageError` for anything else."""
    shown = f"the artifact '{plain(name, 100)}'"
    remedy = "Run the workflow that uploads it again."
    # Reading the table of contents takes memory for each entry, before anything can be asked.
    if archive.count(b"PK\x01\x02") > MAX_MEMBERS:
        raise UsageError(f"{shown} holds more than {MAX_MEMBERS} files. Upload the folder of one report.")
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            reports = [m for m in opened.infolist() if m.filename.split("/")[-1] == FILE and m.filename.count("/") < 2]
            if len(reports) != 1:
                times = f"{len(reports)} times" if reports else "nowhere"
                raise UsageError(f"{shown} must hold {FILE} once, and holds it {times}. Upload the folder of one report.")
            member = reports[0]
            if member.flag_bits & 0x1:
                raise UsageError(f"{shown} is encrypted. Upload it without a password.")
            # The other methods unpack without a limit.
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise UsageError(f"{shown} is packed in a way that GitHub does not use. {remedy}")
            if member.file_size > max_bytes:
                raise _too_large(name, member.file_size, max_bytes)
            with opened.open(member) as file:
                data = file.read(max_bytes + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, ValueError) as error:
        raise UsageError(f"{shown} is a damaged archive ({type(error).__name__}). {remedy}") from None
    if len(data) > max_bytes:
        raise _too_large(name, len(data), max_bytes)
    return data


def _too_large(name: str, size: int, limit: int) -> UsageError:
    return UsageError(
        f"the artifact '{plain(name, 100)}' has {size} bytes or more, and a report at most {limit}. "
        "Upload the folder of one report, without models."
    )

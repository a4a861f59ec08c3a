"""The stand-in for GitHub's API with a pull request whose diff can be commented on, line by line."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from typing import Any

from kit.github_api import REPOSITORY, Account, Answer, Seen, StandIn, _message, fill

HEAD = "a" * 40


@dataclass
class Pull:
    """A pull request: the files of its head, the diff that GitHub shows of each, and the comments at their lines."""

    number: int
    contents: dict[str, bytes]
    patches: dict[str, str]
    comments: list[dict[str, Any]] = field(default_factory=list)


class ReviewedStandIn(StandIn):
    """Refuses comments at lines that are no part of the diff, as GitHub does."""

    def __init__(self, pull: Pull):
        super().__init__()
        self.pulled = pull

    def _answer(self, seen: Seen) -> Answer:
        account = self.state.accounts.get(seen.headers.get("authorization", "").partition(" ")[2])
        place = seen.path.removeprefix(f"/repos/{REPOSITORY}/")
        number = self.pulled.number
        if account is None or not place.startswith(("pulls/", "contents/")):
            return super()._answer(seen)
        if seen.method != "GET" and not account.writes:
            return _message(403, "Resource not accessible by integration")
        if place.startswith("contents/"):
            return self._contents(place.removeprefix("contents/"), seen)
        if place == f"pulls/{number}":
            return Answer(200, self._pull())
        if place == f"pulls/{number}/files":
            return self._page(seen, [self._changed(name, patch) for name, patch in self.pulled.patches.items()])
        if place == f"pulls/{number}/comments":
            return (
                self._comment(seen, account)
                if seen.method == "POST"
                else self._page(seen, list(map(self._told, self.pulled.comments)))
            )
        if (match := re.fullmatch(r"pulls/comments/(\d+)", place)) and seen.method == "DELETE":
            self.pulled.comments = [each for each in self.pulled.comments if each["id"] != int(match[1])]
            return Answer(204)
        return _message(404, "Not Found")

    def _contents(self, path: str, seen: Seen) -> Answer:
        if seen.query.get("ref") != [HEAD] or path not in self.pulled.contents:
            return _message(404, "Not Found")
        content = self.pulled.contents[path]
        told = {"type": "file", "encoding": "base64", "size": len(content), "name": path, "path": path}
        return Answer(200, fill("content-file", content=base64.b64encode(content).decode(), **told))

    def _pull(self) -> Any:
        url = f"{self.url}/repos/{REPOSITORY}/pulls/{self.pulled.number}"
        sides = {side: {"sha": HEAD, "ref": "topic", "label": "octo:topic"} for side in ("head", "base")}
        return fill("pull-request", number=self.pulled.number, url=url, state="open", **sides)

    def _changed(self, name: str, patch: str) -> Any:
        return fill("diff-entry", filename=name, status="modified", sha="c" * 40, patch=patch)

    def _comment(self, seen: Seen, account: Account) -> Answer:
        asked = json.loads(seen.body)
        first, last = asked.get("start_line", asked["line"]), asked["line"]
        shown = self.pulled.patches.get(asked["path"], "")
        inside = any(a <= first <= last < a + n for a, n in hunks(shown))
        if not inside or asked["commit_id"] != HEAD:
            said = {"message": "Validation Failed", "errors": [{"field": "line", "message": "line must be part of the diff"}]}
            return Answer(422, said | {"documentation_url": "https://docs.github.com/rest"})
        self.state.next_id += 1
        self.pulled.comments.append(asked | {"id": self.state.next_id, "login": account.login})
        return Answer(201, self._told(self.pulled.comments[-1]))

    def _told(self, comment: dict[str, Any]) -> Any:
        base = f"https://github.com/{REPOSITORY}/pull/{self.pulled.number}"
        return fill(
            "pull-request-review-comment",
            id=comment["id"],
            url=f"{self.url}/repos/{REPOSITORY}/pulls/comments/{comment['id']}",
            html_url=f"{base}#discussion_r{comment['id']}",
            body=comment["body"],
            path=comment["path"],
            line=comment["line"],
            user=fill("simple-user", login=comment["login"], type="Bot"),
        )


def hunks(patch: str) -> list[tuple[int, int]]:
    """Where each hunk begins in the new file, and how many lines it has."""
    found = re.findall(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@", patch, re.MULTILINE)
    return [(int(start), int(count or 1)) for start, count in found]

"""What GitHub tells every step of a job that runs on a protected branch."""

from __future__ import annotations

WORKFLOW = "octo/models/.github/workflows/release.yml@refs/heads/main"
JOB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_EVENT_NAME": "push",
    "GITHUB_REF": "refs/heads/main",
    "GITHUB_REF_PROTECTED": "true",
    "GITHUB_SHA": "a" * 40,
    "GITHUB_REPOSITORY": "octo/models",
    "GITHUB_WORKFLOW_REF": WORKFLOW,
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_RUN_ID": "42",
    "GITHUB_RUN_ATTEMPT": "1",
    "RUNNER_ENVIRONMENT": "github-hosted",
    "RUNNER_OS": "Linux",
    "RUNNER_ARCH": "X64",
}

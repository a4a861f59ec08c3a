"""What `gatekeeper init --release` writes: a workflow that releases only what passed, and the trust file that it is held to."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from gatekeeper.starting.workflows import lines, quoted, uses

RELEASE = Path(".github/workflows/gatekeeper-release.yml")
TRUST = "gatekeeper-trust.yaml"
"""The trust file, beside the pipeline file."""

CHECKOUT = "actions/checkout@9c091bb21b7c1c1d1991bb908d89e4e9dddfe3e0 # v7.0.0"
DOWNLOAD = "actions/download-artifact@3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c # v8.0.1"
UPLOAD = "actions/upload-artifact@043fb46d1a93c77aae656e7c1c64a875d1fc6a0a # v7.0.1"


def release_text(config: str, action: str, lfs: bool = False) -> str:
    """On a tag: measure, certify in a job of its own, verify, and only then publish."""
    trust = (PurePosixPath(config).parent / TRUST).as_posix()
    return f"""\
# Releases what passed: a tag is measured, what passes is signed, and what is signed is verified before anything is published.
#
# 1. Protect the tags by a ruleset: only what was measured on a protected ref is certified.
# 2. Make a key pair, commit release.pub beside {TRUST}, and put release.key into the secret GATEKEEPER_KEY of the environment
#    `release`, which may ask people for their approval too:
#      openssl genpkey -algorithm ed25519 -out release.key
#      openssl pkey -in release.key -pubout -out release.pub
name: gatekeeper release

on:
  push:
    tags: ["v*"]

permissions: {{}}

concurrency:
  group: gatekeeper-release-${{{{ github.ref }}}}
  cancel-in-progress: false

jobs:
  gatekeeper:
    permissions:
      contents: read # the pipeline file and the model
      actions: read # part of the reusable workflow
      pull-requests: write # part of the reusable workflow; a tag has no pull request
{uses(action, "gate.yml")}
    with:
      config: {quoted(config)}
      comment-mode: "off"
      upload-models: true
      fresh: true
{lines(lfs, "      lfs: true")}
  # A job of its own: nothing of anybody's runs beside the key, and of the repository the pipeline file alone is there, which the
  # report is held to.
  certify:
    name: certify
    needs: gatekeeper
    runs-on: ubuntu-latest
    timeout-minutes: 15
    environment: release
    permissions:
      actions: read # who approved this run
      contents: read # the pipeline file
    steps:
      - uses: {CHECKOUT}
        with:
          persist-credentials: false
          sparse-checkout: {quoted("/" + PurePosixPath(config).as_posix())}
          sparse-checkout-cone-mode: false
      - uses: {DOWNLOAD}
        with:
          name: gatekeeper-report
          path: gatekeeper-release
      - uses: {DOWNLOAD}
        with:
          pattern: gatekeeper-models-*
          path: gatekeeper-release/artifacts
          merge-multiple: true
{uses(action, "", "      - ")}
        with:
          command: certify
          config: {quoted(config)}
          results: gatekeeper-release
          key: ${{{{ secrets.GATEKEEPER_KEY }}}}
      - uses: {UPLOAD}
        with:
          name: gatekeeper-certified
          path: gatekeeper-release
          if-no-files-found: error
          overwrite: true

  publish:
    name: publish
    needs: certify
    runs-on: ubuntu-latest
    timeout-minutes: 15
    permissions:
      contents: write # the release
    steps:
      - uses: {CHECKOUT}
        with:
          persist-credentials: false
      - uses: {DOWNLOAD}
        with:
          name: gatekeeper-certified
          path: gatekeeper-release
      - id: verify
{uses(action, "", "        ")}
        with:
          command: verify
          results: gatekeeper-release
          trust: {quoted(trust)}
      # Not reached unless everything is verified; what is published are the files that were.
      - name: publish
        env:
          GH_TOKEN: ${{{{ github.token }}}}
          GH_REPO: ${{{{ github.repository }}}}
          TAG: ${{{{ github.ref_name }}}}
          CERTIFICATES: ${{{{ steps.verify.outputs.certificate }}}}
          MODELS: ${{{{ steps.verify.outputs.model }}}}
        run: |
          set -euo pipefail
          files=(gatekeeper-release/report.json)
          while IFS= read -r certificate; do
            files+=("$certificate" "${{certificate%.json}}.cdx.json")
          done <<< "$CERTIFICATES"
          while IFS= read -r model; do
            if [ -d "$model" ]; then
              tar -czf "$model.tar.gz" -C "$(dirname "$model")" "$(basename "$model")"
              model="$model.tar.gz"
            fi
            files+=("$model")
          done <<< "$MODELS"
          gh release view "$TAG" > /dev/null 2>&1 || gh release create "$TAG" --verify-tag --generate-notes
          gh release upload "$TAG" "${{files[@]}}" --clobber
"""


def trust_text() -> str:
    """A trust file that asks for what the pipeline file's defaults do, and says what else there is."""
    return """\
# Whom releases are trusted to be by, and what must hold of them: `gatekeeper verify` reads it before anything is published, and
# nothing in a release changes it. Review changes to it as those to the gate itself. Every key: docs/release.md of gatekeeper.
signers:
  # CHANGE: the public key of who certifies, a path from this file. The private one is in a secret, and nowhere else.
  - {name: releases, key: release.pub}

require:
  # Must have passed, whatever the pipeline file asked for. `agreement` in place of `accuracy` where the examples have no labels.
  gates: [accuracy]
  # Distinct examples that the verdict rests on.
  min_examples: 59
  # Since it was measured.
  max_age: 30d
  # `signed`: failures that the certificate says were waived count as passed, until the waiver expires.
  waivers: none

# Limits that hold here, also where those of the pipeline file are looser.
limits:
  accuracy: {retention: 0.95}
  # speedup: {min: 2.0}
  # memory: {reduction: 0.5}

# Evaluation sets that count, by SHA-256; without this, any.
# datasets: []

# What is void: SHA-256 of certificates, reports, models, data or code, or ids of keys.
# revoked: []
"""

"""What lies beside predictions and is not as gatekeeper writes it is an error with its name, whatever it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatekeeper.data.outputs import CONTENTS, outputs_beside
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate import heaviest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["judged", "others", "skipped", "x"]), inner),
    max_leaves=9,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40))
def test_any_content_is_read_or_refused(tmp_path: Path, content: bytes) -> None:
    for name, read in ((CONTENTS, outputs_beside), (heaviest.FILE, lambda file: heaviest.read([file]))):
        (tmp_path / name).write_bytes(content)
        try:
            found: Any = read(tmp_path / "predictions.npy")
        except NotMeasured as error:
            assert name in str(error) and error.kind == "garbage"
        else:
            places = [*getattr(found, "others", {}).values()]
            assert not any("/" in each or each.startswith("..") for each in places)


@pytest.mark.parametrize("content", [b'{"judged":"y","others":{"z":"../../../secret.npy"}}', b'{"judged":7}', b"[" * 100_000])
def test_what_names_files_elsewhere_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / CONTENTS).write_bytes(content)
    with pytest.raises(NotMeasured, match="not as gatekeeper writes it"):
        outputs_beside(tmp_path / "predictions.npy")


def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("[1]")
    (tmp_path / heaviest.FILE).symlink_to(tmp_path / "other.json")
    with pytest.raises(NotMeasured, match=heaviest.FILE):
        heaviest.read([tmp_path / "predictions.npy"])

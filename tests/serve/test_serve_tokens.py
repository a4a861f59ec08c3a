"""Which tokens a request may hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.frameworks._spec import TextSpec
from gatekeeper.serve.tensors import BadRequest
from gatekeeper.serve.tokens import check_tokens

TEXT = TextSpec(model="m", framework="llama_cpp", vocabulary=100, context=8)


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 102), max_size=10))
def test_ids_of_the_vocabulary_and_no_others(ids: list[int]) -> None:
    tokens = np.array([ids], np.int64)
    if 1 <= len(ids) <= 8 and all(each in range(100) for each in ids):
        check_tokens(tokens, TEXT)
    else:
        with pytest.raises(BadRequest) as refused:
            check_tokens(tokens, TEXT)
        assert refused.value.status == 400


def test_where_nothing_is_known_an_id_must_still_be_one_that_no_runtime_cuts() -> None:
    unknown = TextSpec(model="m", framework="llama_cpp", vocabulary=0)
    check_tokens(np.array([[2**31 - 1] * 1000]), unknown)
    with pytest.raises(BadRequest, match="has the id 2147483648; the model knows 0 to 2147483647"):
        check_tokens(np.array([[1, 2**31]]), unknown)

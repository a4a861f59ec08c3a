"""How much each column of a matrix matters to what a model computes: what llama.cpp's quantizers weigh rounding errors by.

As llama.cpp's own `llama-imatrix` has it (tools/imatrix/imatrix.cpp): the mean, over the tokens of a text, of the square of what
a matrix is multiplied by. The Python package has neither that program nor a function for it: this listens in on what is computed,
through the callback that the library has for such ends, and reads ggml's tensors as C lays them out.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper.errors import NotMeasured

if TYPE_CHECKING:
    import numpy as np

_OBJECT_BYTES, _REST_BYTES = 32, 16  # struct ggml_object before a tensor; `extra` and `padding` at its end, which nobody reads
_F32 = 0  # enum ggml_type
_LEAST = 1e-6
"""The smallest weight of a column, as a share of the mean: what is always zero here need not be elsewhere, and a block whose
weights are all zero has no scale."""


class _Tensor(ctypes.Structure):
    """The beginning of `struct ggml_tensor` (ggml.h)."""


_Tensor._fields_ = [
    ("type", ctypes.c_int),
    ("buffer", ctypes.c_void_p),
    ("ne", ctypes.c_int64 * 4),
    ("nb", ctypes.c_size_t * 4),
    ("op", ctypes.c_int),
    ("op_params", ctypes.c_int32 * 16),
    ("flags", ctypes.c_int32),
    ("src", ctypes.POINTER(_Tensor) * 10),
    ("view_src", ctypes.c_void_p),
    ("view_offs", ctypes.c_size_t),
    ("data", ctypes.c_void_p),
    ("name", ctypes.c_char * 64),
]


@cache
def _ggml() -> Any:
    """The library under llama.cpp; `NotMeasured` where its tensors have another layout than the one above."""
    from llama_cpp._ggml import libggml

    try:
        libggml.ggml_op_desc.restype, libggml.ggml_op_desc.argtypes = ctypes.c_char_p, [ctypes.c_void_p]
        libggml.ggml_get_name.restype, libggml.ggml_get_name.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
        libggml.ggml_nbytes.restype, libggml.ggml_nbytes.argtypes = ctypes.c_size_t, [ctypes.c_void_p]
        libggml.ggml_tensor_overhead.restype = ctypes.c_size_t
        libggml.ggml_backend_tensor_get.restype = None
        libggml.ggml_backend_tensor_get.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t]
        known = libggml.ggml_tensor_overhead() == _OBJECT_BYTES + ctypes.sizeof(_Tensor) + _REST_BYTES
    except AttributeError:
        known = False
    if not known:
        raise _strange()
    return libggml


def _strange() -> NotMeasured:
    return NotMeasured(
        "unsupported",
        "the installed llama-cpp-python lays its tensors out in another way than this version reads, so that no importance "
        "matrix can be computed. Leave `imatrix` out, or install the version that gatekeeper's extra names.",
    )


class Listener:
    """Adds up, by the name of each matrix, the squares of what it is multiplied by."""

    def __init__(self) -> None:
        self._ggml = _ggml()
        self._sums: dict[str, np.ndarray] = {}
        self._rows: dict[str, int] = {}
        self.failed: BaseException | None = None

    def hear(self, address: int, asked: bool, _: Any) -> bool:
        """llama.cpp's callback: whether a tensor is wanted, and then what came of it. An error ends the computation."""
        try:
            operator = self._ggml.ggml_op_desc(address)
            if operator == b"MUL_MAT_ID":
                raise NotMeasured(
                    "unsupported",
                    "an importance matrix of a model with experts needs one for each of them, which this version does not "
                    "compute. Leave `imatrix` out for this model.",
                )
            if operator != b"MUL_MAT":
                return not asked
            return self._product(address, asked)
        except BaseException as error:  # none may pass through C
            self.failed = error
            return False

    def _product(self, address: int, asked: bool) -> bool:
        product = ctypes.cast(address, ctypes.POINTER(_Tensor)).contents
        if self._ggml.ggml_get_name(address) != ctypes.addressof(product) + _Tensor.name.offset:
            raise _strange()
        matrix, factor = product.src[0].contents, product.src[1].contents
        # Layers of the model alone, as in llama.cpp: attention multiplies what it has computed itself, and the last layer is
        # quantized so finely that weights do not help it.
        wanted = matrix.name.startswith(b"blk.") and factor.type == _F32 and matrix.ne[2] == matrix.ne[3] == 1
        if not asked and wanted:
            self._add(matrix.name.decode(), product.src[1], factor)
        return bool(wanted) or not asked

    def _add(self, name: str, pointer: Any, factor: _Tensor) -> None:
        import numpy as np

        flat = np.empty(self._ggml.ggml_nbytes(pointer) // 4, np.float32)
        self._ggml.ggml_backend_tensor_get(pointer, flat.ctypes.data, 0, flat.nbytes)
        values = np.lib.stride_tricks.as_strided(flat, factor.ne[::-1], factor.nb[::-1]).reshape(-1, factor.ne[0])
        squares = np.square(values, dtype=np.float64).sum(axis=0)
        self._sums[name] = self._sums[name] + squares if name in self._sums else squares
        self._rows[name] = self._rows.get(name, 0) + len(values)

    def importance(self) -> dict[str, np.ndarray]:
        """The mean square of every column of every matrix that was heard, float32 [columns]."""
        import numpy as np

        found = {}
        for name, sums in self._sums.items():
            means = sums / self._rows[name]
            if not np.isfinite(means).all() or not means.any():
                raise NotMeasured(
                    "model", f"'{name}' is given {means.max()} for the calibration set. Check the model, or leave `imatrix` out."
                )
            found[name] = np.maximum(means, means.mean() * _LEAST).astype(np.float32)
        return found


def importance(model: Path, windows: Iterable[np.ndarray], threads: int) -> dict[str, np.ndarray]:
    """The importance matrix of a .gguf file over windows of token ids, int64 [n] each, every one from an empty context."""
    from gatekeeper.frameworks._llama_cpp_session import LlamaSession

    listener = Listener()
    session = LlamaSession(model, threads, "cpu", listener=listener)
    for window in windows:
        try:
            session.run({"tokens": window[None]})
        except NotMeasured:
            if listener.failed is None:
                raise
        if listener.failed is not None:
            raise listener.failed
    return listener.importance()

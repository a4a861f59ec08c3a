"""What the models of a run answered on the evaluation set, small enough to travel beside its report (answers.npz).

The legs of a matrix run on several machines; a merged report compares their answers without running anything again. A
file that comes back from a matrix job is a stranger's: every size, type and name in it is checked before it is used.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gatekeeper.errors import NotMeasured
from gatekeeper.records.base import Record

FILE_NAME = "answers.npz"
MAX_BYTES = 64 << 20
MOST_VALUES = 1 << 18
"""Numbers kept of one model. Which ones follows from the evaluation set alone: every leg keeps the same examples."""
MOST_OUTPUTS = 1 << 14
"""Examples kept where outputs are numbers: more would tell nothing, and every pair of models is compared."""
MOST_NAMES = 4096

Kind = Literal["same class", "same top token", "relative distance"]


class AnswersHeader(Record, frozen=True, kw_only=True):
    """What the arrays of the file mean. `total` counts the examples (or tokens) of the whole set, evenly thinned out."""

    schema: Literal["gatekeeper/answers/v1"]
    dataset: Annotated[str, Meta(max_length=64)]
    kind: Kind
    total: Annotated[int, Meta(ge=1, le=1 << 48)]
    names: Annotated[list[Annotated[str, Meta(max_length=1024)]], Meta(max_length=MOST_NAMES)]
    left_out: Annotated[dict[Annotated[str, Meta(max_length=1024)], Annotated[str, Meta(max_length=1024)]], Meta(max_length=64)]


@dataclass(frozen=True)
class Answers:
    """Answers to one set: integers [models, examples], or float32 [models, examples, values] for `relative distance`."""

    header: AnswersHeader
    values: Any

    def of(self, name: str) -> Any:
        """One model's answers."""
        return self.values[self.header.names.index(name)]

    def comparable(self) -> tuple[object, ...]:
        """Equal where answers may meet: the same examples of the same set, read in the same way."""
        return self.header.dataset, self.header.kind, self.header.total, self.values.shape[1:]


def packed(answers: Answers) -> bytes:
    """The content of answers.npz."""
    import numpy as np

    buffer = io.BytesIO()
    contents = np.frombuffer(msgspec.json.encode(answers.header), dtype=np.uint8)
    np.savez_compressed(buffer, contents=contents, answers=answers.values)
    return buffer.getvalue()


def read_answers(path: Path) -> Answers:
    """The answers in a file; `NotMeasured` with the reason when it is missing or is not one."""
    if not path.is_file():
        raise NotMeasured("data", f"no {FILE_NAME} came beside its report")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"it has more than {MAX_BYTES} bytes")
        with zipfile.ZipFile(path) as archive:
            contents, values = _members(archive)
        header = msgspec.json.decode(contents.tobytes(), type=AnswersHeader)
        _check(header, values)
    except (
        OSError,
        ValueError,  # includes what numpy and msgspec say
        EOFError,
        KeyError,
        RuntimeError,  # encrypted; RecursionError and NotImplementedError too
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise NotMeasured("garbage", f"its {FILE_NAME} cannot be read ({error})") from None
    return Answers(header, values)


def _members(archive: zipfile.ZipFile) -> tuple[Any, Any]:
    infos = {info.filename: info for info in archive.infolist()}
    if set(infos) != {"contents.npy", "answers.npy"} or len(archive.infolist()) != len(infos):
        raise ValueError("it holds other files than it should")
    if sum(info.file_size for info in infos.values()) > MAX_BYTES:
        raise ValueError(f"it unpacks to more than {MAX_BYTES} bytes")
    if any(info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for info in infos.values()):
        raise ValueError("it is packed in an unknown way")
    return _array(archive, infos["contents.npy"]), _array(archive, infos["answers.npy"])


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Any:
    """An array whose header agrees with its bytes; nothing is allocated before that is known."""
    import numpy as np
    from numpy.lib import format as npy

    with archive.open(info) as file:
        data = file.read(info.file_size)
    stream = io.BytesIO(data)
    if npy.read_magic(stream) != (1, 0):
        raise ValueError("its arrays are of an unknown version")
    shape, fortran, dtype = npy.read_array_header_1_0(stream)
    count = 1
    for length in shape:
        count *= length
    if dtype.kind not in "iuf" or fortran or not 1 <= len(shape) <= 3 or count < 1:
        raise ValueError("its arrays are not what it should hold")
    if len(data) - stream.tell() != count * dtype.itemsize:
        raise ValueError("its arrays are cut off")
    return np.frombuffer(data, dtype=dtype, offset=stream.tell()).reshape(shape)


def _check(header: AnswersHeader, values: Any) -> None:
    """Whether the array is what its description says."""
    import numpy as np

    numbers = header.kind == "relative distance"
    if values.ndim != (3 if numbers else 2) or (values.dtype != np.float32 if numbers else values.dtype.kind not in "iu"):
        raise ValueError(f"its answers are {values.dtype} of {values.ndim} axes, which '{header.kind}' is not")
    if len(values) != len(header.names) or len(set(header.names)) != len(header.names):
        raise ValueError("its names do not fit its answers")
    if values.shape[1] > min(header.total, MOST_OUTPUTS if numbers else MOST_VALUES):
        raise ValueError("it holds more answers than it should")
    if numbers and not np.isfinite(values).all():
        raise ValueError("its answers hold NaN or infinite values")

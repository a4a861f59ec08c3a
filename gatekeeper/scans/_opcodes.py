"""What a pickle imports, told from its opcodes; nothing of it is unpickled."""

from __future__ import annotations

import pickletools
import zipfile
from collections.abc import Iterator
from typing import IO, Any

from gatekeeper.scans._base import Seen

MODULES = {
    "_pickle", "_posixsubprocess", "_thread", "aiohttp", "asyncio", "bdb", "cProfile", "cloudpickle", "code", "codeop",
    "commands", "ctypes", "dill", "doctest", "ensurepip", "fileinput", "ftplib", "gc", "http", "httplib", "idlelib",
    "imaplib", "importlib", "inspect", "io", "joblib", "lib2to3", "linecache", "logging", "marshal", "multiprocessing", "nt",
    "ntpath", "os", "pathlib", "pdb", "pickle", "pip", "pkgutil", "platform", "poplib", "posix", "profile", "pty", "pydoc",
    "requests", "requests_toolbelt", "resource", "runpy", "setuptools", "shelve", "shlex", "shutil", "signal", "site",
    "smtplib", "socket", "ssl", "subprocess", "sys", "telnetlib", "tempfile", "test", "threading", "timeit", "trace", "types",
    "unittest", "urllib", "urllib2", "uuid", "venv", "webbrowser", "xmlrpc", "zipimport",
}  # fmt: skip
"""Modules, with all below them, of which no weights need anything and which run, fetch or read what they are told to."""

INNER = (
    "numpy.testing", "numpy.f2py", "numpy.distutils", "torch.hub", "torch.utils", "torch.serialization", "torch.package",
    "torch.distributed", "torch.jit.unsupported", "torch._dynamo", "torch._inductor", "pandas.io", "sklearn.datasets",
)  # fmt: skip
BUILTINS = ("builtins", "__builtin__", "__builtins__")
PLAIN = {
    "bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "object", "range", "set", "slice",
    "str", "tuple", "long", "unicode", "Ellipsis", "NotImplemented",
}  # fmt: skip
_KEPT = (
    "joblib.numpy_pickle.", "torch.utils._pytree", "torch.utils.data", "types.SimpleNamespace", "uuid.UUID", "pathlib.PosixPath",
    "pathlib.PurePosixPath", "pathlib.WindowsPath", "pathlib.PureWindowsPath",
)  # fmt: skip
"""What is no danger of those."""

MOST_STEPS = 2_000_000
MOST_BYTES = 64 << 20
MOST_MEMBERS = 1000


def imports(seen: Seen) -> Iterator[tuple[str, str]]:
    """(name, member) of everything dangerous that the pickles in a file import; member is empty where the file is one itself."""
    if seen.content == "pickle":
        with seen.opened() as file:
            yield from ((name, "") for name in _dangerous(file))
    elif seen.content == "zip":
        try:
            with zipfile.ZipFile(seen.path) as archive:
                for member in archive.infolist()[:MOST_MEMBERS]:
                    if member.filename.endswith((".pkl", ".pickle")):
                        with archive.open(member) as inside:
                            yield from ((name, member.filename) for name in _dangerous(inside))
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, OSError):
            return  # what cannot be read here, the engine says


def _dangerous(file: IO[bytes]) -> Iterator[str]:
    for name in dict.fromkeys(_imported(_Bounded(file))):
        module, _, attribute = name.rpartition(".")
        if name.startswith(_KEPT):
            continue
        if (
            attribute not in PLAIN
            if module in BUILTINS
            else module.partition(".")[0] in {*MODULES, ""} or module.startswith(INNER)
        ):
            yield name


def _imported(file: Any) -> Iterator[str]:
    """Names in the order in which an unpickler would import them, as far as the opcodes are sound."""
    texts: list[str] = []
    memo: dict[int, str] = {}
    try:
        for steps, (code, argument, _) in enumerate(pickletools.genops(file)):
            if steps > MOST_STEPS:
                return
            if code.name in ("GLOBAL", "INST"):
                yield str(argument).replace(" ", ".", 1)
            elif code.name == "STACK_GLOBAL":
                yield ".".join(texts[-2:])
            elif isinstance(argument, str):
                texts.append(argument)
            elif code.name == "MEMOIZE":
                memo[len(memo)] = texts[-1] if texts else ""
            elif "PUT" in code.name and isinstance(argument, int):
                memo[argument] = texts[-1] if texts else ""
            elif "GET" in code.name and isinstance(argument, int):
                texts.append(memo.get(argument, ""))
    except Exception:  # it ends where an unpickler would end, too
        return


class _Bounded:
    """A file of which no more is read at once than can be held."""

    def __init__(self, file: IO[bytes]):
        self.file = file

    def read(self, count: int) -> bytes:
        """As a file's; of a larger piece nothing."""
        return self.file.read(count) if count <= MOST_BYTES else b""

    def readline(self) -> bytes:
        """As a file's."""
        return self.file.readline(MOST_BYTES)

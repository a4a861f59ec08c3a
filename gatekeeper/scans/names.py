"""What a file is called, and what it is: a pickle in an ONNX file's clothes, a program among the weights."""

from __future__ import annotations

from collections.abc import Iterator

from gatekeeper.scans._base import Found, Rule, Saw, Seen

DESCRIPTION = "Any file: content of another kind than its name says, programs and Python code beside a model."
ORDER = 40
RULES = {
    "disguised": Rule(
        "Content of another kind than the name says: who opens it by its content runs what the name hides.",
        "Do not load it. Take the file from its source again.",
    ),
    "program": Rule(
        "A program, a library or Python code among a model's files: loading the model may run it.",
        "Remove it from the folder, or keep it where no model is loaded from.",
    ),
}

EXPECTED: dict[str, tuple[str, ...]] = {
    ".onnx": ("binary", "text"), ".gguf": ("gguf",), ".safetensors": ("binary", "text"), ".xml": ("xml", "text"), ".npy":
    ("npy",), ".npz": ("zip",), ".json": ("json", "text"), ".jinja": ("text", "json", "xml"), ".txt": ("text", "json", "xml"),
    ".md": ("text", "json", "xml"), ".keras": ("zip", "hdf5"), ".h5": ("hdf5",), ".hdf5": ("hdf5",), ".zip": ("zip",),
    ".tflite": ("binary",), ".model": ("binary", "text"), ".yaml": ("text", "json"), ".yml": ("text", "json"),
}  # fmt: skip
"""What a file of that name may be; of what is not named here anything."""

HIDDEN = {"pickle", "zip", "tar", "hdf5", "gguf", "npy", "program", "script", "gzip", "bzip2", "xz", "7z", "zstd", "rar"}
"""Contents that somebody's loader goes by, whatever the name is."""

ARCHIVES = {"zip", "tar", "gzip", "bzip2", "xz", "7z", "zstd", "rar"}
CODE = {
    ".py", ".pyc", ".pyd", ".pyw", ".so", ".dll", ".dylib", ".exe", ".sh", ".bat", ".cmd", ".ps1", ".js", ".jar", ".whl",
    ".egg", ".pth.py", ".class", ".com", ".vbs", ".scr", ".msi", ".deb", ".rpm", ".apk",
}  # fmt: skip


def takes(seen: Seen) -> bool:
    """Every file."""
    return True


def scan(seen: Seen) -> Iterator[Saw]:
    """Its name against its content."""
    if seen.suffix in CODE or ".so." in seen.path.name:
        yield Found("program", f"a file that is run: {seen.name[:120]}")
    elif seen.content in ("program", "script"):
        yield Found("program", "it begins as a program does")
    elif seen.named_by and seen.content in HIDDEN:
        yield Found("disguised", f"{seen.named_by} names it as weights, and it is {_a(seen.content)}")
    elif seen.content in HIDDEN and seen.content not in EXPECTED.get(seen.suffix, (seen.content,)):
        yield Found("disguised", f"it is named {seen.suffix}, and it is {_a(seen.content)}")


def _a(content: str) -> str:
    return f"an archive ({content})" if content in ARCHIVES else f"a {content} file"

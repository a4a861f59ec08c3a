"""The tokenizer of a Hugging Face folder in GGUF's terms: what llama.cpp would split differently is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._template import around

_REFUSED = (
    "gatekeeper cannot write this tokenizer for llama.cpp: {}. "
    "Convert the model with llama.cpp's own convert_hf_to_gguf.py and name the .gguf as the model."
)
_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_TAIL = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_CASED = (
    r"[^\r\n\p{{L}}\p{{N}}]?[\p{{Lu}}\p{{Lt}}\p{{Lm}}\p{{Lo}}\p{{M}}]*[\p{{Ll}}\p{{Lm}}\p{{Lo}}\p{{M}}]+{0}|"
    r"[^\r\n\p{{L}}\p{{N}}]?[\p{{Lu}}\p{{Lt}}\p{{Lm}}\p{{Lo}}\p{{M}}]+[\p{{Ll}}\p{{Lm}}\p{{Lo}}\p{{M}}]*{0}|"
)
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|" + _TAIL
_REST_SLASH = r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + _TAIL
# Expression of the pre-tokenizer, and whether whole words of the vocabulary skip the merges -> llama.cpp's name of the two.
# All are what its own converter writes. Of tekken and gpt-4o it has its own version, which finds capitals in ASCII only.
_SPLITS = {
    (_CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + _REST, True): "llama-bpe",
    (_CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + _REST, False): "dbrx",
    (_CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + _REST, False): "qwen2",
    (_CASED.format("") + r"\p{N}" + _REST_SLASH, True): "tekken",
    (_CASED.format(_CONTRACTIONS + "?") + r"\p{N}{1,3}" + _REST_SLASH, False): "gpt-4o",
}
_SPACE = "▁"
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")


def add_tokenizer(writer: Any, folder: Path, size: int) -> None:
    """Add the tokenizer of `folder`, for a model that embeds `size` tokens, to a `gguf.GGUFWriter`."""
    import gguf

    read = _read(folder)
    model, kind = read.get("model") or {}, gguf.TokenType
    if model.get("type") != "BPE" or model.get("dropout"):
        raise _refused(f"its model is {model.get('type')}, and gatekeeper writes BPE")
    if model.get("continuing_subword_prefix") or model.get("end_of_word_suffix"):
        raise _refused("its words have prefixes or suffixes")
    pieces = bool(model.get("byte_fallback"))
    tokens, types = [f"[PAD{i}]" for i in range(size)], [kind.UNUSED] * size
    for token, i in model["vocab"].items():
        byte = pieces and _BYTE.fullmatch(token)
        _put(tokens, types, i, token, kind.BYTE if byte else kind.UNKNOWN if token == model.get("unk_token") else kind.NORMAL)
    for added in read.get("added_tokens") or ():
        special = kind.CONTROL if added["special"] else kind.USER_DEFINED
        _put(
            tokens, types, added["id"], added["content"], kind.UNKNOWN if added["content"] == model.get("unk_token") else special
        )
    if pieces:
        writer.add_tokenizer_model("llama")
        writer.add_tokenizer_pre("default")
        writer.add_add_space_prefix(_leading_space(read))
        normal = {token for token, type_ in zip(tokens, types, strict=True) if type_ == kind.NORMAL}
        ranks = _ranks(model, normal)
        writer.add_token_scores([-float(ranks.get(token, len(ranks))) for token in tokens])
    else:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(_pre_tokenizer(read, bool(model.get("ignore_merges"))))
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    try:
        special = gguf.SpecialVocab(folder, load_merges=not pieces, n_vocab=size)
        _add_template(special, folder)
        special.add_to_gguf(writer, quiet=True)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotMeasured("model", f"the special tokens of the tokenizer cannot be read: {error}. Correct them.") from error


def _add_template(special: Any, folder: Path) -> None:
    """Have llama.cpp put around a text what the tokenizer's template does, whatever else the folder says: one token or none.

    Where a file is silent, llama.cpp chooses by the kind of tokenizer.
    """
    from tokenizers import Tokenizer

    try:
        library = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the library raises its own Exception class
        raise ValueError(" ".join(str(error).split())) from error
    before, after = around(library)
    known = special.special_token_ids
    if len(before) > 1 or len(after) > 1 or (after and known.setdefault("eos", after[0]) != after[0]):
        named = ", ".join(str(library.id_to_token(token)) for token in (*before, *after))
        raise _refused(
            f"its template puts {named} around a text, and llama.cpp's can put there one that begins and one that ends"
        )
    if before:
        known["bos"] = before[0]
    special.add_special_token |= {"bos": bool(before), "eos": bool(after)}


def _read(folder: Path) -> dict[str, Any]:
    try:
        read = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _refused("the folder has no tokenizer.json") from None
    except (OSError, ValueError) as error:
        raise NotMeasured("model", f"tokenizer.json cannot be read: {error}. Save the tokenizer again.") from error
    if not isinstance(read, dict):
        raise NotMeasured("model", "tokenizer.json is not a JSON object. Save the tokenizer again.")
    return read


def _put(tokens: list[str], types: list[Any], i: int, token: str, kind: Any) -> None:
    if not 0 <= i < len(tokens):
        raise NotMeasured(
            "model",
            f"tokenizer.json numbers '{token}' {i}, and the model embeds {len(tokens)} tokens. Use the model's own tokenizer.",
        )
    tokens[i], types[i] = token, kind


def _parts(section: dict[str, Any] | None, name: str) -> list[dict[str, Any]]:
    """The steps of a normalizer or pre-tokenizer, without the sequences they are wrapped in."""
    if not section:
        return []
    if section.get("type") != "Sequence":
        return [section]
    return [part for inner in section.get(name) or () for part in _parts(inner, name)]


def _pre_tokenizer(read: dict[str, Any], ignore_merges: bool) -> str:
    """The name llama.cpp has for how byte-level BPE splits text into words."""
    normalizers = [part.get("type") for part in _parts(read.get("normalizer"), "normalizers")]
    if normalizers not in ([], ["NFC"]):  # llama.cpp leaves NFC to the caller: text usually has it
        raise _refused(f"it normalizes text by {_listed(normalizers)}")
    parts = _parts(read.get("pre_tokenizer"), "pretokenizers")
    types = [part.get("type") for part in parts]
    if types[-1:] != ["ByteLevel"] or parts[-1].get("add_prefix_space"):
        raise _refused(f"it splits text by {_listed(types)}")
    words = parts[-1].get("use_regex", True)
    if types == ["ByteLevel"] and words and not ignore_merges:
        return "gpt-2"
    if types == ["Digits", "ByteLevel"] and words and parts[0].get("individual_digits") and not ignore_merges:
        return "smollm"
    if types == ["Split", "ByteLevel"] and not words:
        expression = str((parts[0].get("pattern") or {}).get("Regex"))
        isolated = parts[0].get("behavior") == "Isolated" and not parts[0].get("invert")
        if isolated and (expression, ignore_merges) in _SPLITS:
            return _SPLITS[expression, ignore_merges]
        raise _refused(f"it splits text by the expression {expression}")
    raise _refused(f"it splits text by {_listed(types)}")


def _leading_space(read: dict[str, Any]) -> bool:
    """Whether SentencePiece pieces begin with a space that the text lacks.

    Metaspace adds none to a text that begins with one; llama.cpp does, and so do files of its own converter.
    """
    normalizers = _parts(read.get("normalizer"), "normalizers")
    splits = _parts(read.get("pre_tokenizer"), "pretokenizers")
    if not splits and normalizers and normalizers[-1] == {"type": "Replace", "pattern": {"String": " "}, "content": _SPACE}:
        if len(normalizers) == 1:
            return False
        if normalizers[:-1] == [{"type": "Prepend", "prepend": _SPACE}]:
            return True
    if not normalizers and len(splits) == 1 and splits[0].get("type") == "Metaspace" and splits[0].get("replacement") == _SPACE:
        scheme = splits[0].get("prepend_scheme", "always" if splits[0].get("add_prefix_space", True) else "never")
        if scheme in ("first", "always", "never") and splits[0].get("split") is False:
            return bool(scheme != "never")
    steps = [part.get("type") for part in (*normalizers, *splits)]
    raise _refused(f"it has SentencePiece's pieces and splits text by {_listed(steps)}")


def _ranks(model: dict[str, Any], normal: set[str]) -> dict[str, int]:
    """When each piece is merged. llama.cpp merges any two neighbours whose union is a piece, the best piece first.

    That is what the merges say only if they list every way to make a piece, and all ways to make one at once.
    """
    merges = [tuple(merge.split(" ") if isinstance(merge, str) else merge) for merge in model.get("merges") or ()]
    ranks: dict[str, int] = {}
    last = ""
    for left, right in merges:
        piece = left + right
        if piece in ranks and piece != last:
            raise _refused("its merges are not in the order of the pieces they make")
        ranks.setdefault(piece, len(ranks))
        last = piece
    known = set(merges)
    for piece in normal:
        ways = ((piece[:i], piece[i:]) for i in range(1, len(piece)))
        if any(way not in known for way in ways if way[0] in normal and way[1] in normal):
            raise _refused(f"its merges do not list every way to make '{piece}'")
    return ranks


def _refused(reason: str) -> NotMeasured:
    return NotMeasured("unsupported", _REFUSED.format(reason))


def _listed(types: Iterable[Any]) -> str:
    return ", ".join(str(type_) for type_ in types) or "nothing"

"""docs/frameworks.md: what runs where, and every technique."""

from __future__ import annotations

from gatekeeper.config.schema import schema_of
from gatekeeper.frameworks._base import REGISTRY as FRAMEWORKS
from gatekeeper.frameworks._base import TEXT_FORMATS, framework, needs
from gatekeeper.frameworks._options import options_of
from gatekeeper.models.files import FORMATS
from gatekeeper.planning.support import devices, support
from gatekeeper.reference.pipeline_file import keys

HEAD = """\
# Frameworks

What each framework is asked and answers; made by `make schemas` from `gatekeeper/frameworks`, do not edit by hand.
`gatekeeper plan FILE --format support` prints the same for one model, with the reasons.

A leg whose framework cannot take the model to the target's device is left out, with the reason, when it is planned; it
neither passes nor blocks. `text_generation` takes Hugging Face folders and .gguf, every other task the other formats.
"""


OPTIONS = """\
## Options of techniques

A technique is named bare, or with options; a bare name means all defaults:

```yaml
techniques:
  onnx_runtime:
    - int8_static
    - int8_static: {calibration: percentile, exclude: ["*head*"]}
    - int8_static: {equalize: true, name: equalized}
```

A variant with options is called by what differs from the defaults, `int8_static-equalize`, or by its `name`,
`int8_static-equalized`; two entries that mean the same are refused. Options are part of the plan, of the artifact's place in the
cache and of the report. What is under `session` decides how an artifact is opened and not how it is made: it is written beside
the artifact as `session.json`, measured, digested, certified and shipped with it. Every technique takes a `name`.

`exclude` and its like take names of nodes as your model has them (also where nodes are fused before they are quantized), patterns
with `*` and `?`, outputs of nodes without a name, and operator types. One that matches nothing is an error with the nearest
names, as is one that names only what the technique would not change.

`equalize` is cross-layer equalization (Nagel et al. 2019): channels that one layer makes large and the next reads small share no
range of 8 bits well, and factors between two layers cost nothing. It takes Conv, ConvTranspose, Gemm and MatMul with weights of
their own, with ReLU, LeakyReLU, pooling, per-channel additions, transposes and flattening between them. Answers in floating point
stay as they were, which is held; the pairs that were scaled are in the artifact's metadata (`gatekeeper.equalized`).

Of llama.cpp, `tensors` takes names as gguf's tools show them, patterns, and kinds (`attn_v`, `ffn_down`); of MLX, `layers` and
`exclude` take names of layers and kinds (`v_proj`, `lm_head`). What two entries mean, or what blocks do not divide, is an error:
these libraries would take another type, or pass over it, and say so in a log at most. `imatrix` computes what llama.cpp's
`llama-imatrix` does: the mean of squares of what each column is multiplied by on `dataset.calibration`. It lowers the error that
it weighs, which need not be the error of the answers: of examples/tiny-llm, q4_0 stayed as far from the original as it was (KL
0.0002) and 2-bit weights went further away; only the gates tell. `dwq` lets mlx-lm's own distillation learn from the calibration
set; it wants Metal, as hundreds of windows take minutes without. AWQ, GPTQ and dynamic quantization of mlx-lm are not offered.

What takes memory beside weights is said under `session`. llama.cpp's `context` is taken at once, and when it is full, the older
half is forgotten and the text goes on, which is judged so: perplexity and answers are those of a model that has forgotten. Of a
model of four layers, the peak was 52.5 MB with 8,192 tokens of context, 28.7 MB with `kv_cache: q4_0` as well, 20.4 MB with
`context: 256`. ONNX Runtime's `arena: false` and `prepacking: false` (also of Olive's artifacts, and of language models) give
memory for time; language models then multiply in another precision, and answer a little differently. Mapping a model's file into
memory is no option: what is mapped is not counted, though it is used, and a limit would say nothing.
"""


def page() -> str:
    """docs/frameworks.md."""
    kinds = "\n".join(f"- `{device}`: {', '.join(f'`{name}`' for name in names)}" for device, names in devices().items())
    parts = [HEAD, "## Devices\n\nThe kinds of `hardware` a target may name, by the device sessions are opened on:\n\n" + kinds]
    names = sorted(FORMATS.names, key=lambda name: (name in TEXT_FORMATS, name))
    rows = ["| | " + " | ".join(f"`{name}`" for name in names) + " |", "| --- " * (len(names) + 1) + "|"]
    answers = {name: support(name) for name in names}
    for name in FRAMEWORKS.names:
        cells = [", ".join(d for d, reason in answers[f][name].items() if reason is None) or "-" for f in names]
        rows.append(f"| `{name}` | " + " | ".join(cells) + " |")
    parts.append("## Model formats and devices\n\n" + "\n".join(rows))
    parts.append(OPTIONS)
    for name in FRAMEWORKS.names:
        extras = dict.fromkeys(needs(name, f).extra for f in names if any(r is None for r in answers[f][name].values()))
        lines = [f"| `{technique}` | {meaning} |" for technique, meaning in framework(name).TECHNIQUES.items()]
        table = "\n".join(["| technique | what it does |", "| --- | --- |", *lines])
        parts.append(f"## `{name}`\n\nExtra: {' or '.join(f'`{extra}`' for extra in extras)}\n\n{table}")
        parts += _options(name)
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _options(name: str) -> list[str]:
    """A table for each kind of options that a framework's techniques have, and for how its artifacts are opened."""
    options: dict[str, list[str]] = {}
    sessions: dict[str, list[str]] = {}
    for technique in framework(name).TECHNIQUES:
        kind = options_of(framework(name), technique)
        if len(kind.__struct_fields__) == 1:
            continue
        definitions = schema_of(kind, "", "")["$defs"]
        for other, definition in definitions.items():
            shown = {key: value for key, value in definition["properties"].items() if key != "name"}
            table = f"{definition['description']}\n\n{keys({'properties': shown})}"
            (options if other == kind.__name__ else sessions).setdefault(table, []).append(technique)
    parts = [f"### Options of {_listed(own)}\n\n{table}" for table, own in options.items()]
    for table, own in sessions.items():
        whose = f"`{name}`" if len(sessions) == 1 else _listed(own)
        parts.append(f"### `session` in options of {whose}\n\n{table}")
    return parts


def _listed(techniques: list[str]) -> str:
    return ", ".join(f"`{technique}`" for technique in techniques)

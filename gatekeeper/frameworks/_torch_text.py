"""A text model as transformers holds it, in FP32: from a Hugging Face folder or a .gguf file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from gatekeeper.errors import NotMeasured

# llama.cpp divides rotary frequencies by these: the scaling of Llama 3.1 and later, and of Phi 3 with long contexts.
_DIVISORS, _LONG, _SHORT = "rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"


def load(source: Path) -> Any:
    """The model, in evaluation mode; `NotMeasured` if it cannot be had as it is."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TQDM_DISABLE", "1")
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    return (_from_folder(source) if source.is_dir() else _from_gguf(source)).eval()


def _from_folder(folder: Path) -> Any:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    own: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        config = AutoConfig.from_pretrained(folder, **own)
        if getattr(config, "quantization_config", None):
            raise NotMeasured("unsupported", "the model is already quantized. Start from the floating-point checkpoint.")
        model, info = AutoModelForCausalLM.from_pretrained(
            folder, config=config, dtype=torch.float32, output_loading_info=True,
            use_safetensors=True, **own,  # a pickle runs code
        )  # fmt: skip
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        text = " ".join(str(error).split())
        if "alloc" in text:
            raise  # out of memory says nothing of the model
        raise NotMeasured("model", f"transformers cannot load {folder.name}: {text[:500]}") from error
    _check_complete(folder, set(info["missing_keys"]))
    return model


def _from_gguf(file: Path) -> Any:
    import gguf
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    reader = gguf.GGUFReader(file)
    rotation = {t.name: t.data.copy() for t in reader.tensors if t.name in (_DIVISORS, _LONG, _SHORT)}
    settings = load_gguf_checkpoint(str(file))["config"] | _left_out(reader, rotation)
    config = AutoConfig.for_model(**settings)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    weights = load_gguf_checkpoint(str(file), return_tensors=True, model_to_load=model, torch_dtype=torch.float32)["tensors"]
    if lost := len(reader.tensors) - len(rotation) - len(weights):  # those it knows no name for are left out without a word
        raise NotMeasured("unsupported", f"{file.name}: {lost} tensors have no place in {config.model_type}. Convert it anew.")
    missing = model.load_state_dict(weights, strict=False, assign=True).missing_keys
    model.tie_weights()
    _check_complete(file, set(missing) - ({"lm_head.weight"} if config.tie_word_embeddings else set()))
    if _DIVISORS in rotation:
        model.model.rotary_emb.inv_freq /= torch.from_numpy(rotation[_DIVISORS])
    return model


def _left_out(reader: Any, rotation: dict[str, Any]) -> dict[str, Any]:
    """Settings that transformers does not take over from a .gguf; `NotMeasured` for those not known here."""
    family = reader.fields["general.architecture"].contents()

    def field(name: str, default: Any = None) -> Any:
        entry = reader.fields.get(f"{family}.{name}")
        return entry.contents() if entry else default

    width = field("attention.key_length") or field("embedding_length") // field("attention.head_count")
    rope = {
        "rope_type": field("rope.scaling.type", "none").replace("none", "default"),
        "rope_theta": field("rope.freq_base", 10000.0),
        "partial_rotary_factor": field("rope.dimension_count", width) / width,
    }
    for name, key in (("factor", "factor"), ("original_max_position_embeddings", "original_context_length"),
                      ("attention_factor", "attn_factor")):  # fmt: skip
        if (value := field(f"rope.scaling.{key}")) is not None:
            rope[name] = value
    if _LONG in rotation:
        rope |= {"rope_type": "longrope", "long_factor": rotation[_LONG].tolist(), "short_factor": rotation[_SHORT].tolist()}
    if rope["rope_type"] not in ("default", "linear", "yarn", "longrope"):
        raise NotMeasured("unsupported", f"rope scaling {rope['rope_type']} of a .gguf is unknown. Give the Hugging Face folder.")
    names = {tensor.name for tensor in reader.tensors}
    return {
        "head_dim": width,
        "rope_parameters": rope,
        "sliding_window": field("attention.sliding_window") or None,
        "attention_bias": "blk.0.attn_q.bias" in names,
        "mlp_bias": "blk.0.ffn_up.bias" in names,
        "pad_token_id": None,  # families' defaults lie beyond small vocabularies
    }


def _check_complete(source: Path, missing: set[str]) -> None:
    """Weights that are not there would be random."""
    if missing:
        names = ", ".join(sorted(missing)[:5])
        raise NotMeasured("model", f"{source.name} lacks {len(missing)} tensors, {names} among them. Save the model again.")

"""Train a small Llama on the sources of Python's own library; write model/ (Hugging Face) and eval.txt next to this file.

A model of 1.4 million parameters is trained, and then made four times as wide without changing what it answers (T. Chen
et al., "Net2Net: Accelerating Learning via Knowledge Transfer", ICLR 2016). At 20 million parameters the time of a token
is the time to read the weights, so that 4-bit weights are truly faster; training that many here would take an hour. Rows are
multiples of 256, which llama.cpp's K-quants need. It has learned indentation, keywords and common names, not to program.
Deterministic on one kind of machine.

GATEKEEPER_EXAMPLE_STEPS=N trains for N steps instead.
"""

import json
import os
import sysconfig
from pathlib import Path

import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.utils import logging

HERE = Path(__file__).resolve().parent
VOCABULARY, LENGTH, BATCH, WIDER = 1024, 128, 16, 4
STEPS = int(os.environ.get("GATEKEEPER_EXAMPLE_STEPS", "250"))
# Modules that every Python has, the same in every version but for details; the model never sees those that judge it.
JUDGES = ("argparse.py", "difflib.py", "tarfile.py", "statistics.py")
TEACHERS = (
    "ast.py", "bdb.py", "calendar.py", "cmd.py", "codecs.py", "configparser.py", "contextlib.py", "copy.py", "csv.py",
    "dataclasses.py", "datetime.py", "decimal.py", "dis.py", "doctest.py", "enum.py", "fractions.py", "ftplib.py",
    "functools.py", "gettext.py", "heapq.py", "imaplib.py", "inspect.py", "ipaddress.py", "locale.py", "mailbox.py",
    "mimetypes.py", "ntpath.py", "optparse.py", "os.py", "pathlib.py", "pdb.py", "pickle.py", "pickletools.py",
    "platform.py", "plistlib.py", "poplib.py", "posixpath.py", "pprint.py", "pydoc.py", "random.py", "selectors.py",
    "shelve.py", "shlex.py", "shutil.py", "smtplib.py", "socket.py", "socketserver.py", "ssl.py", "string.py",
    "subprocess.py", "tempfile.py", "textwrap.py", "threading.py", "timeit.py", "tokenize.py", "trace.py",
    "traceback.py", "turtle.py", "typing.py", "uuid.py", "warnings.py", "weakref.py", "zipfile.py",
)  # fmt: skip


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)  # its matrices are small: a second thread gains little, and loses much beside other work
    logging.disable_progress_bar()
    folder = HERE / "model"
    folder.mkdir(exist_ok=True)
    train, judge = text(TEACHERS), text(JUDGES)
    (HERE / "eval.txt").write_text(judge, encoding="utf-8")

    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(
        [train[i : i + 10_000] for i in range(0, len(train), 10_000)],
        VOCABULARY,
        special_tokens=["<|end|>"],
        show_progress=False,
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|end|>", "eos_token": "<|end|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))

    narrow = LlamaForCausalLM(shape(1))
    loss = fit(narrow, torch.tensor(tokenizer.encode(train).ids))
    model = widened(narrow)
    model.save_pretrained(folder)
    print(f"model/: {model.num_parameters():,} parameters, training perplexity {torch.tensor(loss).exp():.1f}")


def shape(wide: int) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=128 * wide, intermediate_size=384 * wide, num_hidden_layers=6,
        num_attention_heads=2 * wide, num_key_value_heads=wide, head_dim=64, max_position_embeddings=512,
        tie_word_embeddings=True, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip


def widened(narrow: LlamaForCausalLM) -> LlamaForCausalLM:
    """Every feature and every head WIDER times over; each copy reads its share of the copies it is fed."""
    model = LlamaForCausalLM(shape(WIDER))
    wide = {}
    for name, weight in narrow.state_dict().items():
        if weight.ndim == 1:  # a norm; its input has the same mean square as before
            last = name == "model.norm.weight"  # the output layer, tied to the embeddings, adds up all copies
            wide[name] = weight.repeat(WIDER) / (WIDER if last else 1)
        elif "embed_tokens" in name or "lm_head" in name:
            wide[name] = weight.repeat(1, WIDER)
        else:
            rows = weight.repeat(WIDER, 1)[:, None, :].expand(-1, WIDER, -1)
            noise = torch.randn(rows.shape) * weight.std()
            noise -= noise.mean(dim=1, keepdim=True)  # copies differ, their sum does not
            wide[name] = ((rows + noise) / WIDER).reshape(len(rows), -1)
    model.load_state_dict(wide)
    return model


def text(names: tuple[str, ...]) -> str:
    """The sources of modules, one after the other."""
    library = Path(sysconfig.get_paths()["stdlib"])
    found = [library / name for name in names if (library / name).is_file()]
    return "\n".join(path.read_text(encoding="utf-8") for path in found)


def fit(model: LlamaForCausalLM, tokens: torch.Tensor) -> float:
    """Train on random windows; the mean loss of the last steps."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, betas=(0.9, 0.95), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=max(STEPS, 2), pct_start=0.1)
    losses = []
    for step in range(STEPS):
        starts = torch.randint(len(tokens) - LENGTH, (BATCH,))
        batch = torch.stack([tokens[s : s + LENGTH] for s in starts])
        loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        losses.append(loss.item())
        if step % 50 == 49:
            print(f"step {step + 1} of {STEPS}: loss {sum(losses[-50:]) / 50:.2f}", flush=True)
    return sum(losses[-20:]) / len(losses[-20:])


if __name__ == "__main__":
    main()

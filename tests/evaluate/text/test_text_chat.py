"""A conversation becomes the text that transformers makes of it, by the template that comes with the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from kit.lazily import Lazily
from kit.tiny_llm import write_tokenizer

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.text.chat import conversation
from gatekeeper.evaluate.text.tokenizer import open_tokenizer

transformers = Lazily("transformers")

CHATML = """\
{%- for message in messages %}
    {{- '<|im_start|>' + message['role'] + '\\n' + message.content | trim + '<|end|>' + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""
LLAMA = """\
{{ bos_token }}{% for message in messages %}
    {% if loop.first and message['role'] != 'user' and message['role'] != 'system' %}
        {{ raise_exception('Conversation roles must begin with user') }}
    {% endif %}
    {% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] }}{% endgeneration %}{{ eos_token }}
    {% else %}[INST] {{ message['content'] }} [/INST]{% endif %}
{% endfor %}
"""
STATE = """\
{%- set ns = namespace(system='', said=[]) %}
{%- for message in messages %}
  {%- if message.role == 'system' %}{% set ns.system = message.content %}{% continue %}{% endif %}
  {{- (ns.system + ' ' if ns.system and loop.index0 < 2 else '') ~ message | tojson }}
{% endfor %}
{{- 'tools' if tools else 'none' }}{{ strftime_now('%Y') | length }}{{ dict(a=1) | tojson(indent=2) }}
"""
TEMPLATES = {"chatml": CHATML, "llama": LLAMA, "state": STATE}
TALKS: list[list[dict[str, Any]]] = [
    [{"role": "user", "content": " Grüße & <b>2+2</b>? "}],
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2+2?"}],
    [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}, {"role": "user", "content": "2+2?"}],
]


def folder_with(folder: Path, template: Any, file: str = "") -> Path:
    """A tokenizer's folder with a chat template, in its configuration or in a file of its own."""
    write_tokenizer(folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    config = json.loads((folder / "tokenizer_config.json").read_text()) | {
        "bos_token": {"content": "<|end|>", "__type": "AddedToken"}
    }
    if file:
        (folder / file).write_text(template)
    elif template is not None:
        config["chat_template"] = template
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize("talk", TALKS, ids=["one", "system", "several"])
@pytest.mark.parametrize("place", ["", "chat_template.jinja"])
@pytest.mark.parametrize("name", TEMPLATES)
def test_it_is_the_text_that_transformers_makes(tmp_path: Path, name: str, place: str, talk: list[dict[str, Any]]) -> None:
    folder = folder_with(tmp_path, TEMPLATES[name], place)
    truth = transformers.AutoTokenizer.from_pretrained(folder)
    ours = open_tokenizer(folder, "")
    text = conversation(ours.chat, talk, "here")
    assert text == truth.apply_chat_template(talk, tokenize=False, add_generation_prompt=True)
    assert ours.encode(text) == truth.apply_chat_template(talk, add_generation_prompt=True).input_ids


def test_of_several_templates_it_is_the_default(tmp_path: Path) -> None:
    named = [{"name": "tool_use", "template": "tools"}, {"name": "default", "template": CHATML}]
    folder = folder_with(tmp_path, named)
    truth = transformers.AutoTokenizer.from_pretrained(folder)
    assert conversation(open_tokenizer(folder, "").chat, TALKS[0], "here") == truth.apply_chat_template(
        TALKS[0], tokenize=False, add_generation_prompt=True
    )


@pytest.mark.parametrize(
    ("template", "says"),
    [
        (None, "no chat template comes with the model"),
        (LLAMA, "chat template refuses the messages: Conversation roles must begin with user"),
        ("{{ messages[0].nothing.more }}", "chat template refuses the messages: .*has no attribute"),
        ("{% for %}", "chat template refuses the messages: Expected"),
        ("  ", "makes nothing of the messages"),
        ("{{ ''.__class__.__mro__ }}", "chat template refuses the messages: access to attribute '__class__'"),
        ("{{ messages.append(1) }}", "chat template refuses the messages: .*unsafe|not safely callable"),
    ],
)
def test_a_template_that_fails_or_is_missing_is_said_in_words(tmp_path: Path, template: str | None, says: str) -> None:
    talk = [{"role": "assistant", "content": "x"}]
    with pytest.raises(NotMeasured, match=f"eval.jsonl:3: .*{says}") as caught:
        conversation(open_tokenizer(folder_with(tmp_path, template), "").chat, talk, "eval.jsonl:3")
    assert caught.value.kind == "data" and "Traceback" not in str(caught.value)

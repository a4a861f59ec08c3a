"""A conversation as the text that the model was trained on: by the template that comes with it, rendered as transformers does.

A template is a program of a stranger's: it runs in Jinja's sandbox, in a worker that has a time limit.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._base import ChatTemplate

MESSAGES = list[dict[str, Any]]
MAX_SAID = 300


def conversation(chat: ChatTemplate | None, messages: MESSAGES, place: str) -> str:
    """The text of messages, up to where the model's own answer begins; `place` is where they stand."""
    if chat is None:
        raise NotMeasured(
            "data",
            f"{place}: it has `messages`, and no chat template comes with the model. Save the tokenizer with its chat_template, "
            "or write `prompt` as the model was trained to read it.",
        )
    try:
        text = str(_compiled(chat.template).render(messages=messages, add_generation_prompt=True, tools=None, documents=None,
                                                   **chat.tokens))  # fmt: skip
    except ImportError:
        raise NotMeasured("data", "jinja2 is not installed, and chat templates need it. Install jinja2.") from None
    except Exception as error:  # whatever a template does
        said = " ".join(str(error).split())[:MAX_SAID].rstrip(".") or type(error).__name__
        raise NotMeasured(
            "data", f"{place}: the model's chat template refuses the messages: {said}. Write them as the model takes them."
        ) from None
    if not text.strip():
        raise NotMeasured("data", f"{place}: the model's chat template makes nothing of the messages. Correct the template.")
    return text


def check_messages(messages: Any) -> bool:
    """Whether this is a conversation: messages in a row, each of which says who speaks."""
    rows = isinstance(messages, Sequence) and not isinstance(messages, str) and len(messages) > 0
    return rows and all(isinstance(each, dict) and isinstance(each.get("role"), str) for each in messages)


@lru_cache(maxsize=4)
def _compiled(template: str) -> Any:
    """A template with what transformers gives to each: its own tags, filters and functions, and white space cut as there."""
    import jinja2
    import jinja2.ext
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(jinja2.ext.Extension):
        """{% generation %}: marks what the model said, and changes nothing in the text."""

        tags = {"generation"}

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            return jinja2.nodes.Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True)).set_lineno(line)

    class Namespace(jinja2.utils.Namespace):
        """Jinja's own, without names that lead into the interpreter."""

        def __setitem__(self, name: str, value: Any) -> None:
            if name.startswith("_"):
                raise jinja2.exceptions.SecurityError(f"a template may not write {name!r}")
            super().__setitem__(name, value)

    def refuse(message: str) -> None:
        raise jinja2.exceptions.TemplateError(message)

    def as_json(value: Any, ensure_ascii: bool = False, **form: Any) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, **form)

    made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
    made.filters["tojson"] = as_json
    made.globals |= {
        "raise_exception": refuse, "strftime_now": lambda form: datetime.now().strftime(form), "namespace": Namespace,
    }  # fmt: skip
    return made.from_string(template)

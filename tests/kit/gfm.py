"""Markdown as GitHub shows it: its own parser, and what its filters make of mentions and references afterwards."""

from __future__ import annotations

import re

import cmarkgfm
from cmarkgfm.cmark import Options
from lxml import html

EXTENSIONS = ["table", "autolink", "tagfilter", "strikethrough", "tasklist"]
TAGS = {
    "div", "h2", "h3", "p", "table", "thead", "tbody", "tr", "th", "td", "code", "pre", "ul", "li", "strong", "sub",
    "details", "summary", "blockquote", "a",
}  # fmt: skip

# Wider than GitHub's own: html-pipeline wants (?:^|\W)@((?>[a-z0-9][a-z0-9-]*))(?!\/) and no letter or slash after it.
MENTION = re.compile(r"@[a-z0-9]", re.IGNORECASE)
REFERENCE = re.compile(r"#\d|gh-\d", re.IGNORECASE)
FORMULA = re.compile(r"(?:^|\s)\$\S")


def tree(markdown: str) -> html.HtmlElement:
    """What a comment becomes, before GitHub's filters."""
    rendered = cmarkgfm.markdown_to_html_with_extensions(
        markdown, options=Options.CMARK_OPT_UNSAFE | Options.CMARK_OPT_FOOTNOTES, extensions=EXTENSIONS
    )
    return html.fromstring(f"<div>{rendered}</div>")


def check(markdown: str, link: str = "", marker: str = "") -> html.HtmlElement:
    """Nothing is live but the link, the only comment is the marker, no table or folded part is broken."""
    root = tree(markdown)
    elements = [e for e in root.iter() if isinstance(e.tag, str)]
    assert not {e.tag for e in elements} - TAGS
    assert [str(e) for e in root.iter() if not isinstance(e.tag, str)] == ([marker] if marker else [])
    assert markdown.count("<!") == bool(marker)
    for e in elements:
        allowed = {"a": {"href": link}, "pre": {"lang": "mermaid"}, "code": {"class": "language-mermaid"}}.get(e.tag, {})
        assert not set(e.attrib.items()) - set(allowed.items()), e.attrib
    for text in root.xpath("//text()[not(ancestor::code) and not(ancestor::pre)]"):
        for pattern in (MENTION, REFERENCE, FORMULA):
            assert not pattern.search(str(text)), str(text)[:200]
    outside = re.sub(r"^```.*?^```$", "", markdown, flags=re.MULTILINE | re.DOTALL)
    assert len(root.xpath("//pre")) == len(re.findall(r"^```", markdown, re.MULTILINE)) / 2
    assert (
        len(root.xpath("//details"))
        == len(re.findall(r"^<details>", outside, re.MULTILINE))
        == len(re.findall(r"^</details>$", outside, re.MULTILINE))
    )
    rows = tables(outside)
    assert [len(t.xpath(".//tr")) + 1 for t in root.iter("table")] == [len(lines) for lines in rows]
    for lines in rows:  # the parser drops and adds cells without a word, so that they are counted in the source
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1, lines[:3]
    return root


def tables(markdown: str) -> list[list[str]]:
    """Runs of lines that begin with a pipe."""
    found: list[list[str]] = [[]]
    for line in markdown.splitlines():
        if line.startswith("|"):
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [lines for lines in found if lines]

"""Names in Markdown: shown as they are, whatever is in them."""

from __future__ import annotations

import random
from typing import Any

import pytest
from markdown_it import MarkdownIt

from steps.writing.markdown import bullets, code_block, plain, table

HOSTILE = [
    "![1](http://example.org/x.png)",
    "[2](javascript:alert(1))",
    "[0.1, 0.2](http://example.org)",
    "[1]: http://example.org",
    "[1][2]",
    "[1] [2]",
    "![x][1]",
    "<img src=x onerror=alert(1)>",
    "<!-- gone -->",
    "&lt;b&gt; &amp; &#60;",
    "<http://example.org>",
    "a | b || c",
    "\\| \\\\ \\[x\\](y)",
    "`code` ``more``",
    "**bold** __bold__ *i* _i_ ~~gone~~",
    "# no heading",
    "- no item",
    "1. no item",
    "12) no item",
    "+ no item",
    "---",
    "===",
    "> no quote",
    "~~~ no fence",
    "knee_angle_x",
    "[-0.1, 0.2]",
    "name!\\[1](http://example.org)",
    "[1\\](x)",
    "[3, 4]](http://x)[",
]


def shown(markdown: str) -> str:
    """What a reader sees; fails on anything but paragraphs, lists, tables and text."""
    seen: list[str] = []
    allowed = {"paragraph", "bullet_list", "list_item", "table", "thead", "tbody", "tr", "th", "td", "inline", "text"}

    def walk(tokens: list[Any]) -> None:
        for token in tokens:
            kind = token.type.removesuffix("_open").removesuffix("_close")
            assert kind in allowed | {"text_special"}, (token.type, markdown)
            if token.type in ("text", "text_special"):
                seen.append(token.content)
            walk(token.children or [])

    walk(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(markdown))
    return "".join(seen)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_shown_as_it_is(name: str) -> None:
    assert shown(plain(name)) == name
    assert shown(f"before\n\n{bullets([name, 'b'])}") == f"before{name}b"
    assert shown(table(["column", name], [[name, "c"]])) == f"column{name}{name}c"


def test_no_mixture_of_what_markdown_is_made_of_is_markdown() -> None:
    draw = random.Random(14)  # noqa: S311
    parts = [
        "[",
        "]",
        "(",
        ")",
        "!",
        "1",
        "0.5",
        "x",
        " ",
        "\\",
        "`",
        "*",
        "_",
        "~~",
        "|",
        "<b>",
        "&#91;",
        ":",
        "http://a.b",
    ]
    for _ in range(3000):
        name = " ".join("".join(draw.choices(parts, k=draw.randint(1, 8))).split())
        assert shown(plain(name)) == name
        assert shown(table(["a", "b"], [[name, "c"]])) == f"ab{name}c"


def test_ordinary_names_and_intervals_stay_readable() -> None:
    for text in ("knee_angle_x", "AUC 0.812 [0.700, 0.911]", "S01, S02", "difference -0.1 [-0.20, +0.01]"):
        assert plain(text) == text


def test_a_block_of_code_ends_where_it_should() -> None:
    assert code_block("echo ```") == "````bash\necho ```\n````"

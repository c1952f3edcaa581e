# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts of the interface can be translated: Blender looks up whole texts, so none may be put together before. Reads the
sources only."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOM = Path(__file__).resolve().parents[2] / "addon" / "blender"
MODULES = (
    "compare.py",
    "history.py",
    "history_operators.py",
    "history_panel.py",
    "panels.py",
    "queue_panel.py",
    "status.py",
    "presets.py",
    "recipes.py",
    "tryon.py",
)
TRANSLATORS = {"iface_", "rpt_"}


def shown(tree: ast.AST) -> Iterator[ast.expr]:
    """Everything that is drawn or reported, as an expression."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            yield from (
                word.value for word in node.keywords if word.arg in ("text", "title", "message", "confirm_text")
            )
            if name in ("report", "paragraph", "_paragraph", "header_text_set", "UserError", "poll_message_set"):
                yield from node.args
            if name in TRANSLATORS:
                yield from (arg for arg in node.args if not isinstance(arg, ast.Constant | ast.Name))


def put_together(source: str) -> list[int]:
    """The lines with a text that holds words and is made of parts."""
    found = []
    for expression in shown(ast.parse(source)):
        for part in ast.walk(expression):
            texts = [value.value for value in getattr(part, "values", ()) if isinstance(value, ast.Constant)]
            if isinstance(part, ast.JoinedStr) and any(re.search(r"[A-Za-z]{2}", str(text)) for text in texts):
                found.append(part.lineno)
    return found


@pytest.mark.parametrize("module", MODULES)
def test_no_text_is_put_together_before_it_is_translated(module: str) -> None:
    assert put_together((ROOM / module).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ('layout.label(text=f"Seed {seed}")', [1]),
        ('self.report({"INFO"}, f"No {thing}.")', [1]),
        ('iface_(f"Seed {seed}")', [1]),
        ('layout.label(text=iface_("Seed {seed}").format(seed=seed))', []),
        ('layout.label(text=f"{width}x{height}, {words}")', []),
        ('layout.operator(f"tilewright.{name}")', []),
    ],
)
def test_what_is_put_together_is_found(source: str, lines: list[int]) -> None:
    assert sorted(set(put_together(source))) == lines

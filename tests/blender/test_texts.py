# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts of the interface can be translated: Blender looks up whole texts, so none may be put together before. Reads the
sources, but for the last test."""

import ast
import re
import runpy
import string
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import pytest

from addon.core.hub.messages import HubStage
from addon.core.protocol import Phase
from addon.host.installer_messages import Stage
from addon.host.library import Source

from .conftest import BLENDER, Blender

ROOM = Path(__file__).resolve().parents[2] / "addon" / "blender"
# What only the command line says; what is data.
ENGLISH_ONLY = {
    "shell/commands.py",
    "shell/guide_options.py",
    "shell/library_command.py",
    "shell/models_commands.py",
    "shell/picture_commands.py",
    "shell/template_options.py",
    "shell/transition_options.py",
    "common/german.py",
}
MODULES = sorted({file.relative_to(ROOM).as_posix() for file in ROOM.glob("*/*.py")} - ENGLISH_ONLY)
TRANSLATORS = {"iface_", "rpt_", "_"}


def shown(tree: ast.AST) -> Iterator[ast.expr]:
    """Everything that is drawn or reported, as an expression."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            yield from (
                word.value for word in node.keywords if word.arg in ("text", "title", "message", "confirm_text")
            )
            if name in (
                "report",
                "paragraph",
                "header_text_set",
                "UserError",
                "poll_message_set",
                "refusal",
            ):
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


# English whatever is shown: a report for us, an asset's licence, the name of a package.
TOLD_IN_ENGLISH = {"install/diagnostics.py", "material/assets.py", "common/environments.py"}


@pytest.mark.parametrize("module", sorted(set(MODULES) - TOLD_IN_ENGLISH))
def test_no_sentence_is_built_from_pieces_anywhere(module: str) -> None:
    """Also where it is not shown at once, but kept and shown later. What is logged or raised as a bug stays English."""
    tree = ast.parse((ROOM / module).read_text(encoding="utf-8"))
    inner = {id(part) for call in ast.walk(tree) if _is_for_us(call) for part in ast.walk(call)}
    strings = (node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) and id(node) not in inner)
    texts = [text.value for node in strings for text in node.values if isinstance(text, ast.Constant)]
    found = [text for text in texts if re.search(r"[A-Za-z]{2,} [a-z]{2,}|^ [a-z]{3,}|[a-z]{3,}[.:] ?$", str(text))]
    assert sorted(set(found) - {"Tilewright: ", " brick wall", " min", "settings."}) == []


def _is_for_us(node: ast.AST) -> bool:
    """A line of the log, or an error that is no `UserError`."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="_logger"))):
            return True
        case ast.Call(func=ast.Name(id=name)):
            return name.endswith("Error") and name != "UserError"
    return False


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


# --- German --------------------------------------------------------------------------------------------------------

GERMAN = runpy.run_path(str(ROOM / "common" / "german.py"))["TEXTS"]
ROOT = ROOM.parents[1]
# Names in lists: report kinds, icons, color spaces.
SAME_EVERYWHERE = {"CANCEL", "CHECKMARK", "ERROR", "INFO", "INTERNET_OFFLINE", "Linear", "Linear Rec.709 (sRGB)"}


def constants(expression: ast.expr) -> Iterator[str]:
    """The texts that an expression may be, whole."""
    match expression:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp(body=one, orelse=other):
            yield from (*constants(one), *constants(other))


def texts_of(tree: ast.AST) -> Iterator[str]:
    """Everything that a user of the interface may read, as it stands in a source."""
    for expression in shown(tree):
        yield from constants(expression)
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in TRANSLATORS | {"lines"}:
                yield from (text for arg in node.args for text in constants(arg))
            case ast.Call(func=ast.Name(id=name)) if name.endswith("Property"):
                words = (word.value for word in node.keywords if word.arg in ("name", "description"))
                yield from (text for word in words for text in constants(word))
            case ast.Tuple(
                elts=[
                    ast.Constant(value=str()) | ast.Attribute() | ast.Name(),
                    ast.Constant(value=str(name)),
                    ast.Constant(value=str(told)),
                    *_,
                ]
            ):
                if name[:1].isupper():  # an item of an enumeration
                    yield from (name, told)
            case ast.ClassDef(body=body):
                yield from [ast.get_docstring(node) or ""] * node.name.startswith("TILEWRIGHT_OT_")
                for line in body:
                    match line:
                        case ast.Assign(targets=[ast.Name(id="bl_label")], value=ast.Constant(value=label)):
                            yield label
            case ast.Dict(keys=keys, values=values):
                named = [value for key, value in zip(keys, values, strict=True) if isinstance(key, ast.Constant)]
                labels = [key for key in keys if isinstance(key, ast.Constant) and key.value == "bl_label"]
                yield from (text for value in (named if labels else ()) for text in constants(value) if " " in text)


def has_words(text: str) -> bool:
    return bool(re.search(r"[A-Za-z]{2}", re.sub(r"\{.*?\}", "", text))) and text not in SAME_EVERYWHERE


@pytest.mark.parametrize("module", MODULES)
def test_every_text_has_its_german(module: str) -> None:
    texts = {text for text in texts_of(ast.parse((ROOM / module).read_text(encoding="utf-8"))) if has_words(text)}
    assert sorted(texts - set(GERMAN)) == []


def table(file: str, enum: str) -> dict[str, str]:
    """The words that a file of Blender's room has for the members of an enumeration."""
    return {
        key.attr: value.value
        for node in ast.walk(ast.parse((ROOM / file).read_text(encoding="utf-8")))
        if isinstance(node, ast.Dict)
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Attribute) and getattr(key.value, "id", "") == enum and isinstance(value, ast.Constant)
    }


WORDED = [
    (Phase, "common/phases.py"),
    (Stage, "install/panel.py"),
    (HubStage, "install/models_panel.py"),
    (Source, "install/models_panel.py"),
]


@pytest.mark.parametrize(("enum", "file"), WORDED)
def test_what_goes_on_has_its_words_and_its_german(enum: type[StrEnum], file: str) -> None:
    words = table(file, enum.__name__)
    assert list(words) == [member.name for member in enum]
    assert sorted(set(words.values()) - set(GERMAN)) == []


@pytest.mark.parametrize("enum", [Phase, Stage, HubStage])
def test_what_goes_over_a_pipe_is_a_name_and_no_words(enum: type[StrEnum]) -> None:
    assert [member.value for member in enum] == [member.name for member in enum]


def test_german_has_the_same_places_for_names_and_numbers() -> None:
    def places(text: str) -> list[tuple[str | None, str | None]]:
        return sorted(
            (name, format_) for _text, name, format_, _how in string.Formatter().parse(text) if name is not None
        )

    assert [text for text, german in GERMAN.items() if places(text) != places(german)] == []


def test_german_translates_nothing_that_is_not_there() -> None:
    sources = "".join(
        re.sub(r'"\s*\n\s*f?"', "", file.read_text(encoding="utf-8"))
        for file in (ROOT / "addon").rglob("*.py")
        if file.name != "german.py"
    )
    assert [text for text in GERMAN if text not in sources.replace('\\"', '"')] == []


@pytest.mark.skipif(not BLENDER, reason="BLENDER names no Blender: the module has no other languages")
def test_blender_set_to_german_shows_it(own_blender: Blender) -> None:
    assert own_blender.run("languages.left_in_english") == []

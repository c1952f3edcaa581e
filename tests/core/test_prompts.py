# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a prompt's words: template, translation, words that the model does not know."""

from pathlib import Path

import pytest

from addon.core import foreign_words
from addon.core.families.catalogue import STARTER_FOLDER
from addon.core.prompts import EXAMPLE, fill, final, plain, read, read_vocabulary

STARTER = read_vocabulary(STARTER_FOLDER)


@pytest.mark.parametrize(
    ("template", "prompt", "filled"),
    [
        ("", "old red", "old red"),
        ("{prompt} brick wall", "old red", "old red brick wall"),
        ("{prompt} brick wall", "brick wall", "brick wall"),
        ("{prompt} brick wall", "old Brick Wall", "old Brick Wall"),
        ("{prompt} brick wall, weathered", "red brick", "red brick wall, weathered"),
        ("{prompt} brick wall", "", "brick wall"),
        ("rusty {prompt} metal", "rusty blue", "rusty blue metal"),
        ("rusty {prompt} metal", "metal", "rusty metal"),
        ("brick wall", "old brick", "old brick wall"),
        ("{prompt}, {prompt} again", "moss", "moss, moss again"),
        ("{prompt} of {prompt}", "{prompt}", "{prompt} of {prompt}"),
        ("a {prompt} b", "{prompt}", "a {prompt} b"),
        ("{prompt} {x}", "{0} %s", "{0} %s {x}"),
        (" ", " ", " "),
    ],
)
def test_a_template_says_nothing_twice_where_it_meets_the_prompt(template: str, prompt: str, filled: str) -> None:
    assert fill(template, prompt) == filled


@pytest.mark.parametrize(
    ("typed", "read_as"),
    [
        ("Ziegelwand", "brick wall"),
        ("alte rote Ziegelwand", "old red brick wall"),
        ("Wand aus Backstein mit Moos", "brick wall with moss"),
        ("rostiges Eisenblech", "rusty iron sheet metal"),
        ("Holzdielen, verwittert", "wood floorboards, weathered"),
        ("Kopfsteinpflaster", "cobblestone"),
        ("vieux mur de briques rouges", "old red brick wall"),
        ("plancher de chêne", "oak wooden floor"),
        ("pared de ladrillo rojo", "red brick wall"),
        ("madera vieja", "old wood"),
        ("muro di mattoni rossi", "red brick wall"),
        ("piastrelle bianche", "white tiles"),
        ("parede de tijolo velho", "old brick wall"),
        ("roestig staal", "rusty steel"),
    ],
)
def test_material_words_of_other_languages_are_read(typed: str, read_as: str) -> None:
    reading = read(typed, STARTER)
    assert (reading.text, reading.read_as) == (read_as, read_as)


@pytest.mark.parametrize("prompt", [EXAMPLE, "mossy stone wall", "gold sand metal", "oak planks", "4k 1024", ""])
def test_english_stays_as_it_is(prompt: str) -> None:
    reading = read(prompt, STARTER)
    assert reading.text == prompt
    assert reading.read_as == ""
    assert reading.unknown == ()


def test_a_translation_is_not_doubled_by_its_template() -> None:
    reading = final("{prompt} brick wall", "alte Ziegelwand", STARTER)
    assert (reading.text, reading.read_as, reading.unknown) == ("old brick wall", "old brick wall", ())
    assert final("{prompt} brick wall", "old", STARTER).read_as == ""


def test_words_that_the_model_does_not_know_are_told_once() -> None:
    assert read("xyzzy brick xyzzy", STARTER).unknown == ("xyzzy",)
    assert read("Ziegelwand xyzzy", STARTER).unknown == ("xyzzy",)


def test_without_a_table_of_words_nothing_is_judged_or_translated(tmp_path: Path) -> None:
    assert read_vocabulary(tmp_path) == frozenset()
    assert read("Ziegelwand xyzzy", frozenset()).text == "Ziegelwand xyzzy"
    (tmp_path / "tokenizer").mkdir()
    (tmp_path / "tokenizer" / "tokenizer.json").write_text("[1]", encoding="utf-8")
    assert read_vocabulary(tmp_path) == frozenset()


@pytest.mark.parametrize("language", foreign_words.NOUNS)
def test_the_table_is_written_as_it_is_looked_up(language: str) -> None:
    tables = (foreign_words.NOUNS, foreign_words.ADJECTIVES, foreign_words.PHRASES, foreign_words.LINKS)
    keys = [key for table in tables for key in table[language]]
    assert [key for key in keys if key != plain(key)] == []
    english = {word for table in tables[:3] for text in table[language].values() for word in text.split()}
    assert [word for word in sorted(english) if read(word, STARTER).unknown] == []
